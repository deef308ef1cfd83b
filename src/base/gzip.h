// A whole gzip text undone in memory, within a bound. Thread-safe: pure function.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace espalier {

/// kCorruptData when `packed` is no whole gzip member and nothing behind it; kResourceLimit when it holds more than
/// bytes_max.
Result<std::string> GunzipText(std::string_view packed, std::size_t bytes_max);

}  // namespace espalier
