// SHA-256 of two byte strings in the time of one.
//
// Within one string each SHA-NI instruction waits for the one before, so half of the unit stands idle; the blocks of a
// second string fill it. Without SHA-NI (chosen at run time) the strings are hashed one after the other. Oracle:
// Sha256::Of, in sha256_pair_test. Source: FIPS 180-4. Thread-safe: a pure function.
#pragma once

#include <array>
#include <string_view>

#include "base/digest.h"

namespace espalier {

/// Sha256::Of(a) and Sha256::Of(b).
std::array<Sha256::Value, 2> Sha256OfBoth(std::string_view a, std::string_view b);

}  // namespace espalier
