#include "learn/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "learn/base_score.h"
#include "learn/metrics.h"
#include "learn/summary_exchange.h"
#include "model/links.h"

namespace espalier::learn {

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kBlockRows = 2048;
// A hash of the trees costs microseconds; a rank that went astray should not burn an hour.
constexpr int kRoundsPerComparison = 4;

double SecondsSince(SteadyClock::time_point begin) {
    return std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

std::uint64_t HashOf(std::uint64_t hash, const void* data, std::size_t size) {
    const auto* bytes = static_cast<const unsigned char*>(data);
    for (std::size_t i = 0; i < size; ++i) hash = (hash ^ bytes[i]) * 0x100000001B3ULL;  // FNV-1a
    return hash;
}

std::uint64_t HashOf(std::uint64_t hash, const model::Tree& tree) {
    hash = HashOf(hash, tree.left_children.data(), tree.left_children.size() * sizeof(std::int32_t));
    hash = HashOf(hash, tree.split_indices.data(), tree.split_indices.size() * sizeof(std::int32_t));
    return HashOf(hash, tree.split_conditions.data(), tree.split_conditions.size() * sizeof(float));
}

/// One data set while it is trained on or evaluated.
struct Prepared {
    std::string name;
    std::vector<float> labels;
    std::vector<float> weights;
    std::vector<float> margins;  ///< [groups x rows]
    std::uint64_t total_rows = 0;
    data::BinnedMatrix matrix;

    RowsView View() const {
        return {labels.size(), margins.data(), labels.data(), weights.empty() ? nullptr : weights.data()};
    }
};

class Job {
  public:
    Job(const TrainParams& params, const TrainContext& context) : params_(params), context_(context) {}

    Result<TrainOutcome> Run(std::vector<DataSet>& data_sets, BadLabel* bad_label) {
        objective_ = TRY(MakeObjective(params_));
        TRY(MakeEvaluators(data_sets.size()));
        TRY(CheckLabels(data_sets, bad_label));
        TRY(AgreeOnShape(data_sets));
        TRY(BinEverything(data_sets));
        base_score_ = TRY(
            FindBaseScore(params_, *objective_, sets_[0].View(), sets_[0].total_rows, context_.team, context_.comm));
        TRY(FillMargins());
        TRY(Boost());
        return Finish();
    }

  private:
    std::size_t num_groups() const { return static_cast<std::size_t>(params_.num_groups()); }

    Result<void> MakeEvaluators(std::size_t num_sets) {
        std::vector<std::string> names = params_.eval_metrics;
        if (names.empty()) names.emplace_back(objective_->DefaultMetric(context_.modern_defaults));
        for (std::size_t set = 0; set < num_sets; ++set) {
            std::vector<std::unique_ptr<Metric>> metrics;
            for (const std::string& name : names) metrics.push_back(TRY(MakeMetric(name, params_)));
            evaluators_.emplace_back(std::move(metrics));
        }
        return {};
    }

    /// All ranks leave together when one has a bad label.
    Result<void> CheckLabels(const std::vector<DataSet>& data_sets, BadLabel* bad_label) {
        std::int64_t any_bad = 0;
        Error error(ErrorCode::kInvalidArgument, "");
        for (std::size_t set = 0; set < data_sets.size() && any_bad == 0; ++set) {
            const std::vector<float>& labels = data_sets[set].labeled.labels;
            const std::size_t row = objective_->FirstBadLabel(labels);
            if (row == labels.size()) continue;
            any_bad = 1;
            error = Error(ErrorCode::kInvalidArgument,
                          fmt::format("label {} in row {} of the {} data: the label {}", labels[row], row + 1,
                                      data_sets[set].name, objective_->LabelRule()));
            if (bad_label != nullptr) *bad_label = {set, row, labels[row], objective_->LabelRule()};
        }
        std::vector<std::int64_t> agreed = {any_bad};
        TRY(context_.comm.AllReduceMax(std::span<std::int64_t>(agreed)));
        if (any_bad != 0) return error;
        if (agreed[0] != 0) return Error(ErrorCode::kCancelled, "another instance has a label that cannot be");
        return {};
    }

    Result<void> AgreeOnShape(const std::vector<DataSet>& data_sets) {
        std::vector<std::int64_t> features;
        std::vector<std::int64_t> rows;
        std::int64_t greatest_weight_bits = 0;
        for (const DataSet& set : data_sets) {
            features.push_back(set.labeled.rows.num_features);
            rows.push_back(static_cast<std::int64_t>(set.labeled.rows.num_rows()));
        }
        const std::vector<float>& weights = data_sets[0].labeled.weights;
        // The bits of floats that are not negative are ordered as the floats.
        for (const float weight : weights) {
            greatest_weight_bits = std::max<std::int64_t>(greatest_weight_bits, std::bit_cast<std::int32_t>(weight));
        }
        features.push_back(greatest_weight_bits);
        TRY(context_.comm.AllReduceMax(std::span<std::int64_t>(features)));
        greatest_weight_ = std::bit_cast<float>(static_cast<std::int32_t>(features.back()));
        TRY(context_.comm.AllReduceSum(rows));
        total_rows_.assign(rows.begin(), rows.end());
        if (rows[0] == 0) return Error(ErrorCode::kInvalidArgument, "there are no rows of training data");
        num_features_ = static_cast<std::size_t>(features[0]);
        for (std::size_t set = 1; set < data_sets.size(); ++set) {
            if (features[set] <= features[0]) continue;
            return Error(
                ErrorCode::kInvalidArgument,
                fmt::format("Feature names/Number of features mismatched between training and validation input. "
                            "Please check features in training and validation data: the {} data has feature "
                            "indices up to {}, the training data only up to {}.",
                            data_sets[set].name, features[set] - 1, features[0] - 1));
        }
        return {};
    }

    /// Weights as integers of one unit for all ranks, so that sums do not depend on sharding; empty: 1 each.
    std::vector<std::int64_t> WeightUnits(const std::vector<float>& weights, std::size_t num_rows) const {
        if (greatest_weight_ == 0) return {};
        int magnitude = 0;
        std::frexp(greatest_weight_, &magnitude);
        const int exponent = 61 - static_cast<int>(std::bit_width(total_rows_[0])) - magnitude;
        std::vector<std::int64_t> units(num_rows);
        for (std::size_t r = 0; r < num_rows; ++r) {
            const double weight = weights.empty() ? 1.0 : static_cast<double>(weights[r]);
            units[r] = static_cast<std::int64_t>(std::ldexp(weight, exponent) + 0.5);
        }
        return units;
    }

    Result<void> BinEverything(std::vector<DataSet>& data_sets) {
        auto begin = SteadyClock::now();
        data::LabeledRows& train = data_sets[0].labeled;
        std::vector<data::ValueSummary> summaries = data::SummarizeValues(
            train.rows, WeightUnits(train.weights, train.rows.num_rows()), num_features_, context_.team);
        TRY(MergeOverRanks(summaries, context_.comm));
        layout_ = data::BinLayout::Create(summaries, data::BuildCutPoints(summaries, params_.max_bin), total_rows_[0]);
        summaries.clear();
        outcome_.seconds.cuts = SecondsSince(begin);
        begin = SteadyClock::now();
        segments_ = std::move(data_sets[0].segments);
        if (segments_.empty()) segments_.push_back({0, 0});
        sets_.resize(data_sets.size());
        for (std::size_t i = 0; i < data_sets.size(); ++i) {
            data::LabeledRows& labeled = data_sets[i].labeled;
            Prepared& set = sets_[i];
            set.matrix = data::BinnedMatrix::Create(
                labeled.rows, layout_,
                i == 0 ? data::BinnedMatrix::Use::kTraining : data::BinnedMatrix::Use::kEvaluation, context_.team);
            set.name = data_sets[i].name;
            set.labels = std::move(labeled.labels);
            set.weights = std::move(labeled.weights);
            set.total_rows = total_rows_[i];
            labeled = {};
            outcome_.bin_memory_bytes += set.matrix.memory_bytes();
        }
        outcome_.seconds.bins = SecondsSince(begin);
        return {};
    }

    Result<void> FillMargins() {
        // The same function as at prediction time: what is trained is what is served.
        model::TreeEnsemble intercept;
        intercept.objective = std::string(objective_->name());
        intercept.num_class = params_.num_class;
        intercept.base_score = base_score_;
        const std::vector<float> base_margins = TRY(model::BaseMargins(intercept));
        for (Prepared& set : sets_) {
            set.margins.resize(num_groups() * set.labels.size());
            for (std::size_t group = 0; group < num_groups(); ++group) {
                std::fill_n(set.margins.begin() + static_cast<std::ptrdiff_t>(group * set.labels.size()),
                            set.labels.size(), base_margins[group]);
            }
        }
        return {};
    }

    Result<void> Boost() {
        const auto begin = SteadyClock::now();
        std::vector<const data::BinnedMatrix*> evals;
        for (std::size_t i = 1; i < sets_.size(); ++i) evals.push_back(&sets_[i].matrix);
        const auto grower = TreeGrower::Create({.params = params_,
                                                .layout = layout_,
                                                .train = sets_[0].matrix,
                                                .evals = evals,
                                                .row_segments = segments_,
                                                .total_rows = sets_[0].total_rows,
                                                .team = context_.team,
                                                .comm = context_.comm});
        std::vector<float> grad(sets_[0].margins.size());
        std::vector<float> hess(sets_[0].margins.size());
        for (int round = 0; round < params_.num_rounds; ++round) {
            const RowsView rows = sets_[0].View();
            context_.team.ForBlocks(rows.num_rows, kBlockRows, [&](std::size_t from, std::size_t to, int) {
                objective_->Gradients(rows, from, to, grad.data(), hess.data());
            });
            const std::vector<GroupScale> scales =
                TRY(AgreeOnScales(grad, hess, num_groups(), sets_[0].total_rows, context_.team, context_.comm));
            std::vector<model::Tree> trees = TRY(grower->Grow(static_cast<std::uint64_t>(round), grad, hess, scales));
            AddLeaves(sets_[0], grower->train_partition(), trees);
            for (std::size_t i = 1; i < sets_.size(); ++i) AddLeaves(sets_[i], grower->eval_partition(i - 1), trees);
            const bool stop = TRY(CloseRound(round, trees));
            Keep(std::move(trees));
            if (stop) break;
        }
        outcome_.seconds.rounds = SecondsSince(begin);
        return {};
    }

    void AddLeaves(Prepared& set, const RowPartition& partition, const std::vector<model::Tree>& trees) {
        const std::size_t num_rows = set.labels.size();
        const auto parallel = static_cast<std::size_t>(params_.num_parallel_tree);
        // Trees of one group follow each other, so that a row's margin is summed in tree order.
        for (std::size_t nth = 0; nth < parallel; ++nth) {
            leaves_.clear();
            for (std::size_t group = 0; group < num_groups(); ++group) {
                const std::size_t tree = group * parallel + nth;
                for (std::size_t node = 0; node < trees[tree].num_nodes(); ++node) {
                    if (trees[tree].is_leaf(node)) {
                        leaves_.push_back({static_cast<std::uint32_t>(tree), static_cast<std::uint32_t>(node)});
                    }
                }
            }
            context_.team.ForEach(leaves_.size(), [&](std::size_t i, int) {
                const auto [tree, node] = leaves_[i];
                const float value = trees[tree].split_conditions[node];
                float* margins = set.margins.data() + tree / parallel * num_rows;
                for (const std::uint32_t row : partition.RowsOf(tree, node)) margins[row] += value;
            });
        }
    }

    /// Metrics, the report, early stopping, the stop flag. True when this was the last round.
    Result<bool> CloseRound(int round, const std::vector<model::Tree>& trees) {
        RoundReport report{.round = round, .metrics = {}, .trees = trees};
        for (std::size_t i = 0; i < sets_.size(); ++i) {
            const std::vector<double> values =
                TRY(evaluators_[i].Evaluate(sets_[i].View(), sets_[i].total_rows, context_.team, context_.comm));
            for (std::size_t m = 0; m < values.size(); ++m) {
                report.metrics.push_back({sets_[i].name, evaluators_[i].metrics()[m]->name(), values[m]});
            }
        }
        if (context_.on_round) context_.on_round(report);
        for (const model::Tree& tree : trees) hash_ = HashOf(hash_, tree);
        const bool told = context_.stop != nullptr && context_.stop->load(std::memory_order_relaxed);
        std::vector<std::int64_t> shared = {told ? 1 : 0, 0, 0};
        const bool compares =
            round % kRoundsPerComparison == kRoundsPerComparison - 1 || round + 1 == params_.num_rounds;
        const auto hash = static_cast<std::int64_t>(hash_);
        if (compares) {
            shared[1] = hash;
            shared[2] = ~hash;
        }
        TRY(context_.comm.AllReduceMax(std::span<std::int64_t>(shared)));
        if (compares && (shared[1] != hash || shared[2] != ~hash)) {
            return Error(ErrorCode::kInternal,
                         fmt::format("the instances grew different trees up to round {}. This is a defect of the "
                                     "program or of a machine's memory; the model is not to be used.",
                                     round));
        }
        outcome_.stopped_by_flag = shared[0] != 0;
        ++outcome_.num_rounds_done;
        return outcome_.stopped_by_flag || StopsEarly(round, report.metrics);
    }

    bool StopsEarly(int round, const std::vector<MetricValue>& metrics) {
        const bool save_best = params_.early_stopping_rule == EarlyStoppingRule::kSaveBest;
        if (params_.early_stopping_rounds == 0) return false;
        if (save_best && (sets_.size() < 2 || params_.eval_metrics.empty())) return false;
        const auto watched = evaluators_.back().metrics();
        std::size_t watched_idx = watched.size() - 1;
        for (std::size_t m = 0; m < watched.size(); ++m) {
            if (watched[m]->name() == params_.early_stopping_metric) watched_idx = m;
        }
        const double value = metrics[metrics.size() - watched.size() + watched_idx].value;
        const bool maximize = watched[watched_idx]->maximize();
        outcome_.watched_metric = watched[watched_idx]->name();
        if (round == 0 || (maximize ? value > outcome_.best_score : value < outcome_.best_score)) {
            outcome_.best_score = value;
            outcome_.best_round = round;
        }
        outcome_.stopped_early = round - outcome_.best_round >= params_.early_stopping_rounds;
        return outcome_.stopped_early;
    }

    void Keep(std::vector<model::Tree> trees) {
        for (std::size_t tree = 0; tree < trees.size(); ++tree) {
            outcome_.model.tree_info.push_back(
                static_cast<std::int32_t>(tree / static_cast<std::size_t>(params_.num_parallel_tree)));
            outcome_.model.trees.push_back(std::move(trees[tree]));
        }
        outcome_.model.iteration_indptr.push_back(static_cast<std::int32_t>(outcome_.model.trees.size()));
    }

    Result<TrainOutcome> Finish() {
        model::TreeEnsemble& model = outcome_.model;
        model.objective = std::string(objective_->name());
        model.objective_params = objective_->ModelParams();
        model.num_class = params_.num_class > 1 ? params_.num_class : 0;
        model.num_feature = static_cast<std::uint32_t>(num_features_);
        model.base_score = base_score_;
        model.boost_from_average = !params_.base_score.has_value();
        model.num_parallel_tree = params_.num_parallel_tree;
        const bool early = params_.early_stopping_rounds > 0;
        if (!early || (params_.early_stopping_rule == EarlyStoppingRule::kSaveBest &&
                       (sets_.size() < 2 || params_.eval_metrics.empty()))) {
            outcome_.best_round = outcome_.num_rounds_done - 1;
        } else {
            model.attributes["best_iteration"] = fmt::format("{}", outcome_.best_round);
            model.attributes["best_score"] = fmt::format("{}", outcome_.best_score);
            if (params_.early_stopping_rule == EarlyStoppingRule::kSaveBest) {
                const auto num_rounds = static_cast<std::size_t>(outcome_.best_round) + 1;
                model.iteration_indptr.resize(num_rounds + 1);
                model.trees.resize(static_cast<std::size_t>(model.iteration_indptr.back()));
                model.tree_info.resize(model.trees.size());
            }
        }
        outcome_.bytes_sent = context_.comm.bytes_sent();
        return std::move(outcome_);
    }

    struct LeafPlace {
        std::uint32_t tree;
        std::uint32_t node;
    };

    const TrainParams& params_;
    const TrainContext& context_;
    std::unique_ptr<Objective> objective_;
    std::vector<MetricEvaluator> evaluators_;  ///< [data sets]
    std::size_t num_features_ = 0;
    std::vector<std::uint64_t> total_rows_;  ///< [data sets]
    float greatest_weight_ = 0;              ///< 0: no rank has weights
    data::BinLayout layout_;
    std::vector<RowSegment> segments_;
    std::vector<Prepared> sets_;
    std::vector<float> base_score_;
    std::vector<LeafPlace> leaves_;
    std::uint64_t hash_ = 0xCBF29CE484222325ULL;
    TrainOutcome outcome_;
};

}  // namespace

Result<TrainOutcome> Train(const TrainParams& params, std::vector<DataSet>& data_sets, const TrainContext& context,
                           BadLabel* bad_label) {
    CHECK(!data_sets.empty());
    return Job(params, context).Run(data_sets, bad_label);
}

}  // namespace espalier::learn
