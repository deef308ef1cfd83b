#include "hosting/step_scaling.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace espalier::hosting {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kStepsMax = 20;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Step {
    double lower = -kInfinity;
    double upper = kInfinity;
    std::int64_t adjustment = 0;
};

/// In the order of their ranges.
std::vector<Step> StepsOf(const Json& configuration) {
    std::vector<Step> steps;
    for (const Json& each : configuration.value("StepAdjustments", Json::array()))
        steps.push_back({.lower = each.value("MetricIntervalLowerBound", -kInfinity),
                         .upper = each.value("MetricIntervalUpperBound", kInfinity),
                         .adjustment = each.at("ScalingAdjustment").get<std::int64_t>()});
    std::sort(steps.begin(), steps.end(), [](const Step& a, const Step& b) { return a.lower < b.lower; });
    return steps;
}

Error Invalid(std::string message) {
    return {ErrorCode::kInvalidArgument, std::move(message)};
}

Result<void> CheckSteps(const std::vector<Step>& steps) {
    if (steps.empty()) return Invalid("StepAdjustments needs at least one step.");
    if (steps.size() > kStepsMax) return Invalid(fmt::format("StepAdjustments has more than {} steps.", kStepsMax));
    for (std::size_t i = 0; i < steps.size(); ++i) {
        if (steps[i].lower == -kInfinity && steps[i].upper == kInfinity)
            return Invalid("A step needs MetricIntervalLowerBound, MetricIntervalUpperBound or both.");
        if (!(steps[i].lower < steps[i].upper))
            return Invalid("MetricIntervalUpperBound must be greater than MetricIntervalLowerBound.");
        if (i > 0 && steps[i].lower != steps[i - 1].upper)
            return Invalid(fmt::format("StepAdjustments overlap or leave a gap between {} and {}.", steps[i - 1].upper,
                                       steps[i].lower));
    }
    if (steps.front().lower < 0 && steps.front().lower != -kInfinity)
        return Invalid("One step must be without MetricIntervalLowerBound, as another has a negative one.");
    if (steps.back().upper > 0 && steps.back().upper != kInfinity)
        return Invalid("One step must be without MetricIntervalUpperBound, as another has a positive one.");
    return {};
}

std::int64_t PercentChange(std::int64_t count, std::int64_t percent, std::int64_t magnitude_min) {
    const double exact = static_cast<double>(count) * static_cast<double>(percent) / 100;
    if (exact == 0) return 0;
    const std::int64_t size = std::max({static_cast<std::int64_t>(std::abs(exact)), std::int64_t{1}, magnitude_min});
    return exact > 0 ? size : -size;
}

}  // namespace

bool IsStepPolicy(const Json& configuration) {
    return configuration.contains("AdjustmentType");
}

Result<void> CheckStepPolicy(const Json& configuration) {
    if (!IsStepPolicy(configuration)) return Invalid("StepScalingPolicyConfiguration needs AdjustmentType.");
    const std::string type = configuration["AdjustmentType"].get<std::string>();
    const std::vector<Step> steps = StepsOf(configuration);
    TRY(CheckSteps(steps));
    const bool negative = std::any_of(steps.begin(), steps.end(), [](const Step& each) { return each.adjustment < 0; });
    if (type == "ExactCapacity" && negative) return Invalid("ScalingAdjustment of ExactCapacity must not be negative.");
    if (configuration.contains("MinAdjustmentMagnitude") && type != "PercentChangeInCapacity")
        return Invalid("MinAdjustmentMagnitude is for the adjustment type PercentChangeInCapacity.");
    if (configuration.value("MinAdjustmentMagnitude", std::int64_t{0}) < 0)
        return Invalid("MinAdjustmentMagnitude is negative.");
    if (configuration.value("Cooldown", std::int64_t{0}) < 0) return Invalid("Cooldown is negative.");
    return {};
}

std::optional<std::int64_t> StepCapacity(const Json& configuration, std::int64_t count, double breach, bool above) {
    for (const Step& step : StepsOf(configuration)) {
        const bool holds =
            above ? step.lower <= breach && breach < step.upper : step.lower < breach && breach <= step.upper;
        if (!holds) continue;
        const std::string type = configuration["AdjustmentType"].get<std::string>();
        if (type == "ExactCapacity") return step.adjustment;
        if (type == "ChangeInCapacity") return count + step.adjustment;
        const std::int64_t magnitude_min = configuration.value("MinAdjustmentMagnitude", std::int64_t{0});
        return count + PercentChange(count, step.adjustment, magnitude_min);
    }
    return std::nullopt;
}

}  // namespace espalier::hosting
