// What metric math expressions are worth: arithmetic, comparisons and functions over series of one period.
//
// Nouns: MathGrid (the periods of a window), MathSeries (a value or none for each), MathValue (a number, a series or a
// list of series). As in CloudWatch: of two series the one without a point counts as 0, where both have none there is
// none; a number makes no points; dividing by zero and whatever else is no finite number drops the point. Limits: a
// list has kMathSeriesMax series, an evaluation makes kMathPointsMax points. Pure functions. Source: CloudWatch user
// guide, "Using metric math", whose tables are in metric_math_test.cc.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "monitor/math_node.h"

namespace espalier::monitor {

inline constexpr std::size_t kMathSeriesMax = 500;
inline constexpr std::size_t kMathPointsMax = 5'000'000;

struct MathGrid {
    UnixMillis from = 0;  ///< the begin of the first period
    UnixMillis period_ms = 60'000;
    std::size_t size = 0;
};

struct MathSeries {
    std::string label = {};
    std::vector<std::optional<double>> points = {};  ///< as many as the grid has periods
};

using MathNumber = std::optional<double>;  ///< nullopt: of a series without points
using MathValue = std::variant<MathNumber, MathSeries, std::vector<MathSeries>>;

/// What an expression speaks of by ids.
struct MathInputs {
    MathGrid grid;
    std::map<std::string, MathValue> values = {};
    std::vector<std::string> metrics = {};  ///< ids of those that are metrics, for METRICS(), in their order
};

/// A series or a list of them. kInvalidArgument, naming the function or operator, for what has no value: unknown ids
/// and functions, arguments of the wrong number or type, a number as the result.
Result<MathValue> EvaluateMath(const MathNode& expression, const MathInputs& inputs);

}  // namespace espalier::monitor
