#include "learn/cross_validation_run.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "data/compact_rows.h"
#include "learn/channel_loader.h"
#include "learn/cross_validation.h"
#include "learn/published_file.h"
#include "model/predictor.h"

namespace espalier::learn {

namespace {

/// This rank's rows among those of all ranks: the training rows of all, then the validation rows of all.
struct Places {
    std::vector<float> labels;      ///< of all rows of all ranks
    std::vector<std::size_t> mine;  ///< [rows of this rank, training rows first]
};

struct PlacedLabel {
    std::uint64_t place;
    float label;
};

Result<Places> AgreeOnLabels(const std::vector<DataSet>& sets, collective::Comm& comm) {
    Places places;
    std::vector<PlacedLabel> mine;
    std::size_t begin = 0;
    for (const DataSet& set : sets) {
        const std::vector<float>& labels = set.labeled.labels;
        const std::vector<RowSegment> whole = {{0, 0}};
        ForEachIdentity(set.segments.empty() ? whole : set.segments, 0, labels.size(),
                        [&](std::size_t row, std::uint64_t identity) {
                            places.mine.push_back(begin + identity);
                            mine.push_back({begin + identity, labels[row]});
                        });
        std::vector<std::int64_t> total = {static_cast<std::int64_t>(labels.size())};
        TRY(comm.AllReduceSum(total));
        begin += static_cast<std::size_t>(total[0]);
    }
    places.labels.resize(begin);
    for (const std::vector<std::byte>& bytes : TRY(comm.AllGatherV(std::as_bytes(std::span(mine))))) {
        std::vector<PlacedLabel> theirs(bytes.size() / sizeof(PlacedLabel));
        if (!theirs.empty()) std::memcpy(theirs.data(), bytes.data(), bytes.size());
        for (const PlacedLabel& placed : theirs) places.labels[placed.place] = placed.label;
    }
    return places;
}

/// Where rows that are kept are among all that are, for rows at rising runs of places.
std::vector<RowSegment> SegmentsOf(std::span<const std::size_t> kept, const std::vector<std::size_t>& num_kept_before) {
    std::vector<RowSegment> segments = {{0, 0}};
    for (std::size_t row = 0; row < kept.size(); ++row) {
        const std::uint64_t place = num_kept_before[kept[row]];
        const RowSegment& last = segments.back();
        if (row > 0 && place == last.global_begin + (row - last.local_begin)) continue;
        if (row == 0) segments.clear();
        segments.push_back({row, place});
    }
    return segments;
}

class CrossValidation {
  public:
    CrossValidation(const CrossValidationInput& input, const std::vector<DataSet>& sets, Places places,
                    TrainingLog& log)
        : input_(input),
          train_(data::Expand(sets[0].labeled)),
          train_segments_(sets[0].segments),
          places_(std::move(places)),
          has_validation_(sets.size() > 1),
          log_(log) {
        if (!has_validation_) return;
        validation_ = data::Expand(sets[1].labeled);
        validation_segments_ = sets[1].segments;
    }

    Result<void> Run() {
        const Hyperparameters& parameters = input_.parameters;
        const std::string& objective = parameters.train.objective;
        const bool is_class = parameters.train.num_class > 0 || objective.starts_with("binary:");
        Tell(fmt::format("Run {}-round of {}-fold cross validation with {} rows", parameters.num_fold_repeats,
                         parameters.num_folds, places_.labels.size()));
        TRY(OnRankZero([this] { return MakeFolders(); }));
        FoldPredictions predictions(places_.labels, is_class, parameters.num_fold_repeats);
        for (int repeat = 0; repeat < parameters.num_fold_repeats && !stopped_; ++repeat) {
            const std::vector<int> folds =
                TRY(DrawFolds(places_.labels, parameters.num_folds, is_class, parameters.train.seed, repeat));
            for (int fold = 0; fold < parameters.num_folds && !stopped_; ++fold) {
                Tell(fmt::format("Train cross validation fold {}", fold + 1));
                TRY(TrainOne(folds, fold, repeat, is_class, predictions));
            }
            Tell(fmt::format("The metrics of round {} cross validation", repeat + 1));
            const std::size_t first = static_cast<std::size_t>(repeat * parameters.num_folds);
            TellMeans(std::span(last_rounds_).subspan(first));
        }
        TRY(predictions.Share(input_.comm));
        TRY(OnRankZero([&] {
            return PublishFile(predictions.ToCsv(), input_.root + "/output/data/.predictions.csv.staging",
                               input_.root + "/output/data/predictions.csv");
        }));
        if (parameters.num_fold_repeats > 1) {
            Tell(fmt::format("The overall metrics of {}-round cross validation", parameters.num_fold_repeats));
            TellMeans(last_rounds_);
        }
        return {};
    }

  private:
    bool writes() const { return input_.comm.rank() == 0; }

