// Small files that a job's processes read.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace espalier::jobs {

/// Makes the file hold that text and nothing else. kResourceLimit when the disk is full.
Result<void> WriteTextFile(const std::string& path, std::string_view text);

}  // namespace espalier::jobs
