#include "learn/feature_filter.h"

#include <algorithm>

namespace espalier::learn {

FeatureFilter::FeatureFilter(const TrainParams& params, std::size_t num_features) : sampler_(params, num_features) {
    for (const auto& set : params.interaction_constraints) {
        std::vector<std::uint8_t>& members = constraints_.emplace_back(num_features, 0);
        for (const std::uint32_t feature : set) {
            if (feature < num_features) members[feature] = 1;
        }
    }
}

std::vector<std::uint8_t> FeatureFilter::MaskOf(std::uint64_t iteration, std::uint64_t tree_idx,
                                                const model::Tree& tree, std::size_t node, int depth) const {
    std::vector<std::uint8_t> mask = sampler_.MaskOf(iteration, tree_idx, static_cast<std::uint64_t>(depth), node);
    if (!constraints_.empty() && node > 0) KeepWhatMayMeet(tree, node, mask);
    return mask;
}

void FeatureFilter::KeepWhatMayMeet(const model::Tree& tree, std::size_t node, std::vector<std::uint8_t>& mask) const {
    std::vector<std::size_t> path;
    while (node > 0) {
        node = static_cast<std::size_t>(tree.parents[node]);
        path.push_back(static_cast<std::size_t>(tree.split_indices[node]));
    }
    std::vector<std::uint8_t> may_meet(mask.size(), 0);
    for (const std::size_t feature : path) may_meet[feature] = 1;
    for (const auto& members : constraints_) {
        if (!std::all_of(path.begin(), path.end(), [&](std::size_t feature) { return members[feature] != 0; }))
            continue;
        for (std::size_t feature = 0; feature < mask.size(); ++feature) may_meet[feature] |= members[feature];
    }
    for (std::size_t feature = 0; feature < mask.size(); ++feature) mask[feature] &= may_meet[feature];
}

}  // namespace espalier::learn
