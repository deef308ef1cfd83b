#include "learn/tree_grower.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "kernels/split_scan.h"
#include "learn/column_sampler.h"
#include "learn/histogram_step.h"
#include "learn/random.h"

namespace espalier::learn {

namespace {

using kernels::GainParams;
using kernels::PackedPair;
using kernels::SplitCandidate;
using kernels::WidePair;

constexpr std::size_t kBlockRows = 8192;
constexpr float kLossChangeMin = 1e-6F;  // kRtEps of xgboost
constexpr std::uint32_t kNoNode = std::numeric_limits<std::uint32_t>::max();
constexpr std::int32_t kNoParent = std::numeric_limits<std::int32_t>::max();

struct Node {
    WidePair sum;  ///< in histogram units
    int depth = 0;
    float gain = 0;
    float base_weight = 0;
    SplitCandidate best;
    std::int32_t slot = -1;
};

struct GrowingTree {
    model::Tree tree;
    std::vector<Node> nodes;
    std::vector<std::uint32_t> open;  ///< scanned, not yet split or given up; rising
    int num_leaves = 1;
    GainParams gain;
};

std::uint32_t AddNode(GrowingTree& growing, std::int32_t parent) {
    model::Tree& tree = growing.tree;
    tree.left_children.push_back(-1);
    tree.right_children.push_back(-1);
    tree.parents.push_back(parent);
    tree.split_indices.push_back(0);
    tree.split_conditions.push_back(0);
    tree.default_left.push_back(0);
    tree.base_weights.push_back(0);
    tree.loss_changes.push_back(0);
    tree.sum_hessian.push_back(0);
    growing.nodes.emplace_back();
    return static_cast<std::uint32_t>(tree.num_nodes() - 1);
}

}  // namespace

template <typename Pair>
class TreeGrowerOf final : public TreeGrower {
  public:
    explicit TreeGrowerOf(const GrowerInput& input)
        : params_(input.params),
          layout_(input.layout),
          team_(input.team),
          comm_(input.comm),
          row_segments_(input.row_segments.begin(), input.row_segments.end()),
          num_trees_(static_cast<std::size_t>(input.params.trees_per_round())),
          num_rows_(input.train.num_rows()),
          sampler_(input.params, input.layout.num_features()),
          partition_(input.train, num_trees_),
          step_(input.layout, input.train, input.team, input.comm),
          pairs_(num_trees_ * num_rows_) {
        for (const data::BinnedMatrix* eval : input.evals) {
            eval_partitions_.push_back(std::make_unique<RowPartition>(*eval, num_trees_));
        }
        if (params_.subsample < 1) sampled_.resize(num_trees_ * num_rows_);
    }

    Result<std::vector<model::Tree>> Grow(std::uint64_t iteration, std::span<const float> grad,
                                          std::span<const float> hess, std::span<const GroupScale> scales) override {
        iteration_ = iteration;
        trees_.assign(num_trees_, {});
        for (std::size_t tree = 0; tree < num_trees_; ++tree) SetGain(trees_[tree].gain, scales[GroupOf(tree)]);
        const std::vector<WidePair> sums = TRY(Quantise(grad, hess, scales));
        partition_.Reset(team_);
        for (auto& eval : eval_partitions_) eval->Reset(team_);
        TRY(BuildRoots(sums));
        for (;;) {
            steps_.clear();
            for (std::size_t tree = 0; tree < num_trees_; ++tree) Pop(static_cast<std::uint32_t>(tree));
            if (steps_.empty()) break;
            partition_.Split(steps_, team_);
            for (auto& eval : eval_partitions_) eval->Split(steps_, team_);
            TRY(BuildChildren());
        }
        if constexpr (std::is_same_v<Pair, PackedPair>) {
            TRY(SetWeightsFromFineSums(grad, hess, scales));
        } else {
            for (GrowingTree& growing : trees_) {
                for (std::size_t node = 0; node < growing.nodes.size(); ++node) {
                    const WidePair sum = growing.nodes[node].sum;
                    SetWeights(growing, node, static_cast<double>(sum.g) * growing.gain.grad_unit,
                               static_cast<double>(sum.h) * growing.gain.hess_unit, growing.gain);
                }
            }
        }
        std::vector<model::Tree> grown;
        for (GrowingTree& growing : trees_) {
            for (const Node& node : growing.nodes) Release(node.slot);
            grown.push_back(std::move(growing.tree));
        }
        return grown;
    }

