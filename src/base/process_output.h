// Where a process that somebody else watches says what it has to say.
#pragma once

#include <string>

#include "base/result.h"

namespace espalier {

/// Standard output and standard error go to the end of that file from now on; "" leaves them as they are.
Result<void> SendOutputTo(const std::string& path);

}  // namespace espalier
