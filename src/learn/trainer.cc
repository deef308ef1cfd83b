#include "learn/trainer.h"

#include <fmt/format.h>

#include "base/check.h"
#include "learn/base_score.h"
#include "learn/booster.h"
#include "learn/early_stopping.h"
#include "learn/model_rounds.h"
#include "learn/start_values.h"
#include "learn/tree_method.h"
#include "model/links.h"

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
    hash = HashOf(hash, tree.leaf_weights.data(), tree.leaf_weights.size() * sizeof(float));
    return HashOf(hash, tree.split_conditions.data(), tree.split_conditions.size() * sizeof(float));
}

class Job {
  public:
    Job(const TrainParams& params, const TrainContext& context) : params_(params), context_(context) {}

    Result<TrainOutcome> Run(std::vector<DataSet>& data_sets, BadRow* bad_row) {
        objective_ = TRY(MakeObjective(params_));
        if (context_.start != nullptr) rounds_before_ = context_.start->rounds_before;
        Evaluation evaluation = TRY(Evaluation::Create(params_, *objective_, data_sets.size()));
        EarlyStopping early_stopping(params_, data_sets.size() - num_unevaluated(), evaluation.metrics(),
                                     rounds_before_);
        TRY(CheckRows(*objective_, data_sets, context_.comm, bad_row));
        std::vector<StartValues> start_values;
        if (context_.start != nullptr) {
            TakeStart();
            start_values = TRY(PredictStart(params_, model(), data_sets));
        }
        data_ = TRY(PrepareData(params_, data_sets, context_.team, context_.comm, context_.bins));
        outcome_.bin_memory_bytes = data_.memory_bytes();
        if (context_.on_prepared) context_.on_prepared(data_);
        TRY(objective_->Prepare(data_.sets[0].View(), context_.team, context_.comm));
        if (context_.start != nullptr) {
            TRY(GoOn(std::move(start_values), early_stopping));
        } else {
            TRY(StartModel());
        }
        TRY(Boost(evaluation, early_stopping));
        return Finish(early_stopping);
    }

  private:
    model::TreeEnsemble& model() { return outcome_.model; }
    const model::TreeEnsemble* updated() const { return params_.updates() ? &*context_.start->updated : nullptr; }
    std::size_t num_unevaluated() const { return context_.evaluates_training_set ? 0 : 1; }

    /// A model without trees, and margins as it predicts them: what is trained is what is served.
    Result<void> StartModel() {
        const PreparedSet& train = data_.sets[0];
        model().base_score =
            TRY(FindBaseScore(params_, *objective_, train.View(), data_.weighted(), context_.team, context_.comm));
        model().objective = std::string(objective_->name());
        model().objective_params = objective_->ModelParams();
        model().booster = params_.booster;
        model().num_class = params_.num_class > 1 ? params_.num_class : 0;
        model().num_target = model().num_class > 0 ? 1 : params_.num_groups();
        model().num_feature = static_cast<std::uint32_t>(data_.num_features);
        model().boost_from_average = !params_.base_score.has_value();
        model().num_parallel_tree = params_.num_parallel_tree;
        for (const std::uint8_t categorical : data_.categorical) {
            model().feature_types.emplace_back(categorical != 0 ? "c" : "q");
        }
        const std::vector<float> base_margins = TRY(model::BaseMargins(model()));
        for (PreparedSet& set : data_.sets) {
            set.margins.clear();
            for (const float margin : base_margins) set.margins.insert(set.margins.end(), set.labels.size(), margin);
        }
        return {};
    }

    /// The model to go on from; a base_score that is given replaces its own, as in stock.
    void TakeStart() {
        model() = context_.start->model;
        if (!params_.base_score.has_value()) return;
        model().base_score = {*params_.base_score};
        model().boost_from_average = false;
    }

    Result<void> GoOn(std::vector<StartValues> values, EarlyStopping& early_stopping) {
        if (data_.num_features > model().num_feature) {
            return Error(ErrorCode::kInvalidArgument,
                         fmt::format("Number of columns does not match number of features in booster: the model to go "
                                     "on from was trained on {} features, the data has {}",
                                     model().num_feature, data_.num_features));
        }
        model().objective = std::string(objective_->name());
        model().objective_params = objective_->ModelParams();
        model().num_parallel_tree = params_.num_parallel_tree;
        if (params_.booster == model::Booster::kDart && model().weight_drop.empty()) {
            model().weight_drop.assign(model().trees.size(), 1.0F);
        }
        model().booster = params_.booster;
        for (std::size_t i = 0; i < values.size(); ++i) {
            data_.sets[i].margins = std::move(values[i].margins);
            data_.sets[i].leaf_values = std::move(values[i].leaf_values);
        }
        outcome_.num_rounds_done = static_cast<int>(RoundsOf(model())) - rounds_before_;
        if (outcome_.num_rounds_done > 0) {
            early_stopping.Restore(model());
        } else {
            model().attributes.erase("best_iteration");
            model().attributes.erase("best_score");
        }
        return {};
    }

    /// Of a checkpoint after which nothing is left to do: whoever was to hear it may have died before.
    Result<void> TellLastRound(Evaluation& evaluation) {
        const std::span<const PreparedSet> evaluated =
            std::span<const PreparedSet>(data_.sets).subspan(num_unevaluated());
        const std::vector<MetricValue> metrics = TRY(evaluation.Evaluate(evaluated, context_.team, context_.comm));
        if (context_.on_round) context_.on_round({outcome_.num_rounds_done - 1, metrics, TreesOfLastRound()});
        return {};
    }

    Result<void> Boost(Evaluation& evaluation, EarlyStopping& early_stopping) {
        const auto begin = SteadyClock::now();
        const std::unique_ptr<Booster> booster =
            Booster::Create({params_, *objective_, data_, context_.team, context_.comm, updated()});
        outcome_.stopped_early = early_stopping.IsDue(outcome_.num_rounds_done - 1);
        if (outcome_.num_rounds_done > 0 &&
            (outcome_.stopped_early || outcome_.num_rounds_done == params_.num_rounds)) {
            TRY(TellLastRound(evaluation));
        }
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
        if (indptr.size() < 2) return {};  // gblinear has none.
        return std::span<const model::Tree>(model().trees).subspan(static_cast<std::size_t>(indptr[indptr.size() - 2]));
    }

    /// Whether any rank was told to stop; kInternal when the ranks' models differ.
    Result<void> CompareRanks(int round) {
        for (const model::Tree& tree : TreesOfLastRound()) hash_ = HashOf(hash_, tree);
        for (const std::vector<float>* weights : {&model().weight_drop, &model().linear_weights}) {
            hash_ = HashOf(hash_, weights->data(), weights->size() * sizeof(float));
        }
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
    switch (input.params.booster) {
        case model::Booster::kDart:
            return MakeDartBooster(input);
        case model::Booster::kGblinear:
            return MakeLinearBooster(input);
        default:
            return MakeTreeBooster(input);
    }
}

Result<TrainOutcome> Train(const TrainParams& params, std::vector<DataSet>& data_sets, const TrainContext& context,
                           BadRow* bad_row) {
    CHECK(!data_sets.empty());
    std::vector<std::int64_t> rows = {static_cast<std::int64_t>(data_sets[0].labeled.rows.num_rows())};
    TRY(context.comm.AllReduceSum(rows));
    const TrainParams fitted = TRY(FitToStart(params, context.start));
    const TrainParams decided = TRY(DecideTreeMethod(fitted, static_cast<std::uint64_t>(rows[0]), context.comm.size()));
    return Job(decided, context).Run(data_sets, bad_row);
}

}  // namespace espalier::learn