    const RowPartition& train_partition() const override { return partition_; }
    const RowPartition& eval_partition(std::size_t eval) const override { return *eval_partitions_[eval]; }

  private:
    std::size_t GroupOf(std::size_t tree) const { return tree / static_cast<std::size_t>(params_.num_parallel_tree); }

    void SetGain(GainParams& gain, const GroupScale& scale) const {
        gain.lambda = params_.lambda;
        gain.alpha = params_.alpha;
        gain.max_delta_step = params_.max_delta_step;
        gain.min_child_weight = params_.min_child_weight;
        // Splits must change the loss by more than kRtEps and by at least gamma.
        gain.loss_change_floor = std::max(kLossChangeMin, std::nextafter(params_.gamma, 0.0F));
        constexpr bool kPacked = std::is_same_v<Pair, PackedPair>;
        gain.grad_unit = kPacked ? scale.packed_grad_unit() : scale.fine_grad_unit();
        gain.hess_unit = kPacked ? scale.packed_hess_unit() : scale.fine_hess_unit();
    }

    /// Marks the rows a tree is grown on; the others weigh nothing but still end in a leaf.
    void SampleRows(std::size_t tree, std::size_t begin, std::size_t end) {
        const DrawStream stream(params_.seed, iteration_, tree, DrawPurpose::kRow);
        std::uint8_t* sampled = sampled_.data() + tree * num_rows_;
        auto segment = std::upper_bound(row_segments_.begin(), row_segments_.end(), begin,
                                        [](std::size_t row, const RowSegment& s) { return row < s.local_begin; });
        for (std::size_t row = begin; row < end; ++row) {
            while (segment != row_segments_.end() && segment->local_begin <= row) ++segment;
            const RowSegment& mine = *(segment - 1);
            const std::uint64_t identity = mine.global_begin + (row - mine.local_begin);
            sampled[row] = stream.Uniform(identity) < static_cast<double>(params_.subsample) ? 1 : 0;
        }
    }

    /// Integer pairs of every tree and row, and each tree's sum over all ranks.
    Result<std::vector<WidePair>> Quantise(std::span<const float> grad, std::span<const float> hess,
                                           std::span<const GroupScale> scales) {
        const std::size_t num_blocks = (num_rows_ + kBlockRows - 1) / kBlockRows;
        std::vector<std::int64_t> sums(static_cast<std::size_t>(team_.num_threads()) * num_trees_ * 2, 0);
        team_.ForEach(num_trees_ * num_blocks, [&](std::size_t task, int worker) {
            const std::size_t tree = task / num_blocks;
            const std::size_t begin = task % num_blocks * kBlockRows;
            const std::size_t end = std::min(begin + kBlockRows, num_rows_);
            const GroupScale& scale = scales[GroupOf(tree)];
            const double grad_units = std::ldexp(1.0, scale.grad_exponent);
            const double hess_units = std::ldexp(1.0, scale.hess_exponent);
            const std::size_t base = GroupOf(tree) * num_rows_;
            if (params_.subsample < 1) SampleRows(tree, begin, end);
            WidePair sum;
            for (std::size_t row = begin; row < end; ++row) {
                std::int64_t g = ToFine(grad[base + row], grad_units);
                std::int64_t h = ToFine(hess[base + row], hess_units);
                if (params_.subsample < 1 && sampled_[tree * num_rows_ + row] == 0) g = h = 0;
                if constexpr (std::is_same_v<Pair, PackedPair>) {
                    g = Shifted(g, scale.grad_shift);
                    h = Shifted(h, scale.hess_shift);
                    pairs_[tree * num_rows_ + row] = kernels::Pack(g, h);
                } else {
                    pairs_[tree * num_rows_ + row] = {g, h};
                }
                sum.g += g;
                sum.h += h;
            }
            std::int64_t* slot = &sums[(static_cast<std::size_t>(worker) * num_trees_ + tree) * 2];
            slot[0] += sum.g;
            slot[1] += sum.h;
        });
        std::vector<std::int64_t> totals(num_trees_ * 2, 0);
        for (std::size_t i = 0; i < sums.size(); ++i) totals[i % totals.size()] += sums[i];
        TRY(comm_.AllReduceSum(totals));
        std::vector<WidePair> roots(num_trees_);
        for (std::size_t tree = 0; tree < num_trees_; ++tree) roots[tree] = {totals[2 * tree], totals[2 * tree + 1]};
        return roots;
    }

