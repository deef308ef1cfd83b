// The inner parts of learn/objective_table.cc: one maker per objective, grouped as the files are. params.objective is
// the maker's own name.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <span>
#include <string>

#include "learn/objective.h"

namespace espalier::learn {

using ObjectiveMaker = std::unique_ptr<Objective> (*)(const TrainParams& params);

// regression.cc
std::unique_ptr<Objective> MakeSquaredError(const TrainParams& params);
std::unique_ptr<Objective> MakeSquaredLogError(const TrainParams& params);
std::unique_ptr<Objective> MakePseudoHuber(const TrainParams& params);
std::unique_ptr<Objective> MakeGamma(const TrainParams& params);
std::unique_ptr<Objective> MakeTweedie(const TrainParams& params);
std::unique_ptr<Objective> MakePoisson(const TrainParams& params);
// classification.cc
std::unique_ptr<Objective> MakeLogistic(const TrainParams& params);
std::unique_ptr<Objective> MakeHinge(const TrainParams& params);
std::unique_ptr<Objective> MakeSoftmax(const TrainParams& params);
// quantile.cc
std::unique_ptr<Objective> MakeQuantileError(const TrainParams& params);
// survival.cc
std::unique_ptr<Objective> MakeCox(const TrainParams& params);
std::unique_ptr<Objective> MakeAft(const TrainParams& params);
// ranking.cc
std::unique_ptr<Objective> MakeLambdaRank(const TrainParams& params);

/// A float as xgboost writes parameters into model files: nine significant digits.
inline std::string ParamText(float value) {
    return fmt::format("{:.9g}", value);
}

template <typename Allowed>
std::size_t FirstWhereNot(std::span<const float> labels, Allowed allowed) {
    return static_cast<std::size_t>(std::find_if_not(labels.begin(), labels.end(), allowed) - labels.begin());
}

}  // namespace espalier::learn
