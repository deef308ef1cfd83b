#include "monitor/metric_math.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <span>

#include "monitor/math_rules.h"

namespace espalier::monitor {
namespace {

using Kind = MathNode::Kind;
using Point = std::optional<double>;
using List = std::vector<MathSeries>;

Error Invalid(std::string message) {
    return {ErrorCode::kInvalidArgument, std::move(message)};
}

Point Finite(double value) {
    return std::isfinite(value) ? Point(value) : std::nullopt;
}

// -- Series -----------------------------------------------------------------------------------------------------------

MathNumber FoldSeries(FoldRule rule, const MathSeries& series) {
    std::vector<double> values;
    for (const Point& point : series.points)
        if (point) values.push_back(*point);
    return values.empty() ? std::nullopt : Finite(rule(values, series.points.size()));
}

/// One series: at each time, of the series that have a point there.
MathSeries FoldList(FoldRule rule, const List& list, std::size_t size) {
    MathSeries folded{.points = std::vector<Point>(size)};
    std::vector<double> values;
    for (std::size_t i = 0; i < size; ++i) {
        values.clear();
        for (const MathSeries& series : list)
            if (series.points[i]) values.push_back(*series.points[i]);
        if (!values.empty()) folded.points[i] = Finite(rule(values, list.size()));
    }
    return folded;
}

MathSeries StepAlong(StepRule rule, const MathSeries& series, const MathGrid& grid) {
    MathSeries stepped{.label = series.label, .points = std::vector<Point>(series.points.size())};
    std::optional<std::size_t> before;
    for (std::size_t i = 0; i < series.points.size(); ++i) {
        if (!series.points[i]) continue;
        if (before) {
            const double seconds = static_cast<double>(i - *before) * static_cast<double>(grid.period_ms) / 1000.0;
            stepped.points[i] = Finite(rule(*series.points[i], *series.points[*before], seconds));
        }
        before = i;
    }
    return stepped;
}

MathSeries RunningSum(const MathSeries& series) {
    MathSeries summed = series;
    double sum = 0;
    for (Point& point : summed.points)
        if (point) point = Finite(sum += *point);
    return summed;
}

MathSeries FillRepeating(MathSeries series) {
    for (std::size_t i = 1; i < series.points.size(); ++i)
        if (!series.points[i]) series.points[i] = series.points[i - 1];
    return series;
}

/// Gaps between two points; before the first and behind the last one there is no line.
MathSeries FillLinear(MathSeries series) {
    std::optional<std::size_t> before;
    for (std::size_t i = 0; i < series.points.size(); ++i) {
        if (!series.points[i]) continue;
        for (std::size_t k = before ? *before + 1 : i; k < i; ++k) {
            const double share = static_cast<double>(k - *before) / static_cast<double>(i - *before);
            series.points[k] = Finite(*series.points[*before] * (1 - share) + *series.points[i] * share);
        }
        before = i;
    }
    return series;
}

// -- Evaluation -------------------------------------------------------------------------------------------------------

std::string_view TypeOf(const MathValue& value) {
    constexpr std::string_view kTypes[] = {"a number", "a time series", "an array of time series"};
    return kTypes[value.index()];
}

class Evaluator {
  public:
    explicit Evaluator(const MathInputs& inputs) : inputs_(inputs), grid_(inputs.grid) {}

    Result<MathValue> Value(const MathNode& node) {
        MathValue value = TRY(ValueOf(node));
        const auto* list = std::get_if<List>(&value);
        if (list != nullptr && list->size() > kMathSeriesMax)
            return Invalid(fmt::format("An array has at most {} time series", kMathSeriesMax));
        num_points_ += std::holds_alternative<MathSeries>(value) ? grid_.size : list ? list->size() * grid_.size : 1;
        if (num_points_ > kMathPointsMax)
            return Invalid(
                fmt::format("An expression that computes more than {} data points is not evaluated: ask for "
                            "a longer Period or a shorter time",
                            kMathPointsMax));
        return value;
    }

  private:
    using Function = Result<MathValue> (Evaluator::*)(const MathNode&);
    struct Entry {
        std::string_view name;
        std::size_t arguments_min;
        std::size_t arguments_max;
        Function function;
    };
    static std::span<const Entry> Functions();