    void InitNode(GrowingTree& growing, std::uint32_t node, WidePair sum, int depth) {
        Node& init = growing.nodes[node];
        init.sum = sum;
        init.depth = depth;
        init.gain = kernels::NodeGain(growing.gain, static_cast<double>(sum.g) * growing.gain.grad_unit,
                                      static_cast<double>(sum.h) * growing.gain.hess_unit);
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
        const std::size_t slot_bytes = step_.num_cells() * sizeof(Pair);
        if (!slots_.empty() && (slots_.size() + 1) * slot_bytes > params_.histogram_bytes_max) return -1;
        slots_.emplace_back(new Pair[step_.num_cells()]);
        return static_cast<std::int32_t>(slots_.size() - 1);
    }
    void Release(std::int32_t slot) {
        if (slot >= 0) free_slots_.push_back(slot);
    }
    Pair* SlotData(std::int32_t slot) { return slot < 0 ? nullptr : slots_[static_cast<std::size_t>(slot)].get(); }

    ScanNode ScanOf(std::uint32_t tree, std::uint32_t node) {
        const Node& scanned = trees_[tree].nodes[node];
        ScanNode scan;
        scan.sum = scanned.sum;
        scan.gain = scanned.gain;
        if (sampler_.samples()) {
            masks_.push_back(sampler_.MaskOf(iteration_, tree, static_cast<std::uint64_t>(scanned.depth), node));
            scan.feature_mask = masks_.back().data();
        }
        return scan;
    }

    Result<void> BuildRoots(const std::vector<WidePair>& sums) {
        builds_.clear();
        masks_.clear();
        for (std::uint32_t tree = 0; tree < num_trees_; ++tree) {
            GrowingTree& growing = trees_[tree];
            AddNode(growing, kNoParent);
            InitNode(growing, 0, sums[tree], 0);
            growing.nodes[0].slot = KeepsHistogram(0) ? Acquire() : -1;
            Build<Pair> build;
            build.rows = partition_.RowsOf(tree, 0);
            build.pairs = pairs_.data() + tree * num_rows_;
            build.gain = &growing.gain;
            build.node = ScanOf(tree, 0);
            build.slot = SlotData(growing.nodes[0].slot);
            builds_.push_back(build);
        }
        const bool all_kept =
            std::all_of(builds_.begin(), builds_.end(), [](const auto& b) { return b.slot != nullptr; });
        const bool one_sweep = std::is_same_v<Pair, PackedPair> && num_trees_ > 1 && all_kept;
        TRY(one_sweep ? step_.RunRoots(builds_) : RunBuilds());
        for (std::uint32_t tree = 0; tree < num_trees_; ++tree) Open(tree, 0, builds_[tree].node.best);
        return {};
    }

    void Open(std::uint32_t tree, std::uint32_t node, const SplitCandidate& best) {
        trees_[tree].nodes[node].best = best;
        trees_[tree].open.push_back(node);
    }

