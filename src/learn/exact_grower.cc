// Exact split finding by walking sorted columns (xgboost tree/updater_colmaker.cc; contracts/xgboost.md 4.4).
//
// For data whose features have so many distinct values that a histogram cell for each would not pay; other data take
// TreeGrower's histograms, with the same trees. Steps of a level: a pass over each column, in both directions, with one
// running sum per open node -> best split per node -> rows are sent on. Each costs one visit of every value.
// Memory: see data/sorted_columns.h, and 12 bytes per row.
#include "learn/exact_grower.h"

#include <algorithm>

#include "data/sorted_columns.h"
#include "learn/exact_threshold.h"
#include "learn/feature_filter.h"
#include "learn/growing_tree.h"
#include "learn/tree_gradients.h"
#include "learn/tree_walk.h"

namespace espalier::learn {

namespace {

using kernels::SplitCandidate;
using kernels::WidePair;

constexpr std::int32_t kNoSlot = -1;
constexpr std::size_t kBlockRows = 8192;

struct Candidate {
    SplitCandidate split;
    float threshold = 0;
};

/// The running sum of one open node on the way along a column.
struct Walk {
    WidePair seen;
    float last = 0;
};

class ExactGrower final : public TreeGrower {
  public:
    explicit ExactGrower(const GrowerInput& input)
        : TreeGrower(input, RowPartition(input.train_rows->num_rows(), input.num_trees)),
          params_(input.params),
          num_trees_(input.num_trees),
          columns_(data::SortedColumns::Create(*input.train_rows, input.num_features, input.team)),
          filter_(input.params, input.num_features),
          gradients_(input.params, input.row_segments, num_trees_, 0, columns_.num_rows(), input.team, input.comm) {}

    Result<std::vector<model::Tree>> Grow(std::uint64_t iteration, std::span<const float> grad,
                                          std::span<const float> hess, std::span<const GroupScale> scales) override {
        const std::vector<WidePair> sums = TRY(gradients_.Quantise(iteration, grad, hess, scales));
        std::vector<model::Tree> grown;
        for (std::uint32_t tree = 0; tree < num_trees_; ++tree) {
            GrowingTree growing;
            growing.gain = GainParamsOf(params_, scales[gradients_.SourceOf(tree)], false);
            growing.AddNode(model::kRootParent);
            growing.nodes[0].sum = sums[tree];
            growing.nodes[0].gain = GainOf(growing.gain, params_.monotone_constraints, {}, sums[tree]);
            GrowTree(iteration, tree, growing);
            SetWeights(growing, growing.gain, params_);
            partition_.Place(tree, positions_, growing.nodes.size());
            PlaceEvalRows(tree, growing.tree);
            grown.push_back(std::move(growing.tree));
        }
        return grown;
    }

    bool IsSampled(std::size_t tree, std::size_t row) const override { return gradients_.IsSampled(tree, row); }

  private:
    void GrowTree(std::uint64_t iteration, std::uint32_t tree, GrowingTree& growing) {
        positions_.assign(columns_.num_rows(), 0);
        open_ = {0};
        for (int depth = 0; depth < params_.max_depth && !open_.empty(); ++depth) {
            masks_.clear();
            for (const std::uint32_t node : open_) {
                if (!filter_.filters()) break;
                masks_.push_back(filter_.MaskOf(iteration, tree, growing.tree, node, depth));
            }
            GiveSlots(tree, growing);
            const std::vector<Candidate> best = FindSplits(tree, growing);
            std::vector<std::uint32_t> split;
            std::vector<std::uint32_t> children;
            for (std::size_t slot = 0; slot < open_.size(); ++slot) {
                if (!(best[slot].split.loss_change > kLossChangeMin)) continue;
                const std::uint32_t node = open_[slot];
                growing.nodes[node].best = best[slot].split;
                AddChildren(growing, node, best[slot].threshold, params_.monotone_constraints);
                split.push_back(node);
                children.push_back(static_cast<std::uint32_t>(growing.tree.left_children[node]));
                children.push_back(static_cast<std::uint32_t>(growing.tree.right_children[node]));
            }
            SendRows(growing.tree, split);
            open_ = std::move(children);
        }
    }

