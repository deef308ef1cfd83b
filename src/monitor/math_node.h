// A metric math expression as a tree: what is written, not yet what it means.
//
//   m1 + 2 * m2 ^ 2    -m1    m1 > 3 AND m2 != 0    [m1, m2]    FILL(METRICS("errors"), REPEAT)
// From loose to tight: OR ||, AND &&, comparisons, + -, * /, the sign, ^ (to the right). Ids begin with a lower-case
// letter, names of functions and keywords with an upper-case one. Limits: kMathBytesMax, kMathDepthMax. Plain values.
// Source: CloudWatch user guide, "Using metric math".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace espalier::monitor {

inline constexpr std::size_t kMathBytesMax = 2048;
inline constexpr int kMathDepthMax = 64;  ///< brackets, signs and calls inside one another

struct MathNode {
    enum class Kind { kNumber, kText, kId, kKeyword, kList, kCall, kOperator };

    Kind kind = Kind::kNumber;
    std::string text = {};             ///< of a string, id, keyword, function or operator
    double number = 0;                 ///< of kNumber
    std::vector<MathNode> parts = {};  ///< of a list, arguments of a call, one or two operands
};

/// Whether an expression can speak of what has this id.
bool IsMathId(std::string_view text);
/// kInvalidArgument with the place of what cannot be read.
Result<MathNode> ParseMath(std::string_view text);
/// What ParseMath reads as the same tree, with all brackets written.
std::string ToText(const MathNode& node);

}  // namespace espalier::monitor
