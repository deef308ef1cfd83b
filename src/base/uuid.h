// Random identifiers: RFC 4122 version 4. Thread-safe.
#pragma once

#include <string>

namespace espalier {

/// "0b7a2f6e-…": 36 characters, lower case, 122 random bits from the kernel.
std::string NewUuid();

}  // namespace espalier