    bool MaySplit(const GrowingTree& growing, const Node& node) const {
        if (!(node.best.loss_change > kLossChangeMin) || node.best.loss_change < params_.gamma) return false;
        if (params_.max_depth > 0 && node.depth >= params_.max_depth) return false;
        return params_.max_leaves == 0 || growing.num_leaves < params_.max_leaves;
    }

    /// Takes the next nodes of a tree, as xgboost's driver orders them, and gives them children.
    void Pop(std::uint32_t tree) {
        GrowingTree& growing = trees_[tree];
        if (params_.grow_policy == GrowPolicy::kDepthwise) {
            std::sort(growing.open.begin(), growing.open.end());
            const std::vector<std::uint32_t> level = std::exchange(growing.open, {});
            for (const std::uint32_t node : level) {
                if (MaySplit(growing, growing.nodes[node])) {
                    Expand(tree, node);
                } else {
                    Release(std::exchange(growing.nodes[node].slot, -1));
                }
            }
            return;
        }
        const auto best = std::max_element(growing.open.begin(), growing.open.end(), [&](auto a, auto b) {
            const float loss_a = growing.nodes[a].best.loss_change;
            const float loss_b = growing.nodes[b].best.loss_change;
            return loss_a != loss_b ? loss_a < loss_b : a > b;
        });
        if (best == growing.open.end()) return;
        const std::uint32_t node = *best;
        growing.open.erase(best);
        if (MaySplit(growing, growing.nodes[node])) {
            Expand(tree, node);
        } else {
            growing.open.clear();  // All others change the loss less, or the leaves are used up.
        }
    }

    void Expand(std::uint32_t tree, std::uint32_t node) {
        GrowingTree& growing = trees_[tree];
        ++growing.num_leaves;
        const SplitCandidate best = growing.nodes[node].best;
        const WidePair sum = growing.nodes[node].sum;
        const int depth = growing.nodes[node].depth;
        const std::uint32_t left = AddNode(growing, static_cast<std::int32_t>(node));
        const std::uint32_t right = AddNode(growing, static_cast<std::int32_t>(node));
        model::Tree& out = growing.tree;
        out.left_children[node] = static_cast<std::int32_t>(left);
        out.right_children[node] = static_cast<std::int32_t>(right);
        out.split_indices[node] = static_cast<std::int32_t>(best.feature);
        out.default_left[node] = best.default_left ? 1 : 0;
        out.loss_changes[node] = best.loss_change;
        out.split_conditions[node] =
            best.bin < 0
                ? layout_.cuts.min_values[best.feature]
                : layout_.cuts.values[layout_.cuts.offsets[best.feature] + static_cast<std::uint32_t>(best.bin)];
        InitNode(growing, left, best.left, depth + 1);
        InitNode(growing, right, {sum.g - best.left.g, sum.h - best.left.h}, depth + 1);
        steps_.push_back({.tree = tree,
                          .node = node,
                          .left = left,
                          .right = right,
                          .feature = best.feature,
                          .bin = best.bin,
                          .default_left = best.default_left});
    }

    /// With several ranks the sums of all builds of a call travel at once: in batches that fit the budget.
    Result<void> RunBuilds() {
        const std::size_t in_budget = params_.histogram_bytes_max / (step_.num_cells() * sizeof(Pair));
        const std::size_t batch = comm_.size() == 1 ? builds_.size() : std::max<std::size_t>(1, in_budget);
        for (std::size_t begin = 0; begin < builds_.size(); begin += batch) {
            TRY(step_.Run(std::span(builds_).subspan(begin, std::min(batch, builds_.size() - begin))));
        }
        return {};
    }