    /// slots_[row]: place of the row's node in open_; kNoSlot when it is not open or the row is not sampled.
    void GiveSlots(std::uint32_t tree, const GrowingTree& growing) {
        std::vector<std::int32_t> slot_of_node(growing.nodes.size(), kNoSlot);
        for (std::size_t slot = 0; slot < open_.size(); ++slot) {
            slot_of_node[open_[slot]] = static_cast<std::int32_t>(slot);
        }
        slots_.resize(positions_.size());
        team_.ForBlocks(positions_.size(), kBlockRows, [&](std::size_t begin, std::size_t end, int) {
            for (std::size_t row = begin; row < end; ++row) {
                slots_[row] = gradients_.IsSampled(tree, row) ? slot_of_node[positions_[row]] : kNoSlot;
            }
        });
    }

    std::vector<Candidate> FindSplits(std::uint32_t tree, const GrowingTree& growing) {
        const auto num_workers = static_cast<std::size_t>(team_.num_threads());
        std::vector<std::vector<Candidate>> of_worker(num_workers, std::vector<Candidate>(open_.size()));
        std::vector<std::vector<Walk>> walks(num_workers, std::vector<Walk>(open_.size()));
        team_.ForEach(columns_.num_features(), [&](std::size_t feature, int worker) {
            const auto w = static_cast<std::size_t>(worker);
            ScanColumn(tree, growing, feature, walks[w], of_worker[w]);
        });
        for (std::size_t w = 1; w < num_workers; ++w) {
            for (std::size_t slot = 0; slot < open_.size(); ++slot) {
                if (of_worker[0][slot].split.IsBeatenBy(of_worker[w][slot].split)) {
                    of_worker[0][slot] = of_worker[w][slot];
                }
            }
        }
        return std::move(of_worker[0]);
    }

    void ScanColumn(std::uint32_t tree, const GrowingTree& growing, std::size_t feature, std::vector<Walk>& walks,
                    std::vector<Candidate>& best) const {
        std::vector<Candidate> mine(open_.size());
        bool any_open = false;
        for (std::size_t slot = 0; slot < open_.size(); ++slot) {
            const bool open = masks_.empty() || masks_[slot][feature] != 0;
            // A node that may not use the feature has a bar that nothing passes.
            mine[slot].split.loss_change = open ? kLossChangeMin : std::numeric_limits<float>::infinity();
            mine[slot].split.feature = static_cast<std::uint32_t>(feature);
            any_open = any_open || open;
        }
        const std::span<const data::SortedColumns::Entry> column = columns_.column(feature);
        if (!any_open || column.empty()) return;
        const bool constant = column.front().value == column.back().value;
        if (column.size() < columns_.num_rows() && !constant) {
            WalkColumn<true>(tree, growing, column.data(), column.size(), walks, mine);
        }
        WalkColumn<false>(tree, growing, column.data(), column.size(), walks, mine);
        for (std::size_t slot = 0; slot < open_.size(); ++slot) {
            const SplitCandidate& found = mine[slot].split;
            const bool open = masks_.empty() || masks_[slot][feature] != 0;
            if (open && found.loss_change > kLossChangeMin && best[slot].split.IsBeatenBy(found)) {
                best[slot] = mine[slot];
            }
        }
    }

