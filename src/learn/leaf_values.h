// The values of a leaf, of which a tree of several targets has one per target. Pure functions.
#pragma once

#include <span>

#include "model/tree_ensemble.h"

namespace espalier::learn {

/// [leaf_size] of the leaf `node`.
inline std::span<float> LeafValuesOf(model::Tree& tree, std::size_t node) {
    if (!tree.has_leaf_vectors()) return {&tree.split_conditions[node], 1};
    const auto size = static_cast<std::size_t>(tree.leaf_size);
    return {tree.leaf_weights.data() + static_cast<std::size_t>(tree.right_children[node]) * size, size};
}
inline std::span<const float> LeafValuesOf(const model::Tree& tree, std::size_t node) {
    return LeafValuesOf(const_cast<model::Tree&>(tree), node);
}

}  // namespace espalier::learn
