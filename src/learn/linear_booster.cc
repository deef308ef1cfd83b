// gblinear: one weight per feature and group and a bias, moved a step at a time, feature after feature in turn.
//
// A round: gradients; per group the bias, then each feature: sums of g x and h x^2 over the rows that have it -> step
// -> g of those rows moves by h x step. Which is xgboost's updater coord_descent with feature_selector cyclic, for
// updater shotgun as well: its steps overlap without order there, so that no two runs agree.
// Exactness: products are computed per row in double and added as integers of a unit all ranks agree on, so the model
// is the same for any number of threads and ranks. The greatest |g| behind the unit is agreed once per group and then
// bounded from above as features move it; bits lost to the bound stay far below a float's.
// Cost: one reduction per feature and group when there are several ranks.
// Source: contracts/xgboost.md 4.7 (xgboost/src/linear/coordinate_common.h).
#include <algorithm>
#include <bit>
#include <cmath>

#include "learn/booster.h"
#include "learn/exact_sum.h"
#include "model/links.h"

namespace espalier::learn {

namespace {

constexpr std::size_t kBlockRows = 2048;
constexpr std::size_t kBlockEntries = 8192;
constexpr double kHessianMin = 1e-5;

/// Rows and values of one feature, and what its sums are bounded by.
struct Column {
    std::size_t begin = 0;
    std::size_t end = 0;
    double greatest = 0;  ///< |value| over all ranks
};

class LinearBooster final : public Booster {
  public:
    explicit LinearBooster(const BoosterInput& input)
        : input_(input), grad_(train().margins.size()), hess_(train().margins.size()) {
        GatherColumns();
    }

    Result<void> Boost(model::TreeEnsemble& model) override {
        if (!is_agreed_) TRY(Agree());
        if (model.linear_weights.empty()) model.linear_weights.assign((model.num_feature + 1) * num_groups(), 0);
        const RowsView rows = train().View();
        TRY(input_.objective.Gradients(rows, static_cast<int>(model.boosted_rounds), input_.team, input_.comm,
                                       grad_.data(), hess_.data()));
        for (std::size_t group = 0; group < num_groups(); ++group) TRY(MoveGroup(group, model.linear_weights));
        ++model.boosted_rounds;
        const std::vector<float> base_margins = TRY(model::BaseMargins(model));
        for (PreparedSet& set : input_.data.sets) SumMargins(set, model.linear_weights, base_margins);
        return {};
    }

  private:
    struct Sums {
        double grad = 0;
        double hess = 0;
    };

    PreparedSet& train() { return input_.data.sets[0]; }
    std::size_t num_groups() const { return static_cast<std::size_t>(input_.params.num_groups()); }
    std::size_t num_features() const { return columns_.size(); }

    void GatherColumns() {
        const data::FeatureRows& rows = train().rows;
        columns_.resize(input_.data.num_features);
        const auto is_present = [&](std::uint64_t entry) { return !std::isnan(rows.values[entry]); };
        for (std::uint64_t entry = 0; entry < rows.num_entries(); ++entry) {
            if (is_present(entry)) ++columns_[rows.feature_idx[entry]].end;
        }
        std::size_t begin = 0;
        for (Column& column : columns_) {
            const std::size_t size = column.end;
            column.begin = column.end = begin;
            begin += size;
        }
        column_rows_.resize(begin);
        column_values_.resize(begin);
        for (std::uint32_t row = 0; row < rows.num_rows(); ++row) {
            for (std::uint64_t entry = rows.row_offsets[row]; entry < rows.row_offsets[row + 1]; ++entry) {
                if (!is_present(entry)) continue;
                Column& column = columns_[rows.feature_idx[entry]];
                column_rows_[column.end] = row;
                column_values_[column.end++] = rows.values[entry];
                column.greatest = std::max(column.greatest, std::fabs(static_cast<double>(rows.values[entry])));
            }
        }
    }

    /// Greatest values and the sum of the rows' weights, by which penalties are multiplied, over all ranks.
    Result<void> Agree() {
        std::vector<double> greatest;
        for (const Column& column : columns_) greatest.push_back(column.greatest);
        TRY(input_.comm.AllReduceMax(std::span<double>(greatest)));
        for (std::size_t feature = 0; feature < columns_.size(); ++feature) {
            columns_[feature].greatest = greatest[feature];
        }
        std::vector<double> weights(train().weights.begin(), train().weights.end());
        if (weights.empty()) weights.assign(train().labels.size(), 1.0);
        const std::vector<std::span<const double>> series = {weights};
        const double sum = TRY(ExactSums(series, train().total_rows, input_.team, input_.comm))[0];
        lambda_ = static_cast<float>(static_cast<double>(input_.params.lambda) * sum);
        alpha_ = static_cast<float>(static_cast<double>(input_.params.alpha) * sum);
        is_agreed_ = true;
        return {};
    }

