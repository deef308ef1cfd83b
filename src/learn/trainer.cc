#include "learn/trainer.h"

#include <fmt/format.h>

#include "base/check.h"
#include "learn/base_score.h"
#include "learn/booster.h"
#include "learn/early_stopping.h"
#include "model/links.h"
#include "model/predictor.h"

namespace espalier::learn {

namespace {

using SteadyClock = std::chrono::steady_clock;

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

class Job {
  public:
    Job(const TrainParams& params, const TrainContext& context) : params_(params), context_(context) {}

    Result<TrainOutcome> Run(std::vector<DataSet>& data_sets, BadLabel* bad_label) {
        objective_ = TRY(MakeObjective(params_));
        if (context_.start != nullptr) rounds_before_ = context_.start->rounds_before;
        Evaluation evaluation = TRY(Evaluation::Create(params_, *objective_, data_sets.size()));
        EarlyStopping early_stopping(params_, data_sets.size() - num_unevaluated(), evaluation.metrics(),
                                     rounds_before_);
        TRY(CheckLabels(*objective_, data_sets, context_.comm, bad_label));
        std::vector<std::vector<float>> margins;
        if (context_.start != nullptr) margins = TRY(StartMargins(data_sets));
        data_ = TRY(PrepareData(params_, data_sets, context_.team, context_.comm, context_.bins));
        outcome_.bin_memory_bytes = data_.memory_bytes();
        if (context_.on_prepared) context_.on_prepared(data_);
        TRY(objective_->Prepare(data_.sets[0].View(), context_.team, context_.comm));
        if (context_.start != nullptr) {
            TRY(GoOn(std::move(margins), early_stopping));
        } else {
            TRY(StartModel());
        }
        TRY(Boost(evaluation, early_stopping));
        return Finish(early_stopping);
    }

  private:
    model::TreeEnsemble& model() { return outcome_.model; }
    std::size_t num_unevaluated() const { return context_.evaluates_training_set ? 0 : 1; }

    /// A model without trees, and margins as it predicts them: what is trained is what is served.
    Result<void> StartModel() {
        const PreparedSet& train = data_.sets[0];
        model().base_score =
            TRY(FindBaseScore(params_, *objective_, train.View(), data_.weighted, context_.team, context_.comm));
        model().objective = std::string(objective_->name());
        model().objective_params = objective_->ModelParams();
        model().num_class = params_.num_class > 1 ? params_.num_class : 0;
        model().num_target = model().num_class > 0 ? 1 : params_.num_groups();
        model().num_feature = static_cast<std::uint32_t>(data_.num_features);
        model().boost_from_average = !params_.base_score.has_value();
        model().num_parallel_tree = params_.num_parallel_tree;
        const std::vector<float> base_margins = TRY(model::BaseMargins(model()));
        for (PreparedSet& set : data_.sets) {
            set.margins.clear();
            for (const float margin : base_margins) set.margins.insert(set.margins.end(), set.labels.size(), margin);
        }
        return {};
    }

    /// Block by block: as floats the rows of a whole set may be more than the memory.
    static void PredictRows(const model::Predictor& predictor, const data::CompactRows& rows,
                            std::span<float> margins) {
        if (rows.num_rows() == 0) return;
        const std::size_t num_groups = margins.size() / rows.num_rows();
        data::BlockDecoder decoder;
        data::FeatureRows block_rows;
        for (std::size_t block = 0; block < rows.num_blocks(); ++block) {
            block_rows.Clear();
            data::ExpandBlock(rows, block, decoder, block_rows);
            const std::size_t size = num_groups * block_rows.num_rows();
            predictor.PredictMargins(block_rows, margins.subspan(num_groups * rows.first_row(block), size));
        }
    }

    /// What the start model says of each row, group-major: the sums are those the rounds before made. Rows' values are
    /// still there.
    Result<std::vector<std::vector<float>>> StartMargins(const std::vector<DataSet>& data_sets) const {
        const model::TreeEnsemble& start = context_.start->model;
        const auto num_groups = static_cast<std::size_t>(params_.num_groups());
        if (start.num_groups() != num_groups) {
            return Error(ErrorCode::kInvalidArgument,
                         fmt::format("the model to go on from gives {} values per row, this training {}: objective and "
                                     "num_class must be those it was trained with",
                                     start.num_groups(), num_groups));
        }
        const auto predictor = TRY(model::Predictor::Create(start));
        std::vector<std::vector<float>> all;
        for (const DataSet& set : data_sets) {
            const std::size_t num_rows = set.labeled.rows.num_rows();
            std::vector<float> by_row(num_rows * num_groups);
            PredictRows(*predictor, set.labeled.rows, by_row);
            std::vector<float>& by_group = all.emplace_back(by_row.size());
            for (std::size_t row = 0; row < num_rows; ++row) {
                for (std::size_t group = 0; group < num_groups; ++group) {
                    by_group[group * num_rows + row] = by_row[row * num_groups + group];
                }
            }
        }
        return all;
    }

