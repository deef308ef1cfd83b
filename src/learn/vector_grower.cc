#include "learn/vector_grower.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "kernels/vector_split.h"
#include "learn/feature_filter.h"
#include "learn/growing_tree.h"
#include "learn/growth_queue.h"
#include "learn/tile_rows.h"
#include "learn/vector_gradients.h"

namespace espalier::learn {

namespace {

using kernels::GainParams;
using kernels::VectorCandidate;
using kernels::WidePair;

/// What is known of a node beside GrowingTree's.
struct VectorNode {
    std::vector<WidePair> sums;  ///< [targets]
    double gain = 0;
    std::vector<WidePair> left;  ///< [targets] of its best split
    std::int32_t slot = -1;      ///< where its histograms lie
};

/// A node whose histograms are made: from its rows, or from its parent's and its sibling's.
struct Made {
    std::uint32_t node;
    std::uint32_t parent;
    std::uint32_t sibling;   ///< of a split, the other child
    bool subtracts = false;  ///< parent minus sibling, which was made before; else from rows
    bool is_last = true;     ///< of its pair
};

class VectorGrower final : public TreeGrower {
  public:
    explicit VectorGrower(const GrowerInput& input)
        : TreeGrower(input, RowPartition(*input.train, input.num_trees)),
          params_(input.params),
          layout_(*input.layout),
          matrix_(*input.train),
          comm_(input.comm),
          num_trees_(input.num_trees),
          filter_(input.params, layout_.num_features()),
          queue_(input.params),
          gradients_(input.params, input.row_segments, input.num_trees, input.train->num_rows(), input.team,
                     input.comm),
          num_targets_(gradients_.num_targets()) {}

    Result<std::vector<model::Tree>> Grow(std::uint64_t iteration, std::span<const float> grad,
                                          std::span<const float> hess, std::span<const GroupScale> scales) override {
        iteration_ = iteration;
        partition_.Reset();
        for (auto& eval : eval_partitions_) eval.Reset();
        std::vector<model::Tree> grown;
        for (std::uint32_t tree = 0; tree < num_trees_; ++tree) {
            const std::size_t first = gradients_.FirstSourceOf(tree);
            gains_.clear();
            for (std::size_t target = 0; target < num_targets_; ++target) {
                gains_.push_back(GainParamsOf(params_, scales[first + target], false));
            }
            std::vector<WidePair> sums = TRY(gradients_.Quantise(iteration, tree, grad, hess, scales));
            TRY(GrowTree(tree, std::move(sums)));
            SetWeights();
            grown.push_back(std::move(growing_.tree));
        }
        return grown;
    }

    bool IsSampled(std::size_t tree, std::size_t row) const override { return gradients_.IsSampled(tree, row); }

  private:
    Result<void> GrowTree(std::uint32_t tree, std::vector<WidePair> root_sums) {
        tree_ = tree;
        growing_ = {};
        nodes_.clear();
        queue_.Reset(1);
        AddNode(model::kRootParent, std::move(root_sums));
        TRY(MakeAndOpen({{.node = 0, .parent = 0, .sibling = 0}}));
        for (;;) {
            const GrowthQueue::Next next = queue_.Pop(0, growing_);
            for (const std::uint32_t node : next.closed) Release(node);
            if (next.split.empty()) break;
            std::vector<NodeSplit> splits;
            for (const std::uint32_t node : next.split) splits.push_back(Expand(node));
            partition_.Split(splits, team_);
            for (auto& eval : eval_partitions_) eval.Split(splits, team_);
            TRY(OpenChildren(splits));
        }
        for (std::uint32_t node = 0; node < nodes_.size(); ++node) Release(node);
        return {};
    }

    std::uint32_t AddNode(std::int32_t parent, std::vector<WidePair> sums) {
        const std::uint32_t node = growing_.AddNode(parent);
        VectorNode& added = nodes_.emplace_back();
        added.gain = kernels::VectorGain(gains_, sums.data());
        added.sums = std::move(sums);
        return node;
    }