    Result<MathValue> ValueOf(const MathNode& node) {
        switch (node.kind) {
            case Kind::kNumber:
                return MathNumber(node.number);
            case Kind::kId:
                return Named(node.text);
            case Kind::kList:
                return ListOf(node);
            case Kind::kCall:
                return Called(node);
            case Kind::kOperator:
                return node.parts.size() == 1 ? Negative(node) : Operation(node);
            case Kind::kText:
            case Kind::kKeyword:
                break;
        }
        return Invalid(fmt::format("'{}' stands where a value is expected", node.text));
    }

    Result<MathValue> Named(const std::string& id) const {
        const auto found = inputs_.values.find(id);
        if (found == inputs_.values.end()) return Invalid(fmt::format("There is no metric or expression '{}'", id));
        return found->second;
    }

    Result<MathValue> ListOf(const MathNode& node) {
        List list;
        for (const MathNode& part : node.parts) {
            MathValue value = TRY(Value(part));
            if (auto* series = std::get_if<MathSeries>(&value)) {
                list.push_back(std::move(*series));
            } else if (auto* more = std::get_if<List>(&value)) {
                list.insert(list.end(), more->begin(), more->end());
            } else {
                return Invalid("An array holds time series, not numbers");
            }
            if (list.size() > kMathSeriesMax) break;  // refused by the caller
        }
        return list;
    }

    Result<MathValue> Called(const MathNode& node) {
        std::vector<std::string_view> known;
        for (const Entry& entry : Functions()) {
            known.push_back(entry.name);
            if (entry.name != node.text) continue;
            const std::size_t count = node.parts.size();
            if (count >= entry.arguments_min && count <= entry.arguments_max) return (this->*entry.function)(node);
            return Invalid(fmt::format("The function {} takes {} to {} arguments, not {}", node.text,
                                       entry.arguments_min, entry.arguments_max, count));
        }
        return Invalid(
            fmt::format("The function {} is not supported. This server has {}", node.text, fmt::join(known, ", ")));
    }

    Error WrongType(const MathNode& node, const MathValue& value) const {
        return Invalid(fmt::format("{} cannot be used with {}", node.text, TypeOf(value)));
    }

    // Operators.

    Result<MathValue> Negative(const MathNode& node) {
        MathValue value = TRY(Value(node.parts[0]));
        return ForEachPoint(std::move(value), [](double x) { return -x; });
    }

    template <typename Rule>
    static MathValue ForEachPoint(MathValue value, const Rule& rule) {
        const auto apply = [&](Point& point) {
            if (point) point = Finite(rule(*point));
        };
        if (auto* number = std::get_if<MathNumber>(&value)) apply(*number);
        if (auto* series = std::get_if<MathSeries>(&value)) std::ranges::for_each(series->points, apply);
        if (auto* list = std::get_if<List>(&value))
            for (MathSeries& series : *list) std::ranges::for_each(series.points, apply);
        return value;
    }

    Result<MathValue> Operation(const MathNode& node) {
        const BinaryRule rule = BinaryRuleOf(node.text);
        MathValue left = TRY(Value(node.parts[0]));
        MathValue right = TRY(Value(node.parts[1]));
        auto* lefts = std::get_if<List>(&left);
        auto* rights = std::get_if<List>(&right);
        if (lefts != nullptr && rights != nullptr)
            return Invalid(fmt::format("{} cannot be used with two arrays of time series", node.text));
        if (lefts != nullptr) {
            for (MathSeries& series : *lefts) series = SeriesOperation(rule, series, right);
            return left;
        }
        if (rights != nullptr) {
            for (MathSeries& series : *rights) series = SeriesOperation(rule, left, series);
            return right;
        }
        if (std::holds_alternative<MathSeries>(left) || std::holds_alternative<MathSeries>(right))
            return SeriesOperation(rule, left, right);
        const auto a = std::get<MathNumber>(left);
        const auto b = std::get<MathNumber>(right);
        return a && b ? Finite(rule(*a, *b)) : MathNumber();
    }

