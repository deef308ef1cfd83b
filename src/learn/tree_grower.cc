#include "learn/tree_grower.h"

#include <algorithm>
#include <limits>

#include "learn/approx_grower.h"
#include "learn/exact_grower.h"
#include "learn/exact_threshold.h"
#include "learn/feature_filter.h"
#include "learn/growing_tree.h"
#include "learn/growth_queue.h"
#include "learn/histogram_step.h"
#include "learn/replay_grower.h"
#include "learn/row_exchange.h"
#include "learn/tree_gradients.h"
#include "learn/tree_walk.h"
#include "learn/vector_grower.h"

namespace espalier::learn {

namespace {

using kernels::PackedPair;
using kernels::SplitCandidate;
using kernels::WidePair;

constexpr std::uint32_t kNoNode = std::numeric_limits<std::uint32_t>::max();

}  // namespace

template <typename Pair>
class TreeGrowerOf final : public TreeGrower {
  public:
    explicit TreeGrowerOf(const GrowerInput& input)
        : TreeGrower(input, RowPartition(*input.train, input.num_trees)),
          params_(input.params),
          layout_(*input.layout),
          comm_(input.comm),
          first_tree_(input.first_tree),
          num_trees_(input.num_trees),
          filter_(input.params, layout_.num_features()),
          queue_(input.params),
          gradients_(input.params, input.row_segments, num_trees_, first_tree_, input.train->num_rows(), input.team,
                     input.comm),
          exchange_(MakeExchange(input)),
          step_(input.params, layout_, input.categorical, exchange_ == nullptr ? *input.train : exchange_->matrix(),
                exchange_ == nullptr ? RowsOf::kThisRank : RowsOf::kAllRanks, input.team, input.comm) {}

    Result<std::vector<model::Tree>> Grow(std::uint64_t iteration, std::span<const float> grad,
                                          std::span<const float> hess, std::span<const GroupScale> scales) override {
        constexpr bool kPacked = std::is_same_v<Pair, PackedPair>;
        iteration_ = iteration;
        trees_.assign(num_trees_, {});
        queue_.Reset(num_trees_);
        for (std::size_t tree = 0; tree < num_trees_; ++tree) {
            trees_[tree].gain = GainParamsOf(params_, scales[gradients_.SourceOf(tree)], kPacked);
        }
        const std::vector<WidePair> sums = TRY(gradients_.Quantise(iteration, grad, hess, scales));
        if (exchange_ != nullptr) {
            TRY(exchange_->Join());
            TRY(exchange_->SharePairs(gradients_.PairsOf(0)));
        }
        partition_.Reset();
        if (eval_rows_.empty()) {
            for (auto& eval : eval_partitions_) eval.Reset();
        }
        TRY(BuildRoots(sums));
        for (;;) {
            steps_.clear();
            left_categories_.clear();
            for (std::size_t tree = 0; tree < num_trees_; ++tree) Pop(static_cast<std::uint32_t>(tree));
            if (steps_.empty()) break;
            partition_.Split(steps_, team_);
            if (eval_rows_.empty()) {
                for (auto& eval : eval_partitions_) eval.Split(steps_, team_);
            }
            TRY(BuildChildren());
        }
        // Packed sums decide the structure; weights come from sums of all the precision the gradients have.
        if (kPacked) TRY(gradients_.SumFinely(grad, hess, scales, partition_, trees_));
        for (std::size_t tree = 0; tree < num_trees_; ++tree) {
            kernels::GainParams gain = GainParamsOf(params_, scales[gradients_.SourceOf(tree)], false);
            if (kPacked) gain.min_child_weight = 0;  // Settled by the packed sums, which differ by rounding.
            SetWeights(trees_[tree], gain, params_);
            SetCategories(trees_[tree]);
        }
        for (std::uint32_t tree = 0; tree < num_trees_; ++tree) PlaceEvalRows(tree, trees_[tree].tree);
        std::vector<model::Tree> grown;
        for (GrowingTree& growing : trees_) {
            for (const GrowingNode& node : growing.nodes) Release(node.slot);
            grown.push_back(std::move(growing.tree));
        }
        return grown;
    }

    bool IsSampled(std::size_t tree, std::size_t row) const override { return gradients_.IsSampled(tree, row); }

  private:
    static std::unique_ptr<RowExchange<Pair>> MakeExchange(const GrowerInput& input) {
        // Bins that are made for one tree alone are not worth sending.
        if (input.cutting == data::Cutting::kPerTree ||
            !RowsTravel(input.params, *input.layout, input.total_rows, sizeof(Pair), input.comm.size())) {
            return nullptr;
        }
        return std::make_unique<RowExchange<Pair>>(*input.layout, *input.train, input.total_rows, input.num_trees,
                                                   input.comm);
    }