    NodeSplit Expand(std::uint32_t node) {
        const kernels::SplitCandidate best = growing_.nodes[node].best;
        std::vector<WidePair> right = nodes_[node].sums;
        for (std::size_t target = 0; target < num_targets_; ++target) right[target] -= nodes_[node].left[target];
        NodeSplit split;
        split.tree = tree_;
        split.node = node;
        split.feature = best.feature;
        split.bin = best.bin;
        split.default_left = best.default_left;
        split.left = AddNode(static_cast<std::int32_t>(node), std::move(nodes_[node].left));
        split.right = AddNode(static_cast<std::int32_t>(node), std::move(right));
        model::Tree& tree = growing_.tree;
        tree.left_children[node] = static_cast<std::int32_t>(split.left);
        tree.right_children[node] = static_cast<std::int32_t>(split.right);
        tree.split_indices[node] = static_cast<std::int32_t>(best.feature);
        tree.split_conditions[node] = layout_.cuts.ThresholdOf(best.feature, best.bin);
        tree.default_left[node] = best.default_left ? 1 : 0;
        tree.loss_changes[node] = best.loss_change;
        for (const std::uint32_t child : {split.left, split.right}) {
            growing_.nodes[child].depth = growing_.nodes[node].depth + 1;
        }
        return split;
    }

    Result<void> OpenChildren(std::span<const NodeSplit> splits) {
        std::vector<std::int64_t> counts;
        for (const NodeSplit& split : splits) {
            counts.push_back(static_cast<std::int64_t>(partition_.RowsOf(tree_, split.left).size()));
            counts.push_back(static_cast<std::int64_t>(partition_.RowsOf(tree_, split.right).size()));
        }
        TRY(comm_.AllReduceSum(counts));
        std::vector<Made> made;
        for (std::size_t i = 0; i < splits.size(); ++i) {
            const NodeSplit& split = splits[i];
            if (!queue_.MaySplitAt(0, growing_.nodes[split.left].depth)) continue;
            const bool left_first = counts[2 * i] <= counts[2 * i + 1];
            const std::uint32_t lighter = left_first ? split.left : split.right;
            const std::uint32_t heavier = left_first ? split.right : split.left;
            const bool subtracts = nodes_[split.node].slot >= 0;
            made.push_back({.node = lighter, .parent = split.node, .sibling = heavier, .is_last = false});
            made.push_back({.node = heavier, .parent = split.node, .sibling = lighter, .subtracts = subtracts});
        }
        TRY(MakeAndOpen(made));
        for (const NodeSplit& split : splits) Release(split.node);
        return {};
    }

    /// Histograms, best splits, and into the queue. The children of a split follow each other.
    Result<void> MakeAndOpen(const std::vector<Made>& made) {
        for (const Made& node : made) {
            TRY(MakeHistograms(node));
            FindSplit(node.node);
            queue_.Open(0, node.node);
            if (!node.is_last || KeepsHistograms(growing_.nodes[node.node].depth)) continue;
            Release(node.node);
            Release(node.sibling);
        }
        return {};
    }

    /// A node's histograms are needed after its own scan only if its children may be split further, and kept only
    /// within the budget.
    bool KeepsHistograms(int depth) const {
        const std::size_t slot_bytes = num_targets_ * layout_.num_cells() * sizeof(WidePair);
        const std::size_t num_used = slots_.size() - free_slots_.size();
        return (params_.max_depth == 0 || depth + 1 < params_.max_depth) &&
               num_used * slot_bytes <= params_.histogram_bytes_max;
    }

