// How much a model makes of each feature. Thread-safe: pure functions.
// Source: xgboost's Booster.get_score; compared by tests/parity/test_explain.py.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>

#include "base/result.h"
#include "model/tree_ensemble.h"

namespace espalier::model {

struct Importance {
    std::uint64_t weight = 0;  ///< splits on the feature
    double total_gain = 0;     ///< their loss reductions
    double total_cover = 0;    ///< their sums of hessians

    double gain() const { return total_gain / static_cast<double>(weight); }
    double cover() const { return total_cover / static_cast<double>(weight); }
    /// By stock's name: weight, gain, cover, total_gain or total_cover.
    double by(std::string_view name) const;
};

/// Of every feature that a split uses; empty for gblinear.
std::map<std::int32_t, Importance> FeatureImportances(const TreeEnsemble& ensemble);

}  // namespace espalier::model
