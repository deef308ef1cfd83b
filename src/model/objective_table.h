// The objectives whose models can be applied: name, link, and how their parameters stand in a model file.
// Source: contracts/xgboost.md 4.1, 4.2, 5.1 (xgboost/src/objective/*). Thread-safe: constant data.
#pragma once

#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace espalier::model {

/// From the sum of leaves to what Booster.predict returns.
enum class Link {
    kIdentity,
    kSigmoid,
    kExp,
    kHinge,    ///< 1 when the margin is above 0
    kArgmax,   ///< the class with the largest margin
    kSoftmax,  ///< a probability for each class
};

struct ObjectiveInfo {
    std::string_view name;
    Link link;
    /// Name of the object that holds the objective's parameters in a model file; empty if it has none.
    std::string_view param_section;
    /// What a file must say at least, with the values XGBoost starts from.
    std::vector<std::pair<std::string_view, std::string_view>> param_defaults;
};

/// nullptr for an objective this build cannot apply. `reg:linear` is the old name of `reg:squarederror`.
const ObjectiveInfo* FindObjective(std::string_view name);

std::span<const ObjectiveInfo> AllObjectives();

}  // namespace espalier::model