    Result<void> MakeHistograms(const Made& made) {
        VectorNode& node = nodes_[made.node];
        if (made.subtracts) {
            node.slot = std::exchange(nodes_[made.parent].slot, -1);
            WidePair* cells = CellsOf(node.slot);
            const WidePair* sibling = CellsOf(nodes_[made.sibling].slot);
            team_.ForBlocks(num_targets_ * layout_.num_cells(), kBlockCells,
                            [&](std::size_t begin, std::size_t end, int) {
                                for (std::size_t cell = begin; cell < end; ++cell) cells[cell] -= sibling[cell];
                            });
            return {};
        }
        node.slot = Acquire();
        WidePair* cells = CellsOf(node.slot);
        const NodeRows rows = partition_.RowsOf(tree_, made.node);
        const std::size_t num_tiles = layout_.tiles.size();
        team_.ForEach(num_targets_ * num_tiles, [&](std::size_t task, int) {
            const std::size_t target = task / num_tiles;
            const std::size_t tile = task % num_tiles;
            WidePair* const sums = cells + target * layout_.num_cells() + layout_.tiles[tile].cell_begin;
            std::fill_n(sums, layout_.tiles[tile].num_cells(), WidePair{});
            for (const RowPiece& piece : rows.pieces()) {
                AddTileRows(layout_.tiles[tile], matrix_.tile(tile), piece, gradients_.PairsOf(target), sums);
            }
        });
        if (comm_.size() > 1) {
            const std::size_t num_integers = num_targets_ * layout_.num_cells() * 2;
            sent_.assign(reinterpret_cast<const std::int64_t*>(cells),
                         reinterpret_cast<const std::int64_t*>(cells) + num_integers);
            TRY(comm_.AllReduceSum(sent_));
            std::copy(sent_.begin(), sent_.end(), reinterpret_cast<std::int64_t*>(cells));
        }
        FillSkipped(node, cells);
        return {};
    }

    /// The sums of the bins whose entries are not listed, from those of all others.
    void FillSkipped(const VectorNode& node, WidePair* cells) const {
        team_.ForEach(layout_.num_features(), [&](std::size_t feature, int) {
            const std::int32_t skipped = layout_.skipped_bin[feature];
            if (skipped == data::BinLayout::kNothingSkipped) return;
            for (std::size_t target = 0; target < num_targets_; ++target) {
                WidePair* bins = cells + target * layout_.num_cells() + layout_.cell_offsets[feature];
                WidePair rest = node.sums[target];
                for (std::uint32_t bin = 0; bin < layout_.cuts.num_bins(feature); ++bin) rest -= bins[bin];
                bins[skipped] = rest;  // The skipped cell itself is 0 until now.
            }
        });
    }

    void FindSplit(std::uint32_t node_idx) {
        const VectorNode& node = nodes_[node_idx];
        const WidePair* cells = CellsOf(node.slot);
        std::vector<std::uint8_t> mask;
        if (filter_.filters()) {
            mask = filter_.MaskOf(iteration_, tree_, growing_.tree, node_idx, growing_.nodes[node_idx].depth);
        }
        std::vector<VectorCandidate> best(static_cast<std::size_t>(team_.num_threads()));
        team_.ForEach(layout_.num_features(), [&](std::size_t feature, int worker) {
            if (!mask.empty() && mask[feature] == 0) return;
            VectorCandidate candidate;
            kernels::ScanVectorFeature(gains_, cells + layout_.cell_offsets[feature], layout_.num_cells(),
                                       layout_.cuts.num_bins(feature), node.sums.data(), node.gain,
                                       static_cast<std::uint32_t>(feature), candidate);
            VectorCandidate& of_worker = best[static_cast<std::size_t>(worker)];
            if (of_worker.split.IsBeatenBy(candidate.split)) of_worker = std::move(candidate);
        });
        for (VectorCandidate& candidate : best) {
            if (!growing_.nodes[node_idx].best.IsBeatenBy(candidate.split)) continue;
            growing_.nodes[node_idx].best = candidate.split;
            nodes_[node_idx].left = std::move(candidate.left);
        }
    }

