// Which features a node may split on: colsample_bytree, then _bylevel, then _bynode, each of the rest.
//
// From m features, max(1, int(ratio * m)) are kept: those with the smallest random keys (learn/random.h). A sample is
// a function of (seed, iteration, tree, level or node) alone. Features without any cut are candidates too, as in
// xgboost. With feature weights the keys are log(u) / weight and the greatest are kept (Efraimidis and Spirakis, 2006),
// so a feature's chance grows with its weight. Thread-compatible.
#pragma once

#include <cstdint>
#include <vector>

#include "learn/random.h"
#include "learn/train_params.h"

namespace espalier::learn {

class ColumnSampler {
  public:
    ColumnSampler(const TrainParams& params, std::size_t num_features) : params_(params), num_features_(num_features) {}

    bool samples() const {
        return params_.colsample_bytree < 1 || params_.colsample_bylevel < 1 || params_.colsample_bynode < 1;
    }

    /// [features] 1 where the node may split on the feature.
    std::vector<std::uint8_t> MaskOf(std::uint64_t iteration, std::uint64_t tree, std::uint64_t depth,
                                     std::uint64_t node) const;

  private:
    void Keep(std::vector<std::uint32_t>& features, float ratio, const DrawStream& stream) const;

    TrainParams params_;
    std::size_t num_features_;
};

}  // namespace espalier::learn