    /// At least one of them is a series, none a list.
    MathSeries SeriesOperation(BinaryRule rule, const MathValue& left, const MathValue& right) const {
        const auto* a = std::get_if<MathSeries>(&left);
        const auto* b = std::get_if<MathSeries>(&right);
        MathSeries made{.label = (a ? a : b)->label, .points = std::vector<Point>(grid_.size)};
        const MathNumber number = a && b ? MathNumber(0) : std::get<MathNumber>(a ? right : left);
        if (!number) return made;
        for (std::size_t i = 0; i < grid_.size; ++i) {
            const Point x = a ? a->points[i] : std::nullopt;
            const Point y = b ? b->points[i] : std::nullopt;
            if (x || y) made.points[i] = Finite(rule(x.value_or(*number), y.value_or(*number)));
        }
        return made;
    }

    // Functions.

    Result<MathValue> OfEachPoint(const MathNode& node) {
        MathValue value = TRY(Value(node.parts[0]));
        return ForEachPoint(std::move(value), UnaryRuleOf(node.text));
    }

    Result<MathValue> OfMany(const MathNode& node) {
        const FoldRule rule = FoldRuleOf(node.text);
        const MathValue value = TRY(Value(node.parts[0]));
        if (const auto* series = std::get_if<MathSeries>(&value)) return FoldSeries(rule, *series);
        if (const auto* list = std::get_if<List>(&value)) return FoldList(rule, *list, grid_.size);
        return WrongType(node, value);
    }

    Result<MathValue> OfEachSeries(const MathNode& node, const std::function<MathSeries(const MathSeries&)>& rule) {
        MathValue value = TRY(Value(node.parts[0]));
        if (auto* series = std::get_if<MathSeries>(&value)) return rule(*series);
        auto* list = std::get_if<List>(&value);
        if (list == nullptr) return WrongType(node, value);
        for (MathSeries& series : *list) series = rule(series);
        return value;
    }

    Result<MathValue> Stepping(const MathNode& node) {
        const StepRule rule = StepRuleOf(node.text);
        return OfEachSeries(node, [&](const MathSeries& series) { return StepAlong(rule, series, grid_); });
    }

    Result<MathValue> Running(const MathNode& node) { return OfEachSeries(node, RunningSum); }

    Result<MathValue> Filled(const MathNode& node) {
        const MathNode& filler = node.parts[1];
        if (filler.kind == Kind::kKeyword && filler.text == "REPEAT") return OfEachSeries(node, FillRepeating);
        if (filler.kind == Kind::kKeyword && filler.text == "LINEAR") return OfEachSeries(node, FillLinear);
        const MathValue value = TRY(Value(filler));
        if (std::holds_alternative<List>(value)) return WrongType(node, value);
        return OfEachSeries(node, [&](MathSeries series) {
            for (std::size_t i = 0; i < grid_.size; ++i)
                if (!series.points[i]) series.points[i] = PointOf(value, i);
            return series;
        });
    }

    /// Of a number or a series.
    static Point PointOf(const MathValue& value, std::size_t i) {
        if (const auto* series = std::get_if<MathSeries>(&value)) return series->points[i];
        return std::get<MathNumber>(value);
    }

    Result<MathValue> Chosen(const MathNode& node) {
        const MathValue condition = TRY(Value(node.parts[0]));
        const MathValue yes = TRY(Value(node.parts[1]));
        MathValue no = MathNumber();
        if (node.parts.size() > 2) no = TRY(Value(node.parts[2]));
        for (const MathValue* each : {&condition, &yes, static_cast<const MathValue*>(&no)})
            if (std::holds_alternative<List>(*each)) return WrongType(node, *each);
        const auto* conditions = std::get_if<MathSeries>(&condition);
        const bool numbers =
            !conditions && std::holds_alternative<MathNumber>(yes) && std::holds_alternative<MathNumber>(no);
        const MathNumber constant = conditions ? MathNumber() : std::get<MathNumber>(condition);
        if (numbers) return constant ? (*constant != 0 ? yes : no) : MathNumber();
        const auto* labelled = conditions ? conditions : std::get_if<MathSeries>(&yes);
        MathSeries made{.label = labelled ? labelled->label : "", .points = std::vector<Point>(grid_.size)};
        for (std::size_t i = 0; i < grid_.size; ++i) {
            const Point choice = conditions ? conditions->points[i] : constant;
            if (!choice) continue;
            made.points[i] = PointOf(*choice != 0 ? yes : no, i);
            // A true point of a series takes a missing value for 0.
            if (conditions && *choice != 0 && !made.points[i]) made.points[i] = 0.0;
        }
        return made;
    }