    /// Of the rows that are added up.
    const Pair* PairsOf(std::size_t tree) const {
        return exchange_ == nullptr ? gradients_.PairsOf(tree) : exchange_->PairsOf(tree);
    }

    /// Exact puts it between the values that occur in the node.
    float ThresholdOf(const SplitCandidate& best) const {
        const data::CutPoints& cuts = layout_.cuts;
        if (best.is_categorical) return std::numeric_limits<float>::quiet_NaN();  // As in xgboost: there is none.
        if (params_.tree_method != TreeMethod::kExact) return cuts.ThresholdOf(best.feature, best.bin);
        const auto value_of = [&](std::int32_t bin) {
            return cuts.FirstValueOf(best.feature, static_cast<std::uint32_t>(bin));
        };
        if (best.bin < 0) return ThresholdBelow(value_of(best.next_bin));
        if (best.next_bin == static_cast<std::int32_t>(cuts.num_bins(best.feature))) {
            return ThresholdAbove(value_of(best.bin));
        }
        return ThresholdBetween(value_of(best.bin), value_of(best.next_bin));
    }

    /// A node's histogram is needed after its own scan only if its children may be split further.
    bool KeepsHistogram(int depth) const { return params_.max_depth == 0 || depth + 1 < params_.max_depth; }

    /// -1 when the histograms that are kept already fill the budget.
    std::int32_t Acquire() {
        if (!free_slots_.empty()) {
            const std::int32_t slot = free_slots_.back();
            free_slots_.pop_back();
            return slot;
        }
        const std::size_t slot_bytes = layout_.num_cells() * sizeof(Pair);
        if (!slots_.empty() && (slots_.size() + 1) * slot_bytes > params_.histogram_bytes_max) return -1;
        slots_.push_back(std::make_unique<HistogramSlot<Pair>>(layout_));
        return static_cast<std::int32_t>(slots_.size() - 1);
    }
    void Release(std::int32_t slot) {
        if (slot >= 0) free_slots_.push_back(slot);
    }
    HistogramSlot<Pair>* SlotAt(std::int32_t slot) {
        return slot < 0 ? nullptr : slots_[static_cast<std::size_t>(slot)].get();
    }

    /// Both sides of a split must reach min_child_weight, so a node of less than two of them is a leaf.
    bool IsHeavyEnough(const GrowingTree& growing, std::uint32_t node) const {
        const double hess = static_cast<double>(growing.nodes[node].sum.h) * growing.gain.hess_unit;
        return hess >= 2.0 * static_cast<double>(params_.min_child_weight);
    }

    ScanNode ScanOf(std::uint32_t tree, std::uint32_t node) {
        const GrowingNode& scanned = trees_[tree].nodes[node];
        ScanNode scan;
        scan.is_scanned = IsHeavyEnough(trees_[tree], node);
        scan.sum = scanned.sum;
        scan.gain = scanned.gain;
        scan.bounds = params_.monotone_constraints.empty() ? nullptr : &scanned.bounds;
        if (filter_.filters()) {
            masks_.push_back(filter_.MaskOf(iteration_, first_tree_ + tree, trees_[tree].tree, node, scanned.depth));
            scan.feature_mask = masks_.back().data();
        }
        return scan;
    }

    Result<void> BuildRoots(const std::vector<WidePair>& sums) {
        builds_.clear();
        masks_.clear();
        for (std::uint32_t tree = 0; tree < num_trees_; ++tree) {
            GrowingTree& growing = trees_[tree];
            growing.AddNode(model::kRootParent);
            growing.nodes[0].sum = sums[tree];
            growing.nodes[0].gain = GainOf(growing.gain, params_.monotone_constraints, {}, sums[tree]);
            growing.nodes[0].slot = KeepsHistogram(0) ? Acquire() : -1;
            Build<Pair> build;
            build.rows = exchange_ == nullptr ? partition_.RowsOf(tree, 0) : exchange_->all_rows();
            build.pairs = PairsOf(tree);
            build.gain = &growing.gain;
            build.node = ScanOf(tree, 0);
            build.slot = SlotAt(growing.nodes[0].slot);
            builds_.push_back(build);
        }
        const bool all_kept =
            std::all_of(builds_.begin(), builds_.end(), [](const auto& b) { return b.slot != nullptr; });
        const bool one_sweep = std::is_same_v<Pair, PackedPair> && num_trees_ > 1 && all_kept;
        TRY(one_sweep ? step_.RunRoots(builds_) : RunBuilds());
        for (std::uint32_t tree = 0; tree < num_trees_; ++tree) Open(tree, 0, builds_[tree].node);
        return {};
    }

