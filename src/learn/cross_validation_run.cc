#include "learn/cross_validation_run.h"

#include <fmt/format.h>

#include <cerrno>
#include <filesystem>

#include "data/compact_rows.h"
#include "learn/cross_validation.h"
#include "learn/published_file.h"
#include "model/predictor.h"

namespace espalier::learn {

namespace {

class CrossValidation {
  public:
    CrossValidation(const CrossValidationInput& input, const std::vector<DataSet>& sets, TrainingLog& log)
        : input_(input), train_(data::Expand(sets[0].labeled)), log_(log) {
        if (sets.size() > 1) validation_ = data::Expand(sets[1].labeled);
    }

    Result<void> Run() {
        const Hyperparameters& parameters = input_.parameters;
        std::vector<float> labels = train_.labels;
        labels.insert(labels.end(), validation_.labels.begin(), validation_.labels.end());
        const std::string& objective = parameters.train.objective;
        const bool is_class = parameters.train.num_class > 0 || objective.starts_with("binary:");
        log_.Info(fmt::format("Run {}-round of {}-fold cross validation with {} rows", parameters.num_fold_repeats,
                              parameters.num_folds, labels.size()));
        TRY(MakeFolders());
        FoldPredictions predictions(labels, is_class, parameters.num_fold_repeats);
        for (int repeat = 0; repeat < parameters.num_fold_repeats && !stopped_; ++repeat) {
            const std::vector<int> folds =
                TRY(DrawFolds(labels, parameters.num_folds, is_class, parameters.train.seed, repeat));
            for (int fold = 0; fold < parameters.num_folds && !stopped_; ++fold) {
                log_.Info(fmt::format("Train cross validation fold {}", fold + 1));
                TRY(TrainOne(folds, fold, repeat, is_class, predictions));
            }
            log_.Info(fmt::format("The metrics of round {} cross validation", repeat + 1));
            const std::size_t first = static_cast<std::size_t>(repeat * parameters.num_folds);
            TellMeans(std::span(last_rounds_).subspan(first));
        }
        TRY(PublishFile(predictions.ToCsv(), input_.root + "/output/data/.predictions.csv.staging",
                        input_.root + "/output/data/predictions.csv"));
        if (parameters.num_fold_repeats > 1) {
            log_.Info(fmt::format("The overall metrics of {}-round cross validation", parameters.num_fold_repeats));
            TellMeans(last_rounds_);
        }
        return {};
    }

  private:
    Result<void> MakeFolders() const {
        std::error_code error;
        std::filesystem::create_directories(input_.root + "/model", error);
        if (!error) std::filesystem::create_directories(input_.root + "/output/data", error);
        if (error) return ErrnoError("make the folders of the models", error.value());
        return {};
    }

    void TellMeans(std::span<const std::vector<MetricValue>> last_rounds) const {
        log_.Raw(MeanMetricsLine(input_.parameters.train.num_rounds, last_rounds));
    }

    Result<void> TrainOne(const std::vector<int>& folds, int fold, int repeat, bool is_class,
                          FoldPredictions& predictions) {
        std::vector<DataSet> sets;
        sets.push_back({"fold", TakeRows(train_, validation_, folds, fold, false), {}});
        sets.push_back({"train", train_, {}});
        if (!validation_.labels.empty()) sets.push_back({"validation", validation_, {}});
        std::vector<MetricValue> last_round;
        const TrainContext context{.team = input_.team,
                                   .comm = input_.comm,
                                   .stop = input_.stop,
                                   .on_round =
                                       [&](const RoundReport& report) {
                                           log_.Metrics(report);
                                           last_round = report.metrics;
                                       },
                                   .evaluates_training_set = false};
        TrainOutcome outcome = TRY(Train(input_.parameters.train, sets, context));
        stopped_ = outcome.stopped_by_flag;
        last_rounds_.push_back(std::move(last_round));
        const std::string path =
            fmt::format("{}/model/xgboost-model-{}", input_.root, repeat * input_.parameters.num_folds + fold);
        TRY(PublishModel(outcome.model, model::ModelFormat::kUbjson, path));
        const auto predictor = TRY(model::Predictor::Create(std::move(outcome.model)));
        const data::LabeledRows left_out = TakeRows(train_, validation_, folds, fold, true);
        const auto num_groups = static_cast<std::size_t>(input_.parameters.train.num_groups());
        std::vector<float> outputs(left_out.labels.size() * num_groups);
        if (is_class) {
            predictor->PredictMargins(left_out.rows, outputs);
            predictor->MarginsToProbabilities(outputs);
        } else {
            predictor->PredictInto(left_out.rows, outputs);
        }
        predictions.Note(folds, fold, repeat, outputs);
        return {};
    }

    const CrossValidationInput& input_;
    const data::LabeledRows train_;
    data::LabeledRows validation_;
    TrainingLog& log_;
    bool stopped_ = false;
    std::vector<std::vector<MetricValue>> last_rounds_;  ///< [trainings]
};

}  // namespace

Result<void> RunCrossValidation(const CrossValidationInput& input, const std::vector<DataSet>& sets, TrainingLog& log,
                                BadLabel* bad_label) {
    const auto objective = TRY(MakeObjective(input.parameters.train));
    TRY(CheckLabels(*objective, sets, input.comm, bad_label));
    return CrossValidation(input, sets, log).Run();
}

}  // namespace espalier::learn