    Result<MathValue> Metrics(const MathNode& node) {
        if (!node.parts.empty() && node.parts[0].kind != Kind::kText)
            return Invalid("METRICS takes nothing or a string, a part of the metrics' ids");
        List list;
        for (const std::string& id : inputs_.metrics)
            if (node.parts.empty() || id.find(node.parts[0].text) != std::string::npos)
                list.push_back(std::get<MathSeries>(inputs_.values.at(id)));
        return list;
    }

    Result<MathValue> Period(const MathNode& node) {
        const MathNode& metric = node.parts[0];
        if (metric.kind != Kind::kId || std::ranges::find(inputs_.metrics, metric.text) == inputs_.metrics.end())
            return Invalid("PERIOD takes the id of a metric");
        return MathNumber(static_cast<double>(grid_.period_ms) / 1000.0);
    }

    Result<MathValue> Constant(const MathNode& node) {
        const MathValue value = TRY(Value(node.parts[0]));
        const auto* number = std::get_if<MathNumber>(&value);
        if (number == nullptr) return WrongType(node, value);
        return MathSeries{.points = std::vector<Point>(grid_.size, *number)};
    }

    Result<MathValue> OfTimes(const MathNode& node) {
        const TimeRule rule = TimeRuleOf(node.text);
        return OfEachSeries(node, [&](MathSeries series) {
            for (std::size_t i = 0; i < grid_.size; ++i) {
                const UnixMillis time = grid_.from + static_cast<UnixMillis>(i) * grid_.period_ms;
                series.points[i] = rule(std::chrono::sys_seconds(std::chrono::seconds(time / 1000)));
            }
            return series;
        });
    }

    Result<List> ListArgument(const MathNode& node) {
        MathValue value = TRY(Value(node.parts[0]));
        auto* list = std::get_if<List>(&value);
        if (list == nullptr) return WrongType(node, value);
        return std::move(*list);
    }

    /// A whole number of at least 0 among the arguments.
    Result<std::size_t> CountArgument(const MathNode& node, std::size_t index) {
        const MathValue value = TRY(Value(node.parts[index]));
        const auto* number = std::get_if<MathNumber>(&value);
        const double count = number != nullptr ? number->value_or(0) : -1;
        if (count < 0 || count != std::floor(count))
            return Invalid(fmt::format("Argument {} of {} must be a whole number of at least 0", index + 1, node.text));
        return static_cast<std::size_t>(std::min(count, static_cast<double>(kMathSeriesMax)));
    }

    Result<MathValue> CountOfMetrics(const MathNode& node) {
        const List list = TRY(ListArgument(node));
        return MathNumber(static_cast<double>(list.size()));
    }

    Result<MathValue> EndOfList(const MathNode& node) {
        List list = TRY(ListArgument(node));
        if (list.empty()) return MathSeries{.points = std::vector<Point>(grid_.size)};
        return std::move(node.text == "FIRST" ? list.front() : list.back());
    }

    Result<MathValue> WithoutEmpty(const MathNode& node) {
        List list = TRY(ListArgument(node));
        std::erase_if(list, [](const MathSeries& series) {
            return std::ranges::none_of(series.points, [](const Point& point) { return point.has_value(); });
        });
        return list;
    }

    Result<MathValue> Slice(const MathNode& node) {
        List list = TRY(ListArgument(node));
        std::size_t begin = TRY(CountArgument(node, 1));
        std::size_t end = list.size();
        if (node.parts.size() > 2) end = TRY(CountArgument(node, 2));
        end = std::min(end, list.size());
        begin = std::min(begin, end);
        list.resize(end);
        list.erase(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(begin));
        return list;
    }