    Result<void> GoOn(std::vector<std::vector<float>> margins, EarlyStopping& early_stopping) {
        model() = context_.start->model;
        if (data_.num_features > model().num_feature) {
            return Error(ErrorCode::kInvalidArgument,
                         fmt::format("Number of columns does not match number of features in booster: the model to go "
                                     "on from was trained on {} features, the data has {}",
                                     model().num_feature, data_.num_features));
        }
        model().objective = std::string(objective_->name());
        model().objective_params = objective_->ModelParams();
        model().num_parallel_tree = params_.num_parallel_tree;
        for (std::size_t i = 0; i < margins.size(); ++i) data_.sets[i].margins = std::move(margins[i]);
        outcome_.num_rounds_done = static_cast<int>(model().num_rounds()) - rounds_before_;
        if (outcome_.num_rounds_done > 0) {
            early_stopping.Restore(model());
        } else {
            model().attributes.erase("best_iteration");
            model().attributes.erase("best_score");
        }
        return {};
    }

    Result<void> Boost(Evaluation& evaluation, EarlyStopping& early_stopping) {
        const auto begin = SteadyClock::now();
        const std::unique_ptr<Booster> booster =
            Booster::Create({params_, *objective_, data_, context_.team, context_.comm});
        outcome_.stopped_early = early_stopping.IsDue(outcome_.num_rounds_done - 1);
        for (int round = outcome_.num_rounds_done; round < params_.num_rounds && !outcome_.stopped_early; ++round) {
            TRY(booster->Boost(model()));
            const std::span<const PreparedSet> evaluated =
                std::span<const PreparedSet>(data_.sets).subspan(num_unevaluated());
            const std::vector<MetricValue> metrics = TRY(evaluation.Evaluate(evaluated, context_.team, context_.comm));
            if (context_.on_round) context_.on_round({round, metrics, TreesOfLastRound()});
            TRY(CompareRanks(round));
            ++outcome_.num_rounds_done;
            std::vector<double> watched;
            for (const MetricValue& metric : std::span(metrics).last(evaluation.metrics().size())) {
                watched.push_back(metric.value);
            }
            outcome_.stopped_early = !outcome_.stopped_by_flag && early_stopping.StopsAfter(round, watched);
            early_stopping.Note(model());
            if (context_.on_model) context_.on_model(round, model());
            if (outcome_.stopped_by_flag) break;
        }
        outcome_.seconds.rounds = SecondsSince(begin);
        return {};
    }

    std::span<const model::Tree> TreesOfLastRound() {
        const std::vector<std::int32_t>& indptr = model().iteration_indptr;
        return std::span<const model::Tree>(model().trees).subspan(static_cast<std::size_t>(indptr[indptr.size() - 2]));
    }

    /// Whether any rank was told to stop; kInternal when the ranks' models differ.
    Result<void> CompareRanks(int round) {
        for (const model::Tree& tree : TreesOfLastRound()) hash_ = HashOf(hash_, tree);
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
        return {};
    }

    Result<TrainOutcome> Finish(const EarlyStopping& early_stopping) {
        early_stopping.CutModel(model());
        outcome_.best_round = early_stopping.active() ? early_stopping.best_round() : outcome_.num_rounds_done - 1;
        outcome_.best_score = early_stopping.best_score();
        outcome_.watched_metric = early_stopping.metric();
        outcome_.seconds.cuts = data_.cuts_seconds;
        outcome_.seconds.bins = data_.bins_seconds;
        outcome_.bytes_sent = context_.comm.bytes_sent();
        return std::move(outcome_);
    }

    const TrainParams& params_;
    const TrainContext& context_;
    std::unique_ptr<Objective> objective_;
    int rounds_before_ = 0;  ///< of an imported model
    PreparedData data_;
    std::uint64_t hash_ = 0xCBF29CE484222325ULL;
    TrainOutcome outcome_;
};

}  // namespace

std::unique_ptr<Booster> Booster::Create(const BoosterInput& input) {
    return MakeTreeBooster(input);
}

Result<TrainOutcome> Train(const TrainParams& params, std::vector<DataSet>& data_sets, const TrainContext& context,
                           BadLabel* bad_label) {
    CHECK(!data_sets.empty());
    return Job(params, context).Run(data_sets, bad_label);
}

}  // namespace espalier::learn
