#include "model/plane_compiler.h"

#include <algorithm>
#include <bit>
#include <tuple>
#include <utility>

namespace espalier::model {
namespace {

// 1.5 MB of planes: they are written once and read a few times for each block of rows.
constexpr std::size_t kPlanesMax = 48'000;

std::size_t Index(std::int32_t node) {
    return static_cast<std::size_t>(node);
}

struct Condition {
    std::uint32_t column;
    float threshold;
    bool default_left;

    auto Key() const { return std::tuple(column, std::bit_cast<std::uint32_t>(threshold), default_left); }
    bool operator<(const Condition& other) const { return Key() < other.Key(); }
    bool operator==(const Condition& other) const { return Key() == other.Key(); }
};

// The depth of a tree that planes can hold; nothing for others.
std::optional<std::size_t> PlaneDepth(const Tree& tree) {
    if (!tree.split_type.empty() || tree.has_leaf_vectors()) return std::nullopt;
    std::size_t deepest = 0;
    std::vector<std::pair<std::int32_t, std::size_t>> open = {{0, 0}};
    while (!open.empty()) {
        auto [node, depth] = open.back();
        open.pop_back();
        if (depth > kernels::kPlaneDepthMax) return std::nullopt;
        deepest = std::max(deepest, depth);
        if (tree.is_leaf(Index(node))) continue;
        open.emplace_back(tree.left_children[Index(node)], depth + 1);
        open.emplace_back(tree.right_children[Index(node)], depth + 1);
    }
    return deepest;
}

}  // namespace

struct PlaneProgram::Building {
    const TreeEnsemble& ensemble;
    const std::function<std::uint32_t(std::uint32_t)>& column_of;
    std::vector<Condition> conditions;  // rising
    std::uint32_t next_plane = 0;       // of the tree at hand

    Condition ConditionOf(const Tree& tree, std::size_t node) const {
        return {column_of(static_cast<std::uint32_t>(tree.split_indices[node])), tree.split_conditions[node],
                tree.default_left[node] != 0};
    }
    std::uint32_t PlaneOf(const Tree& tree, std::size_t node) const {
        auto found = std::lower_bound(conditions.begin(), conditions.end(), ConditionOf(tree, node));
        return static_cast<std::uint32_t>(found - conditions.begin());
    }
};

std::optional<PlaneProgram> PlaneProgram::Compile(const TreeEnsemble& ensemble, std::size_t num_columns,
                                                  const std::function<std::uint32_t(std::uint32_t)>& column_of) {
    Building building{ensemble, column_of, {}, 0};
    for (const Tree& tree : ensemble.trees) {
        if (!PlaneDepth(tree)) return std::nullopt;
        for (std::size_t node = 0; node < tree.num_nodes(); ++node) {
            // Nodes that pruning left behind have no feature.
            if (tree.is_leaf(node) || tree.split_indices[node] == kDeletedNodeMarker) continue;
            if (static_cast<std::uint32_t>(tree.split_indices[node]) >= ensemble.num_feature) continue;
            building.conditions.push_back(building.ConditionOf(tree, node));
        }
    }
    std::sort(building.conditions.begin(), building.conditions.end());
    building.conditions.erase(std::unique(building.conditions.begin(), building.conditions.end()),
                              building.conditions.end());
    if (building.conditions.size() > kPlanesMax) return std::nullopt;
    PlaneProgram program;
    program.first_conditions_.assign(num_columns + 1, 0);
    for (const Condition& condition : building.conditions) {
        program.conditions_.push_back({condition.threshold, condition.default_left});
        ++program.first_conditions_[condition.column + 1];
    }
    for (std::size_t column = 0; column < num_columns; ++column)
        program.first_conditions_[column + 1] += program.first_conditions_[column];
    program.num_planes_ = building.conditions.size();
    for (std::size_t i = 0; i < ensemble.trees.size(); ++i) {
        float weight = ensemble.booster == Booster::kDart ? ensemble.weight_drop[i] : 1.0F;
        program.CompileTree(building, ensemble.trees[i], static_cast<std::uint32_t>(ensemble.tree_info[i]), weight);
    }
    return program;
}

// The plane that tells which way rows at `node` go `bit` levels below the root; nothing where no row still has to
// choose.
std::optional<std::uint32_t> PlaneProgram::BitAt(Building& building, const Tree& tree, std::size_t node,
                                                 std::size_t depth, std::size_t bit) {
    if (tree.is_leaf(node)) return std::nullopt;
    std::uint32_t condition = building.PlaneOf(tree, node);
    if (depth == bit) return condition;
    std::optional<std::uint32_t> right = BitAt(building, tree, Index(tree.right_children[node]), depth + 1, bit);
    std::optional<std::uint32_t> left = BitAt(building, tree, Index(tree.left_children[node]), depth + 1, bit);
    if (!right || !left || *right == *left) return right ? right : left;
    selects_.push_back({building.next_plane, condition, *right, *left});
    return building.next_plane++;
}

void PlaneProgram::CompileTree(Building& building, const Tree& tree, std::uint32_t group, float weight) {
    kernels::PlaneTree compiled{};
    compiled.first_select = static_cast<std::uint32_t>(selects_.size());
    compiled.depth = static_cast<std::uint32_t>(*PlaneDepth(tree));
    compiled.first_leaf = static_cast<std::uint32_t>(leaves_.size());
    compiled.group = group;
    building.next_plane = static_cast<std::uint32_t>(conditions_.size());
    for (std::size_t bit = 0; bit < compiled.depth; ++bit) compiled.bits[bit] = *BitAt(building, tree, 0, 0, bit);
    compiled.num_selects = static_cast<std::uint32_t>(selects_.size()) - compiled.first_select;
    num_planes_ = std::max<std::size_t>(num_planes_, building.next_plane);
    leaves_.resize(leaves_.size() + (std::size_t{1} << compiled.depth));
    for (std::size_t number = 0; number < std::size_t{1} << compiled.depth; ++number) {
        std::size_t node = 0;
        for (std::size_t bit = 0; !tree.is_leaf(node); ++bit) {
            bool right = ((number >> bit) & 1U) != 0;
            node = Index(right ? tree.right_children[node] : tree.left_children[node]);
        }
        leaves_[compiled.first_leaf + number] = weight * tree.split_conditions[node];
    }
    trees_.push_back(compiled);
}

kernels::PlaneForest PlaneProgram::View() const {
    return {first_conditions_.data(),
            conditions_.data(),
            first_conditions_.size() - 1,
            selects_.data(),
            trees_.data(),
            trees_.size(),
            leaves_.data()};
}

}  // namespace espalier::model