    Result<MathValue> Sorted(const MathNode& node) {
        const MathNode& by = node.parts[1];
        const MathNode& order = node.parts[2];
        const bool known = by.kind == Kind::kKeyword &&
                           (by.text == "AVG" || by.text == "MIN" || by.text == "MAX" || by.text == "SUM") &&
                           order.kind == Kind::kKeyword && (order.text == "ASC" || order.text == "DESC");
        if (!known) return Invalid("SORT takes an array, one of AVG, MIN, MAX, SUM, and ASC or DESC");
        List list = TRY(ListArgument(node));
        const FoldRule rule = FoldRuleOf(by.text);
        std::vector<std::pair<MathNumber, std::size_t>> keys;
        for (const MathSeries& series : list) keys.emplace_back(FoldSeries(rule, series), keys.size());
        // Series without points come last either way.
        std::ranges::stable_sort(keys, [&](const auto& a, const auto& b) {
            const MathNumber x = a.first;
            const MathNumber y = b.first;
            if (!x || !y) return x.has_value() && !y.has_value();
            return order.text == "ASC" ? *x < *y : *x > *y;
        });
        std::size_t limit = list.size();
        if (node.parts.size() > 3) limit = TRY(CountArgument(node, 3));
        List sorted;
        for (std::size_t i = 0; i < std::min(limit, list.size()); ++i)
            sorted.push_back(std::move(list[keys[i].second]));
        return sorted;
    }

    const MathInputs& inputs_;
    const MathGrid& grid_;
    std::size_t num_points_ = 0;
};

std::span<const Evaluator::Entry> Evaluator::Functions() {
    static constexpr Entry kEntries[] = {
        {"ABS", 1, 1, &Evaluator::OfEachPoint},     {"AVG", 1, 1, &Evaluator::OfMany},
        {"CEIL", 1, 1, &Evaluator::OfEachPoint},    {"DATAPOINT_COUNT", 1, 1, &Evaluator::OfMany},
        {"DATE", 1, 1, &Evaluator::OfTimes},        {"DAY", 1, 1, &Evaluator::OfTimes},
        {"DIFF", 1, 1, &Evaluator::Stepping},       {"DIFF_TIME", 1, 1, &Evaluator::Stepping},
        {"EPOCH", 1, 1, &Evaluator::OfTimes},       {"FILL", 2, 2, &Evaluator::Filled},
        {"FIRST", 1, 1, &Evaluator::EndOfList},     {"FLOOR", 1, 1, &Evaluator::OfEachPoint},
        {"HOUR", 1, 1, &Evaluator::OfTimes},        {"IF", 2, 3, &Evaluator::Chosen},
        {"LAST", 1, 1, &Evaluator::EndOfList},      {"LOG", 1, 1, &Evaluator::OfEachPoint},
        {"LOG10", 1, 1, &Evaluator::OfEachPoint},   {"MAX", 1, 1, &Evaluator::OfMany},
        {"METRICS", 0, 1, &Evaluator::Metrics},     {"METRIC_COUNT", 1, 1, &Evaluator::CountOfMetrics},
        {"MIN", 1, 1, &Evaluator::OfMany},          {"MINUTE", 1, 1, &Evaluator::OfTimes},
        {"MONTH", 1, 1, &Evaluator::OfTimes},       {"PERIOD", 1, 1, &Evaluator::Period},
        {"RATE", 1, 1, &Evaluator::Stepping},       {"REMOVE_EMPTY", 1, 1, &Evaluator::WithoutEmpty},
        {"RUNNING_SUM", 1, 1, &Evaluator::Running}, {"SLICE", 2, 3, &Evaluator::Slice},
        {"SORT", 3, 4, &Evaluator::Sorted},         {"STDDEV", 1, 1, &Evaluator::OfMany},
        {"SUM", 1, 1, &Evaluator::OfMany},          {"TIME_SERIES", 1, 1, &Evaluator::Constant},
        {"YEAR", 1, 1, &Evaluator::OfTimes},
    };
    return kEntries;
}

}  // namespace

Result<MathValue> EvaluateMath(const MathNode& expression, const MathInputs& inputs) {
    MathValue value = TRY(Evaluator(inputs).Value(expression));
    if (std::holds_alternative<MathNumber>(value))
        return Invalid("The result must be a time series or an array of them, not a number; TIME_SERIES makes one");
    return value;
}

}  // namespace espalier::monitor
