#include "learn/approx_grower.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "data/value_summaries.h"
#include "kernels/quantise.h"
#include "learn/summary_exchange.h"
#include "learn/tree_walk.h"

namespace espalier::learn {

namespace {

constexpr std::size_t kBlockRows = 8192;

class ApproxGrower final : public TreeGrower {
  public:
    explicit ApproxGrower(const GrowerInput& input)
        : TreeGrower(input, RowPartition(input.train_rows->num_rows(), input.num_trees)),
          input_(input),
          compact_rows_(data::CompactRows::FromRows(*input.train_rows)),
          num_trees_(input.num_trees) {
        if (input.params.samples_rows_uniformly()) sampled_.resize(num_trees_ * input.train_rows->num_rows());
    }

    Result<std::vector<model::Tree>> Grow(std::uint64_t iteration, std::span<const float> grad,
                                          std::span<const float> hess, std::span<const GroupScale> scales) override {
        std::vector<model::Tree> grown;
        const std::size_t num_rows = input_.train_rows->num_rows();
        for (std::size_t source = 0; source < scales.size(); ++source) {
            const auto source_grad = grad.subspan(source * num_rows, num_rows);
            const auto source_hess = hess.subspan(source * num_rows, num_rows);
            TRY(CutAndBin(source_hess, scales[source]));
            GrowerInput inner = input_;
            inner.layout = &layout_;
            inner.train = &matrix_;
            inner.evals = {};
            inner.eval_rows = {};
            inner.first_tree = input_.first_tree + grown.size();
            inner.num_trees = num_trees_ / scales.size();
            const std::unique_ptr<TreeGrower> grower = MakeHistogramGrower(inner);
            std::vector<model::Tree> trees =
                TRY(grower->Grow(iteration, source_grad, source_hess, scales.subspan(source, 1)));
            for (std::uint32_t tree = 0; tree < trees.size(); ++tree) {
                Place(static_cast<std::uint32_t>(grown.size()), trees[tree], *grower, tree);
                grown.push_back(std::move(trees[tree]));
            }
        }
        return grown;
    }

    bool IsSampled(std::size_t tree, std::size_t row) const override {
        return sampled_.empty() || sampled_[tree * partition_.num_rows() + row] != 0;
    }

  private:
    /// Cuts for these hessians, and the rows' bins when the cuts are new.
    Result<void> CutAndBin(std::span<const float> hess, const GroupScale& scale) {
        // Stock multiplies by the weight once more; the exponent makes room for that.
        int magnitude = 0;
        std::frexp(input_.greatest_weight, &magnitude);
        const int exponent = scale.hess_exponent - std::max(magnitude, 0);
        const double units = std::ldexp(1.0, exponent);
        const std::span<const float> row_weights = input_.train_weights;
        std::vector<std::int64_t> weights(hess.size());
        input_.team.ForBlocks(hess.size(), kBlockRows, [&](std::size_t begin, std::size_t end, int) {
            for (std::size_t row = begin; row < end; ++row) {
                // Stock's sketch takes values that weigh nothing too; summaries leave out what has no weight.
                const float weight = row_weights.empty() ? hess[row] : hess[row] * row_weights[row];
                weights[row] = std::max<std::int64_t>(kernels::ToFine(weight, units), 1);
            }
        });
        std::vector<data::ValueSummary> summaries =
            data::SummarizeValues(compact_rows_, weights, input_.num_features, input_.team);
        TRY(MergeOverRanks(summaries, input_.comm));
        data::CutPoints cuts =
            data::BuildCutPoints(summaries, input_.params.max_bin, input_.team, input_.categorical,
                                 {.sketch = data::CutRule::Sketch::kSorted, .weight_unit = std::ldexp(1.0, -exponent)});
        if (cuts == layout_.cuts) return {};
        layout_ =
            data::BinLayout::Create(summaries, std::move(cuts), input_.total_rows, input_.team, input_.comm.size());
        matrix_ = data::BinnedMatrix::Create(compact_rows_, layout_, data::BinnedMatrix::Use::kTraining, input_.team);
        return {};
    }

    /// Tree `number` of the round, which `grown` calls `tree`.
    void Place(std::uint32_t number, const model::Tree& grown, const TreeGrower& grower, std::uint32_t tree) {
        const RowPartition& partition = grower.train_partition();
        for (std::size_t row = 0; row < partition.num_rows() && !sampled_.empty(); ++row) {
            sampled_[number * partition.num_rows() + row] = grower.IsSampled(tree, row) ? 1 : 0;
        }
        std::vector<std::uint32_t> leaves(partition.num_rows());
        for (std::uint32_t node = 0; node < grown.num_nodes(); ++node) {
            if (!grown.is_leaf(node)) continue;
            partition.RowsOf(tree, node).ForEachRow([&](std::uint32_t row) { leaves[row] = node; });
        }
        partition_.Place(number, leaves, grown.num_nodes());
        PlaceEvalRows(number, grown);
    }

    const GrowerInput input_;
    const data::CompactRows compact_rows_;
    const std::size_t num_trees_;
    data::BinLayout layout_;
    data::BinnedMatrix matrix_;
    std::vector<std::uint8_t> sampled_;  ///< [trees x rows], empty unless rows are sampled uniformly
};

}  // namespace

std::unique_ptr<TreeGrower> MakeApproxGrower(const GrowerInput& input) {
    return std::make_unique<ApproxGrower>(input);
}

}  // namespace espalier::learn