    template <bool kForward>
    void WalkColumn(std::uint32_t tree, const GrowingTree& growing, const data::SortedColumns::Entry* column,
                    std::size_t size, std::vector<Walk>& walks, std::vector<Candidate>& mine) const {
        std::fill(walks.begin(), walks.end(), Walk{});
        const WidePair* pairs = gradients_.PairsOf(tree);
        for (std::size_t i = 0; i < size; ++i) {
            const data::SortedColumns::Entry& entry = column[kForward ? i : size - 1 - i];
            const std::int32_t slot = slots_[entry.row];
            if (slot == kNoSlot) continue;
            Walk& walk = walks[static_cast<std::size_t>(slot)];
            if (walk.seen.h != 0 && entry.value != walk.last) {
                const float threshold =
                    kForward ? ThresholdBetween(walk.last, entry.value) : ThresholdBetween(entry.value, walk.last);
                Consider<kForward>(growing, static_cast<std::size_t>(slot), walk, threshold, mine);
            }
            walk.seen += pairs[entry.row];
            walk.last = entry.value;
        }
        for (std::size_t slot = 0; slot < open_.size(); ++slot) {
            const Walk& walk = walks[slot];
            if (walk.seen == WidePair{}) continue;
            // All present values on one side, missing ones on the other.
            Consider<kForward>(growing, slot, walk, kForward ? ThresholdAbove(walk.last) : ThresholdBelow(walk.last),
                               mine);
        }
    }

    template <bool kForward>
    void Consider(const GrowingTree& growing, std::size_t slot, const Walk& walk, float threshold,
                  std::vector<Candidate>& mine) const {
        const GrowingNode& node = growing.nodes[open_[slot]];
        SplitCandidate& best = mine[slot].split;
        WidePair left = walk.seen;
        if (!kForward) {
            left = node.sum;
            left -= walk.seen;
        }
        const float loss_change = params_.monotone_constraints.empty()
                                      ? kernels::SplitLossChange(growing.gain, node.sum, node.gain, left)
                                      : kernels::BoundedLossChange(growing.gain, node.bounds,
                                                                   SignOf(params_.monotone_constraints, best.feature),
                                                                   node.sum, node.gain, left);
        if (!(loss_change > best.loss_change)) return;
        best.loss_change = loss_change;
        best.left = left;
        best.default_left = !kForward;
        mine[slot].threshold = threshold;
    }

    /// Rows of the nodes in `split` go on to the children.
    void SendRows(const model::Tree& tree, const std::vector<std::uint32_t>& split) {
        std::vector<std::uint32_t> next = positions_;
        team_.ForBlocks(positions_.size(), kBlockRows, [&](std::size_t begin, std::size_t end, int) {
            for (std::size_t row = begin; row < end; ++row) {
                const std::uint32_t node = positions_[row];
                if (tree.is_leaf(node)) continue;
                next[row] = static_cast<std::uint32_t>(tree.default_left[node] != 0 ? tree.left_children[node]
                                                                                    : tree.right_children[node]);
            }
        });
        std::vector<std::int32_t> features;
        for (const std::uint32_t node : split) features.push_back(tree.split_indices[node]);
        std::sort(features.begin(), features.end());
        features.erase(std::unique(features.begin(), features.end()), features.end());
        // A row is in one node only, so no two features write the same place.
        team_.ForEach(features.size(), [&](std::size_t i, int) {
            for (const data::SortedColumns::Entry& entry : columns_.column(static_cast<std::size_t>(features[i]))) {
                const std::uint32_t node = positions_[entry.row];
                if (tree.is_leaf(node) || tree.split_indices[node] != features[i]) continue;
                next[entry.row] = static_cast<std::uint32_t>(
                    entry.value < tree.split_conditions[node] ? tree.left_children[node] : tree.right_children[node]);
            }
        });
        positions_ = std::move(next);
    }

    const TrainParams params_;
    const std::size_t num_trees_;
    const data::SortedColumns columns_;
    const FeatureFilter filter_;
    TreeGradients<WidePair> gradients_;
    std::vector<std::uint32_t> positions_;          ///< [rows] node of the tree that grows
    std::vector<std::int32_t> slots_;               ///< [rows]
    std::vector<std::uint32_t> open_;               ///< nodes of the level
    std::vector<std::vector<std::uint8_t>> masks_;  ///< [open][features], empty: all
};

}  // namespace

std::unique_ptr<TreeGrower> MakeExactGrower(const GrowerInput& input) {
    return std::make_unique<ExactGrower>(input);
}

}  // namespace espalier::learn