    /// `node` is added up from its rows; `sibling`, unless kNoNode, follows by subtraction from the parent.
    void AddBuild(std::uint32_t tree, std::uint32_t node, std::uint32_t sibling, std::uint32_t parent_idx) {
        GrowingTree& growing = trees_[tree];
        Node& parent = growing.nodes[parent_idx];
        Build<Pair> build;
        build.rows = partition_.RowsOf(tree, node);
        build.pairs = pairs_.data() + tree * num_rows_;
        build.gain = &growing.gain;
        build.node = ScanOf(tree, node);
        if (KeepsHistogram(growing.nodes[node].depth)) growing.nodes[node].slot = Acquire();
        build.slot = SlotData(growing.nodes[node].slot);
        if (sibling != kNoNode) {
            build.sibling = ScanOf(tree, sibling);
            build.parent_slot = SlotData(parent.slot);
            if (build.slot != nullptr) growing.nodes[sibling].slot = std::exchange(parent.slot, -1);
        }
        builds_.push_back(build);
        built_.push_back({tree, node, sibling, parent_idx});
    }

    Result<void> BuildChildren() {
        builds_.clear();
        built_.clear();
        masks_.clear();
        masks_.reserve(2 * steps_.size());
        for (const NodeSplit& split : steps_) {
            GrowingTree& growing = trees_[split.tree];
            Node& parent = growing.nodes[split.node];
            const bool children_may_split = (params_.max_depth == 0 || parent.depth + 1 < params_.max_depth) &&
                                            (params_.max_leaves == 0 || growing.num_leaves < params_.max_leaves);
            if (!children_may_split) {
                Release(std::exchange(parent.slot, -1));
                continue;
            }
            if (parent.slot < 0) {
                // No histogram to subtract from: both are added up.
                AddBuild(split.tree, split.left, kNoNode, split.node);
                AddBuild(split.tree, split.right, kNoNode, split.node);
            } else if (growing.nodes[split.left].sum.h <= growing.nodes[split.right].sum.h) {
                AddBuild(split.tree, split.left, split.right, split.node);
            } else {
                AddBuild(split.tree, split.right, split.left, split.node);
            }
        }
        TRY(RunBuilds());
        for (std::size_t i = 0; i < builds_.size(); ++i) {
            Open(built_[i].tree, built_[i].node, builds_[i].node.best);
            if (built_[i].sibling != kNoNode) Open(built_[i].tree, built_[i].sibling, builds_[i].sibling.best);
            Release(std::exchange(trees_[built_[i].tree].nodes[built_[i].parent].slot, -1));
        }
        return {};
    }

    void SetWeights(GrowingTree& growing, std::size_t node, double sum_grad, double sum_hess, const GainParams& gain) {
        model::Tree& tree = growing.tree;
        const float weight = kernels::NodeWeight(gain, sum_grad, sum_hess);
        tree.sum_hessian[node] = static_cast<float>(sum_hess);
        if (tree.is_leaf(node)) {
            const float eta = params_.num_parallel_tree == 1
                                  ? params_.eta
                                  : params_.eta / static_cast<float>(params_.num_parallel_tree);
            tree.split_conditions[node] = eta * weight;
            // xgboost keeps the weight after the learning rate in leaves, but the plain one in a lone root.
            tree.base_weights[node] = node == 0 ? weight : eta * weight;
        } else {
            tree.base_weights[node] = weight;
        }
    }