    void Open(std::uint32_t tree, std::uint32_t node, ScanNode& scanned) {
        trees_[tree].nodes[node].best = scanned.best;
        trees_[tree].nodes[node].right_categories = std::move(scanned.right_categories);
        queue_.Open(tree, node);
    }

    void Pop(std::uint32_t tree) {
        GrowingTree& growing = trees_[tree];
        const GrowthQueue::Next next = queue_.Pop(tree, growing);
        for (const std::uint32_t node : next.closed) Release(std::exchange(growing.nodes[node].slot, -1));
        for (const std::uint32_t node : next.split) Expand(tree, node);
    }

    void Expand(std::uint32_t tree, std::uint32_t node) {
        GrowingTree& growing = trees_[tree];
        const SplitCandidate& best = growing.nodes[node].best;
        NodeSplit split;
        split.tree = tree;
        split.node = node;
        split.feature = best.feature;
        split.bin = best.bin;
        split.default_left = best.default_left;
        if (best.is_categorical) split.left_categories = LeftCategories(growing.nodes[node]);
        AddChildren(growing, node, ThresholdOf(best), params_.monotone_constraints);
        split.left = static_cast<std::uint32_t>(growing.tree.left_children[node]);
        split.right = static_cast<std::uint32_t>(growing.tree.right_children[node]);
        steps_.push_back(split);
    }

    const std::uint8_t* LeftCategories(const GrowingNode& node) {
        std::vector<std::uint8_t>& left = left_categories_.emplace_back(layout_.cuts.num_bins(node.best.feature), 1);
        for (const std::uint32_t category : node.right_categories) left[category] = 0;
        return left.data();
    }

    /// Where sums travel, those of all builds of a call do so at once: in batches that, sent and received, fit the
    /// budget.
    Result<void> RunBuilds() {
        const std::size_t in_budget = params_.histogram_bytes_max / (2 * layout_.num_cells() * sizeof(Pair));
        const bool sums_travel = comm_.size() > 1 && exchange_ == nullptr;
        const std::size_t batch = sums_travel ? std::max<std::size_t>(1, in_budget) : builds_.size();
        for (std::size_t begin = 0; begin < builds_.size(); begin += batch) {
            TRY(step_.Run(std::span(builds_).subspan(begin, std::min(batch, builds_.size() - begin))));
        }
        return {};
    }

    /// `node` is added up from its rows; `sibling`, unless kNoNode, follows by subtraction from the parent. A node
    /// that is too light to be split is not scanned, but may have to be added up for its sibling.
    void AddBuild(std::uint32_t tree, std::uint32_t node, std::uint32_t sibling, std::uint32_t parent_idx) {
        GrowingTree& growing = trees_[tree];
        GrowingNode& parent = growing.nodes[parent_idx];
        Build<Pair> build;
        build.rows = partition_.RowsOf(tree, node);
        build.pairs = PairsOf(tree);
        build.gain = &growing.gain;
        build.node = ScanOf(tree, node);
        const bool keeps = KeepsHistogram(growing.nodes[node].depth);
        if (keeps && build.node.is_scanned) growing.nodes[node].slot = Acquire();
        build.slot = SlotAt(growing.nodes[node].slot);
        if (sibling != kNoNode && IsHeavyEnough(growing, sibling)) {
            build.sibling = ScanOf(tree, sibling);
            build.parent_slot = SlotAt(parent.slot);
            build.keeps_sibling = keeps;
            if (keeps) growing.nodes[sibling].slot = std::exchange(parent.slot, -1);
        }
        builds_.push_back(build);
        built_.push_back({tree, node, sibling, parent_idx});
    }

    /// Rows of all ranks in the left and the right child of each step.
    Result<std::vector<std::int64_t>> CountChildren() {
        std::vector<std::int64_t> counts;
        for (const NodeSplit& split : steps_) {
            counts.push_back(static_cast<std::int64_t>(partition_.RowsOf(split.tree, split.left).size()));
            counts.push_back(static_cast<std::int64_t>(partition_.RowsOf(split.tree, split.right).size()));
        }
        TRY(comm_.AllReduceSum(counts));
        return counts;
    }

