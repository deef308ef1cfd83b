// The constraints a user writes as Python literals: "(1,0,-1)" and "[[0,2],[1,3,4]]". Pure functions.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace espalier::learn {

/// Signs of the features in order. kInvalidArgument, with the parameter's name, for anything else.
Result<std::vector<std::int8_t>> ParseMonotoneConstraints(std::string_view text);

/// Sets of feature indices. kInvalidArgument, with the parameter's name, for anything else.
Result<std::vector<std::vector<std::uint32_t>>> ParseInteractionConstraints(std::string_view text);

}  // namespace espalier::learn