    /// Packed sums decide the structure; weights come from the sums of all the precision the gradients have.
    Result<void> SetWeightsFromFineSums(std::span<const float> grad, std::span<const float> hess,
                                        std::span<const GroupScale> scales) {
        struct Leaf {
            std::uint32_t tree;
            std::uint32_t node;
        };
        std::vector<Leaf> leaves;
        for (std::uint32_t tree = 0; tree < num_trees_; ++tree) {
            for (std::uint32_t node = 0; node < trees_[tree].nodes.size(); ++node) {
                if (trees_[tree].tree.is_leaf(node)) leaves.push_back({tree, node});
            }
        }
        std::vector<std::int64_t> sums(leaves.size() * 2, 0);
        team_.ForEach(leaves.size(), [&](std::size_t i, int) {
            const std::size_t tree = leaves[i].tree;
            const GroupScale& scale = scales[GroupOf(tree)];
            const double grad_units = std::ldexp(1.0, scale.grad_exponent);
            const double hess_units = std::ldexp(1.0, scale.hess_exponent);
            const float* g = grad.data() + GroupOf(tree) * num_rows_;
            const float* h = hess.data() + GroupOf(tree) * num_rows_;
            WidePair sum;
            for (const std::uint32_t row : partition_.RowsOf(leaves[i].tree, leaves[i].node)) {
                if (params_.subsample < 1 && sampled_[tree * num_rows_ + row] == 0) continue;
                sum.g += ToFine(g[row], grad_units);
                sum.h += ToFine(h[row], hess_units);
            }
            sums[2 * i] = sum.g;
            sums[2 * i + 1] = sum.h;
        });
        TRY(comm_.AllReduceSum(sums));
        for (std::uint32_t tree = 0; tree < num_trees_; ++tree) {
            for (Node& node : trees_[tree].nodes) node.sum = {};
        }
        for (std::size_t i = 0; i < leaves.size(); ++i) {
            trees_[leaves[i].tree].nodes[leaves[i].node].sum = {sums[2 * i], sums[2 * i + 1]};
        }
        for (std::uint32_t tree = 0; tree < num_trees_; ++tree) {
            GrowingTree& growing = trees_[tree];
            const GroupScale& scale = scales[GroupOf(tree)];
            GainParams gain = growing.gain;
            gain.min_child_weight = 0;  // Settled by the packed sums, which differ by rounding.
            for (std::size_t node = growing.nodes.size(); node-- > 0;) {
                const WidePair sum = growing.nodes[node].sum;
                if (node > 0) growing.nodes[static_cast<std::size_t>(growing.tree.parents[node])].sum += sum;
                SetWeights(growing, node, static_cast<double>(sum.g) * scale.fine_grad_unit(),
                           static_cast<double>(sum.h) * scale.fine_hess_unit(), gain);
            }
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
    WorkerTeam& team_;
    collective::Comm& comm_;
    const std::vector<RowSegment> row_segments_;
    const std::size_t num_trees_;
    const std::size_t num_rows_;
    const ColumnSampler sampler_;
    RowPartition partition_;
    std::vector<std::unique_ptr<RowPartition>> eval_partitions_;
    HistogramStep<Pair> step_;
    std::vector<Pair> pairs_;            ///< [trees x rows]
    std::vector<std::uint8_t> sampled_;  ///< [trees x rows], empty unless subsample < 1
    std::uint64_t iteration_ = 0;
    std::vector<GrowingTree> trees_;
    std::vector<NodeSplit> steps_;
    std::vector<Build<Pair>> builds_;
    std::vector<Built> built_;
    std::vector<std::vector<std::uint8_t>> masks_;
    std::vector<std::unique_ptr<Pair[]>> slots_;
    std::vector<std::int32_t> free_slots_;
};

std::unique_ptr<TreeGrower> TreeGrower::Create(const GrowerInput& input) {
    HistogramWidth width = input.params.histogram_width;
    if (width == HistogramWidth::kAuto) {
        width = input.total_rows <= kWideRowsMax || input.total_rows > kPackedRowsMax ? HistogramWidth::kWide
                                                                                      : HistogramWidth::kPacked;
    }
    if (width == HistogramWidth::kWide) return std::make_unique<TreeGrowerOf<WidePair>>(input);
    return std::make_unique<TreeGrowerOf<PackedPair>>(input);
}

std::vector<int> TreeGrower::OwnersOfTiles(const data::BinLayout& layout, int num_ranks) {
    std::vector<int> owners;
    for (const auto& tile : layout.tiles) {
        // The rank in whose share of all cells the tile's middle lies.
        const double middle = (static_cast<double>(tile.cell_begin) + static_cast<double>(tile.cell_end)) / 2;
        const auto owner = static_cast<int>(middle / static_cast<double>(layout.num_cells()) * num_ranks);
        owners.push_back(std::min(owner, num_ranks - 1));
    }
    return owners;
}

}  // namespace espalier::learn