    Result<void> BuildChildren() {
        builds_.clear();
        built_.clear();
        masks_.clear();
        masks_.reserve(2 * steps_.size());
        const std::vector<std::int64_t> counts = TRY(CountChildren());
        for (std::size_t i = 0; i < steps_.size(); ++i) {
            const NodeSplit& split = steps_[i];
            GrowingTree& growing = trees_[split.tree];
            GrowingNode& parent = growing.nodes[split.node];
            const bool scans_left = IsHeavyEnough(growing, split.left);
            const bool scans_right = IsHeavyEnough(growing, split.right);
            if (!queue_.MaySplitAt(split.tree, parent.depth + 1) || (!scans_left && !scans_right)) {
                Release(std::exchange(parent.slot, -1));
                continue;
            }
            if (parent.slot < 0) {
                // No histogram to subtract from: both are added up.
                if (scans_left) AddBuild(split.tree, split.left, kNoNode, split.node);
                if (scans_right) AddBuild(split.tree, split.right, kNoNode, split.node);
            } else if (counts[2 * i] <= counts[2 * i + 1]) {
                AddBuild(split.tree, split.left, split.right, split.node);
            } else {
                AddBuild(split.tree, split.right, split.left, split.node);
            }
        }
        if (exchange_ != nullptr) TRY(exchange_->ShareRows(builds_));
        TRY(RunBuilds());
        for (std::size_t i = 0; i < builds_.size(); ++i) {
            Open(built_[i].tree, built_[i].node, builds_[i].node);
            if (built_[i].sibling != kNoNode) Open(built_[i].tree, built_[i].sibling, builds_[i].sibling);
            Release(std::exchange(trees_[built_[i].tree].nodes[built_[i].parent].slot, -1));
        }
        return {};
    }

    struct Built {
        std::uint32_t tree;
        std::uint32_t node;
        std::uint32_t sibling;  ///< kNoNode: added up by a build of its own
        std::uint32_t parent;
    };

    const TrainParams params_;
    const data::BinLayout& layout_;
    collective::Comm& comm_;
    const std::size_t first_tree_;
    const std::size_t num_trees_;
    const FeatureFilter filter_;
    GrowthQueue queue_;
    TreeGradients<Pair> gradients_;
    const std::unique_ptr<RowExchange<Pair>> exchange_;  ///< null: own rows are added up
    HistogramStep<Pair> step_;
    std::uint64_t iteration_ = 0;
    std::vector<GrowingTree> trees_;
    std::vector<NodeSplit> steps_;
    std::vector<std::vector<std::uint8_t>> left_categories_;  ///< of the categorical splits among steps_
    std::vector<Build<Pair>> builds_;
    std::vector<Built> built_;
    std::vector<std::vector<std::uint8_t>> masks_;
    std::vector<std::unique_ptr<HistogramSlot<Pair>>> slots_;
    std::vector<std::int32_t> free_slots_;
};

TreeGrower::TreeGrower(const GrowerInput& input, RowPartition train)
    : eval_rows_(input.eval_rows.begin(), input.eval_rows.end()), team_(input.team), partition_(std::move(train)) {
    for (const data::BinnedMatrix* eval : input.evals) eval_partitions_.emplace_back(*eval, input.num_trees);
    for (const data::FeatureRows* rows : eval_rows_) eval_partitions_.emplace_back(rows->num_rows(), input.num_trees);
}

void TreeGrower::MoveLeaves(std::uint32_t tree, std::span<const std::uint32_t> leaf_of, std::size_t num_nodes) {
    partition_.MoveLeaves(tree, leaf_of, num_nodes);
    for (RowPartition& eval : eval_partitions_) eval.MoveLeaves(tree, leaf_of, num_nodes);
}

void TreeGrower::PlaceEvalRows(std::uint32_t number, const model::Tree& tree) {
    for (std::size_t i = 0; i < eval_rows_.size(); ++i) {
        eval_partitions_[i].Place(number, FindLeaves(tree, *eval_rows_[i], team_), tree.num_nodes());
    }
}

std::unique_ptr<TreeGrower> TreeGrower::Create(const GrowerInput& input) {
    if (input.replayed != nullptr) return MakeReplayGrower(input);
    if (input.params.vector_leaves) return MakeVectorGrower(input);
    switch (input.cutting) {
        case data::Cutting::kPerTree:
            return MakeApproxGrower(input);
        case data::Cutting::kNever:
            return MakeExactGrower(input);
        case data::Cutting::kOnce:
            break;
    }
    return MakeHistogramGrower(input);
}

std::unique_ptr<TreeGrower> MakeHistogramGrower(const GrowerInput& input) {
    HistogramWidth width = input.params.histogram_width;
    // exact tells by a cell's sums whether any row of the node is in it: none may be rounded away.
    if (input.params.tree_method == TreeMethod::kExact) width = HistogramWidth::kWide;
    if (width == HistogramWidth::kAuto) {
        width = input.total_rows <= kWideRowsMax || input.total_rows > kPackedRowsMax ? HistogramWidth::kWide
                                                                                      : HistogramWidth::kPacked;
    }
    if (width == HistogramWidth::kWide) return std::make_unique<TreeGrowerOf<WidePair>>(input);
    return std::make_unique<TreeGrowerOf<PackedPair>>(input);
}

}  // namespace espalier::learn