    /// What rank 0 does for all; its error is everyone's.
    template <typename Deed>
    Result<void> OnRankZero(const Deed& deed) const {
        Result<void> done;
        if (writes()) done = deed();
        return AgreeOnErrors(done.has_value() ? nullptr : &done.error(), input_.hosts, input_.comm);
    }

    Result<void> MakeFolders() const {
        std::error_code error;
        std::filesystem::create_directories(input_.root + "/model", error);
        if (!error) std::filesystem::create_directories(input_.root + "/output/data", error);
        if (error) return ErrnoError("make the folders of the models", error.value());
        return {};
    }

    void Tell(const std::string& text) const {
        if (writes()) log_.Info(text);
    }
    void TellMeans(std::span<const std::vector<MetricValue>> last_rounds) const {
        if (writes()) log_.Raw(MeanMetricsLine(input_.parameters.train.num_rounds, last_rounds));
    }

    /// The rows of a fold, or of all others, as a set to train on.
    DataSet FoldOf(const std::vector<int>& folds, int fold, bool keep) const {
        std::vector<int> mine;
        std::vector<std::size_t> kept;
        for (const std::size_t place : places_.mine) {
            mine.push_back(folds[place]);
            if ((folds[place] == fold) == keep) kept.push_back(place);
        }
        std::vector<std::size_t> num_kept_before;
        std::size_t num_kept = 0;
        for (const int of_row : folds) {
            num_kept_before.push_back(num_kept);
            if ((of_row == fold) == keep) ++num_kept;
        }
        return {"fold", TakeRows(train_, validation_, mine, fold, keep), SegmentsOf(kept, num_kept_before)};
    }

    Result<void> TrainOne(const std::vector<int>& folds, int fold, int repeat, bool is_class,
                          FoldPredictions& predictions) {
        std::vector<DataSet> sets;
        sets.push_back(FoldOf(folds, fold, false));
        sets.push_back({"train", train_, train_segments_});
        if (has_validation_) sets.push_back({"validation", validation_, validation_segments_});
        std::vector<MetricValue> last_round;
        const TrainContext context{.team = input_.team,
                                   .comm = input_.comm,
                                   .stop = input_.stop,
                                   .on_round =
                                       [&](const RoundReport& report) {
                                           if (writes()) log_.Metrics(report);
                                           last_round = report.metrics;
                                       },
                                   .start = input_.start,
                                   .evaluates_training_set = false};
        TrainOutcome outcome = TRY(Train(input_.parameters.train, sets, context));
        stopped_ = outcome.stopped_by_flag;
        last_rounds_.push_back(std::move(last_round));
        const std::string path =
            fmt::format("{}/model/xgboost-model-{}", input_.root, repeat * input_.parameters.num_folds + fold);
        TRY(OnRankZero([&] {
            return PublishModel(outcome.model, ProfileOf(input_.parameters.train.version).model_release, path);
        }));
        return Predict(std::move(outcome.model), folds, fold, repeat, is_class, predictions);
    }

    /// What the model says of this rank's rows that it has not seen.
    Result<void> Predict(model::TreeEnsemble model, const std::vector<int>& folds, int fold, int repeat, bool is_class,
                         FoldPredictions& predictions) const {
        const auto predictor = TRY(model::Predictor::Create(std::move(model)));
        const data::LabeledRows left_out = data::Expand(FoldOf(folds, fold, true).labeled);
        const auto num_groups = static_cast<std::size_t>(input_.parameters.train.num_groups());
        std::vector<float> outputs(left_out.labels.size() * num_groups);
        if (is_class) {
            predictor->PredictMargins(left_out.rows, outputs);
            predictor->MarginsToProbabilities(outputs);
        } else {
            predictor->PredictInto(left_out.rows, outputs);
        }
        std::vector<std::size_t> rows;
        for (const std::size_t place : places_.mine) {
            if (folds[place] == fold) rows.push_back(place);
        }
        predictions.Note(rows, repeat, outputs);
        return {};
    }

    const CrossValidationInput& input_;
    const data::LabeledRows train_;
    const std::vector<RowSegment> train_segments_;
    data::LabeledRows validation_;
    std::vector<RowSegment> validation_segments_;
    const Places places_;
    const bool has_validation_;
    TrainingLog& log_;
    bool stopped_ = false;
    std::vector<std::vector<MetricValue>> last_rounds_;  ///< [trainings]
};

}  // namespace

Result<void> RunCrossValidation(const CrossValidationInput& input, const std::vector<DataSet>& sets, TrainingLog& log,
                                BadRow* bad_row) {
    const auto objective = TRY(MakeObjective(input.parameters.train));
    TRY(CheckRows(*objective, sets, input.comm, bad_row));
    return CrossValidation(input, sets, TRY(AgreeOnLabels(sets, input.comm)), log).Run();
}

}  // namespace espalier::learn