    /// As xgboost computes them, some in float: hessians are sums over the targets, a split's those of its sides; inner
    /// nodes have plain weights, leaves times the learning rate.
    void SetWeights() {
        model::Tree& tree = growing_.tree;
        const float eta = params_.eta_of_tree();
        tree.leaf_size = static_cast<std::int32_t>(num_targets_);
        tree.base_weights.assign(tree.num_nodes() * num_targets_, 0);
        tree.parents[0] = -1;
        tree.sum_hessian[0] = HessianOf(0);
        for (std::size_t node = 0; node < tree.num_nodes(); ++node) {
            const bool leaf = tree.is_leaf(node);
            for (std::size_t target = 0; target < num_targets_; ++target) {
                const GainParams& gain = gains_[target];
                const double weight =
                    kernels::UnroundedWeight(gain, static_cast<double>(nodes_[node].sums[target].g) * gain.grad_unit,
                                             static_cast<double>(nodes_[node].sums[target].h) * gain.hess_unit);
                const float plain = static_cast<float>(weight);
                const float learned = node == 0 ? plain * eta : static_cast<float>(weight * static_cast<double>(eta));
                tree.base_weights[node * num_targets_ + target] = leaf ? learned : plain;
                if (leaf) tree.leaf_weights.push_back(learned);
            }
            if (leaf) {
                tree.right_children[node] = static_cast<std::int32_t>(tree.leaf_weights.size() / num_targets_) - 1;
                tree.split_conditions[node] = std::numeric_limits<float>::denorm_min();
                continue;
            }
            const auto left = static_cast<std::size_t>(tree.left_children[node]);
            const auto right = static_cast<std::size_t>(tree.right_children[node]);
            tree.sum_hessian[left] = HessianOf(left);
            tree.sum_hessian[right] = HessianOf(right);
            tree.sum_hessian[node] = tree.sum_hessian[left] + tree.sum_hessian[right];
        }
    }

    float HessianOf(std::size_t node) const {
        float sum = 0;
        for (std::size_t target = 0; target < num_targets_; ++target) {
            const double hess = static_cast<double>(nodes_[node].sums[target].h) * gains_[target].hess_unit;
            sum = node == 0 ? sum + static_cast<float>(hess) : static_cast<float>(static_cast<double>(sum) + hess);
        }
        return sum;
    }

    WidePair* CellsOf(std::int32_t slot) { return slots_[static_cast<std::size_t>(slot)].get(); }

    std::int32_t Acquire() {
        if (free_slots_.empty()) {
            slots_.emplace_back(new WidePair[num_targets_ * layout_.num_cells()]);
            return static_cast<std::int32_t>(slots_.size() - 1);
        }
        const std::int32_t slot = free_slots_.back();
        free_slots_.pop_back();
        return slot;
    }
    void Release(std::uint32_t node) {
        const std::int32_t slot = std::exchange(nodes_[node].slot, -1);
        if (slot >= 0) free_slots_.push_back(slot);
    }

    static constexpr std::size_t kBlockCells = 16'384;

    const TrainParams params_;
    const data::BinLayout& layout_;
    const data::BinnedMatrix& matrix_;
    collective::Comm& comm_;
    const std::size_t num_trees_;
    const FeatureFilter filter_;
    GrowthQueue queue_;
    VectorGradients gradients_;
    const std::size_t num_targets_;
    std::uint64_t iteration_ = 0;
    std::uint32_t tree_ = 0;
    std::vector<GainParams> gains_;  ///< [targets]
    GrowingTree growing_;
    std::vector<VectorNode> nodes_;  ///< beside growing_.nodes
    std::vector<std::unique_ptr<WidePair[]>> slots_;
    std::vector<std::int32_t> free_slots_;
    std::vector<std::int64_t> sent_;
};

}  // namespace

std::unique_ptr<TreeGrower> MakeVectorGrower(const GrowerInput& input) {
    return std::make_unique<VectorGrower>(input);
}

}  // namespace espalier::learn
