#include "learn/column_sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace espalier::learn {

namespace {

constexpr float kWeightMin = 1e-6F;  // kRtEps of xgboost.

}  // namespace

void ColumnSampler::Keep(std::vector<std::uint32_t>& features, float ratio, const DrawStream& stream) const {
    if (ratio >= 1 || features.size() <= 1) return;
    const auto num_kept = std::max<std::size_t>(
        1, static_cast<std::size_t>(static_cast<double>(ratio) * static_cast<double>(features.size())));
    if (!params_.feature_weights.empty()) {
        std::vector<double> keys(num_features_);
        for (const std::uint32_t feature : features) {
            const double weight = std::max(params_.feature_weights[feature], kWeightMin);
            keys[feature] = std::log(stream.Uniform(feature)) / weight;
        }
        std::nth_element(
            features.begin(), features.begin() + static_cast<std::ptrdiff_t>(num_kept) - 1, features.end(),
            [&](std::uint32_t a, std::uint32_t b) { return keys[a] != keys[b] ? keys[a] > keys[b] : a < b; });
        features.resize(num_kept);
        return;
    }
    const auto less = [&](std::uint32_t a, std::uint32_t b) {
        const std::uint64_t key_a = stream.Draw(a);
        const std::uint64_t key_b = stream.Draw(b);
        return key_a != key_b ? key_a < key_b : a < b;
    };
    std::nth_element(features.begin(), features.begin() + static_cast<std::ptrdiff_t>(num_kept) - 1, features.end(),
                     less);
    features.resize(num_kept);
}

std::vector<std::uint8_t> ColumnSampler::MaskOf(std::uint64_t iteration, std::uint64_t tree, std::uint64_t depth,
                                                std::uint64_t node) const {
    std::vector<std::uint32_t> features(num_features_);
    std::iota(features.begin(), features.end(), 0U);
    Keep(features, params_.colsample_bytree, DrawStream(params_.seed, iteration, tree, DrawPurpose::kColumnByTree));
    Keep(features, params_.colsample_bylevel,
         DrawStream(params_.seed, iteration, tree, DrawPurpose::kColumnByLevel, depth));
    Keep(features, params_.colsample_bynode,
         DrawStream(params_.seed, iteration, tree, DrawPurpose::kColumnByNode, node));
    std::vector<std::uint8_t> mask(num_features_, 0);
    for (const std::uint32_t feature : features) mask[feature] = 1;
    return mask;
}

}  // namespace espalier::learn
