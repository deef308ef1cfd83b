// Keys in byte order that begin with a prefix, as a range that an index can be entered for. Pure functions.
#pragma once

#include <string>

namespace espalier::meta {

/// The smallest string after everything that starts with `prefix`, in byte order; "" when there is none.
inline std::string EndOfPrefix(std::string prefix) {
    while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
    if (!prefix.empty()) prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
    return prefix;
}

}  // namespace espalier::meta