    Result<void> MoveGroup(std::size_t group, std::vector<float>& weights) {
        float* grad = grad_.data() + group * train().labels.size();
        const float* hess = hess_.data() + group * train().labels.size();
        std::vector<double> bounds(2, 0);
        for (std::size_t row = 0; row < train().labels.size(); ++row) {
            bounds[0] = std::max(bounds[0], std::fabs(static_cast<double>(grad[row])));
            bounds[1] = std::max(bounds[1], static_cast<double>(hess[row]));
        }
        TRY(input_.comm.AllReduceMax(std::span<double>(bounds)));
        const std::size_t bias = weights.size() - num_groups() + group;
        const Sums all = TRY(SumOver(train().labels.size(), bounds[0], bounds[1], [&](std::size_t row) {
            return Sums{static_cast<double>(grad[row]), static_cast<double>(hess[row])};
        }));
        const auto bias_step =
            all.hess > 0 ? static_cast<float>(static_cast<double>(input_.params.eta) * (-all.grad / all.hess)) : 0.0F;
        weights[bias] += bias_step;
        for (std::size_t row = 0; row < train().labels.size(); ++row) grad[row] += hess[row] * bias_step;
        bounds[0] += bounds[1] * std::fabs(static_cast<double>(bias_step));
        for (std::size_t feature = 0; feature < num_features(); ++feature) {
            const Column& column = columns_[feature];
            if (column.greatest == 0) continue;  // Also on every other rank.
            const double value_max = column.greatest;
            const Sums sums = TRY(SumOver(
                column.end - column.begin, bounds[0] * value_max, bounds[1] * value_max * value_max,
                [&](std::size_t i) {
                    const std::uint32_t row = column_rows_[column.begin + i];
                    const auto value = static_cast<double>(column_values_[column.begin + i]);
                    return Sums{static_cast<double>(grad[row]) * value, static_cast<double>(hess[row]) * value * value};
                }));
            float& weight = weights[feature * num_groups() + group];
            const auto step = static_cast<float>(static_cast<double>(input_.params.eta) * StepOf(sums, weight));
            if (step == 0) continue;
            weight += step;
            for (std::size_t i = column.begin; i < column.end; ++i) {
                grad[column_rows_[i]] += hess[column_rows_[i]] * column_values_[i] * step;
            }
            bounds[0] += bounds[1] * value_max * std::fabs(static_cast<double>(step));
        }
        return {};
    }

    /// The step that minimises the quadratic model with its penalties; it stops at 0 where alpha pulls it across.
    double StepOf(const Sums& sums, float weight) const {
        if (sums.hess < kHessianMin) return 0;
        const auto w = static_cast<double>(weight);
        const auto alpha = static_cast<double>(alpha_);
        const double grad = sums.grad + static_cast<double>(lambda_) * w;
        const double hess = sums.hess + static_cast<double>(lambda_);
        return w - grad / hess >= 0 ? std::max(-(grad + alpha) / hess, -w) : std::min(-(grad - alpha) / hess, -w);
    }

    /// Sums of terms(i), i < size, over all ranks; no |term| is above the bounds, no rank has more terms than rows.
    template <typename Terms>
    Result<Sums> SumOver(std::size_t size, double grad_max, double hess_max, const Terms& terms) {
        const int bits = 61 - static_cast<int>(std::bit_width(train().total_rows));
        int grad_exponent = 0;
        int hess_exponent = 0;
        std::frexp(grad_max, &grad_exponent);
        std::frexp(hess_max, &hess_exponent);
        const double grad_units = std::ldexp(1.0, bits - grad_exponent);
        const double hess_units = std::ldexp(1.0, bits - hess_exponent);
        const std::size_t num_blocks = (size + kBlockEntries - 1) / kBlockEntries;
        partial_.assign(2 * num_blocks + 2, 0);
        const auto add_block = [&](std::size_t block) {
            const std::size_t end = std::min(size, (block + 1) * kBlockEntries);
            for (std::size_t i = block * kBlockEntries; i < end; ++i) {
                const Sums term = terms(i);
                partial_[2 * block] += std::llrint(term.grad * grad_units);
                partial_[2 * block + 1] += std::llrint(term.hess * hess_units);
            }
        };
        if (num_blocks > 1) {
            input_.team.ForEach(num_blocks, [&](std::size_t block, int) { add_block(block); });
        } else if (num_blocks == 1) {
            add_block(0);
        }
        std::vector<std::int64_t> sums(2, 0);
        for (std::size_t i = 0; i < partial_.size(); ++i) sums[i % 2] += partial_[i];
        TRY(input_.comm.AllReduceSum(sums));
        return Sums{static_cast<double>(sums[0]) / grad_units, static_cast<double>(sums[1]) / hess_units};
    }

    /// As the model predicts them: base margin, bias, then the features in order, in float.
    void SumMargins(PreparedSet& set, const std::vector<float>& weights, const std::vector<float>& base_margins) {
        const std::size_t num_rows = set.labels.size();
        const std::size_t bias = weights.size() - num_groups();
        input_.team.ForBlocks(num_rows, kBlockRows, [&](std::size_t from, std::size_t to, int) {
            for (std::size_t group = 0; group < num_groups(); ++group) {
                float* margins = set.margins.data() + group * num_rows;
                for (std::size_t row = from; row < to; ++row) {
                    float sum = base_margins[group] + weights[bias + group];
                    for (std::uint64_t e = set.rows.row_offsets[row]; e < set.rows.row_offsets[row + 1]; ++e) {
                        const float value = set.rows.values[e];
                        if (std::isnan(value)) continue;
                        sum += value * weights[set.rows.feature_idx[e] * num_groups() + group];
                    }
                    margins[row] = sum;
                }
            }
        });
    }

    const BoosterInput input_;
    bool is_agreed_ = false;
    float lambda_ = 0;  ///< times the sum of weights, as is alpha_
    float alpha_ = 0;
    std::vector<Column> columns_;  ///< [features]
    std::vector<std::uint32_t> column_rows_;
    std::vector<float> column_values_;
    std::vector<float> grad_;  ///< [groups x rows]
    std::vector<float> hess_;  ///< [groups x rows]
    std::vector<std::int64_t> partial_;
};

}  // namespace

std::unique_ptr<Booster> MakeLinearBooster(const BoosterInput& input) {
    return std::make_unique<LinearBooster>(input);
}

}  // namespace espalier::learn
