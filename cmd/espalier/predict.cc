// `espalier predict`: a model applied to a file of rows, one line of output a row.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/progress_bar.h"
#include "data/load_rows.h"
#include "espalier/commands.h"
#include "hosting/number_text.h"
#include "model/links.h"
#include "model/objective_table.h"
#include "model/open_model.h"
#include "model/predictor.h"

namespace espalier::cmd {
namespace {

struct PredictOptions {
    std::string model;
    std::vector<std::string> data;
    std::string content_type;
    std::string output;
    bool labeled = false;
    int threads = 0;
};

enum class Output { kStock, kLabel, kProbability, kMargin };

// Applies the model to block after block and prints. Confined to the thread that holds the loader's turn.
class RowPrinter {
  public:
    RowPrinter(std::shared_ptr<const model::Predictor> predictor, Output output)
        : predictor_(std::move(predictor)), output_(output), groups_(predictor_->ensemble().num_groups()) {}

    Result<void> Print(const data::FeatureRows& rows) {
        std::uint32_t known = predictor_->ensemble().num_feature;
        if (rows.num_features > known) {
            return Error(
                ErrorCode::kInvalidArgument,
                fmt::format(
                    "the data has features up to index {}, the model knows {} features (0 to {}): Number of "
                    "columns does not match number of features in booster.{}",
                    rows.num_features - 1, known, known - 1,
                    rows.num_features == known + 1 ? " If the first CSV column is a label, add --labeled." : ""));
        }
        Compute(rows);
        text_.clear();
        std::size_t per_row = rows.num_rows() == 0 ? 1 : values_.size() / rows.num_rows();
        for (std::size_t i = 0; i < values_.size(); ++i) {
            hosting::AppendPythonFloat(text_, values_[i]);
            text_ += (i + 1) % per_row == 0 ? '\n' : ',';
        }
        if (std::fwrite(text_.data(), 1, text_.size(), stdout) != text_.size()) {
            return ErrnoError("write to the standard output", errno);
        }
        return {};
    }

  private:
    void Compute(const data::FeatureRows& rows) {
        if (output_ == Output::kStock) return predictor_->PredictInto(rows, values_);
        values_.resize(rows.num_rows() * groups_);
        predictor_->PredictMargins(rows, values_);
        if (output_ == Output::kMargin) return;
        if (output_ == Output::kProbability) return predictor_->MarginsToProbabilities(values_);
        if (groups_ == 1) {
            // A margin above 0 is a probability above one half.
            for (float& value : values_) value = value > 0 ? 1.0F : 0.0F;
            return;
        }
        for (std::size_t row = 0; row < rows.num_rows(); ++row) {
            std::span<const float> margins = std::span<const float>(values_).subspan(row * groups_, groups_);
            values_[row] = static_cast<float>(model::ArgMax(margins));
        }
        values_.resize(rows.num_rows());
    }

    std::shared_ptr<const model::Predictor> predictor_;
    Output output_;
    std::size_t groups_;
    std::vector<float> values_;
    std::string text_;
};

Result<Output> ChooseOutput(const std::string& name, const model::TreeEnsemble& ensemble) {
    if (name.empty()) return Output::kStock;
    if (name == "margin") return Output::kMargin;
    model::Link link = model::FindObjective(ensemble.objective)->link;
    bool multi = link == model::Link::kArgmax || link == model::Link::kSoftmax;
    bool binary = ensemble.objective.starts_with("binary:") || ensemble.objective == "reg:logistic";
    if (name == "label" && !multi && !binary) {
        return Error(ErrorCode::kInvalidArgument, fmt::format("--output label: {} predicts numbers, not classes. Leave "
                                                              "--output out to get them.",
                                                              ensemble.objective));
    }
    if (name == "probability" && !multi && link != model::Link::kSigmoid) {
        return Error(
            ErrorCode::kInvalidArgument,
            fmt::format("--output probability: {} gives no probabilities. Leave --output out to get its prediction, "
                        "or ask for --output margin.",
                        ensemble.objective));
    }
    return name == "label" ? Output::kLabel : Output::kProbability;
}

Result<void> Predict(const PredictOptions& options) {
    data::LoadOptions load;
    load.format = TRY(data::ParseRequestContentType(options.content_type));
    load.labeled = options.labeled;
    load.num_threads =
        options.threads > 0 ? options.threads : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    std::vector<data::DataFile> files = TRY(data::FindDataFiles(options.data));
    if (files.empty()) return Error(ErrorCode::kInvalidArgument, "there is no data: the files are empty");
    auto predictor = TRY(model::Predictor::Create(TRY(model::OpenModel(options.model)).ensemble));
    RowPrinter printer(predictor, TRY(ChooseOutput(options.output, predictor->ensemble())));
    std::uint64_t total_bytes = 0;
    for (const data::DataFile& file : files) total_bytes += file.size_bytes;
    ProgressBar bar("predicting", total_bytes);
    load.on_progress = [&](std::uint64_t bytes_read) { bar.Update(bytes_read); };
    data::LoadReport report;
    TRY(data::LoadRowBlocks(files, load, report, [&](const data::FeatureRows& block) { return printer.Print(block); }));
    if (std::fflush(stdout) != 0) return ErrnoError("write to the standard output", errno);
    for (const std::string& warning : report.warnings) fmt::print(stderr, "espalier predict: {}\n", warning);
    return {};
}

}  // namespace

void AddPredict(CLI::App& app, int& exit_code) {
    auto options = std::make_shared<PredictOptions>();
    CLI::App* command = app.add_subcommand("predict", "Apply a model to rows in files; one line a row on stdout");
    command
        ->add_option("--model", options->model, "an XGBoost model (JSON or UBJSON), or a model.tar.gz with one inside")
        ->required();
    command->add_option("--data", options->data, "files or folders of rows; gzip is recognised")->required();
    command->add_option("--content-type", options->content_type, "text/libsvm (the default) or text/csv");
    command
        ->add_option("--output", options->output,
                     "label: the class; probability: of class 1, or of every class, joined by commas;\n"
                     "margin: the sum of the trees. Without it: what stock Booster.predict returns")
        ->check(CLI::IsMember({"label", "probability", "margin"}));
    command->add_flag("--labeled", options->labeled,
                      "the first CSV column is a label: leave it out (libsvm labels always are)");
    command->add_option("--threads", options->threads, "threads that read the text; default: all cores")
        ->check(CLI::Range(1, data::kLoadThreadsMax));
    command->footer(
        "Lines come in the order of the rows; blank lines of the data count for nothing. Numbers are float32 values "
        "printed\n"
        "as Python prints them (7.0, 0.43861907720565796), as the SageMaker containers answer.\n"
        "\n"
        "Example:\n"
        "  espalier train --train train.libsvm --model m.ubj objective=multi:softmax num_class=10 num_round=10\n"
        "  espalier predict --model m.ubj --data test.libsvm > classes.txt\n"
        "  espalier predict --model m.ubj --data test.libsvm --output probability | head -1");
    command->callback([options, &exit_code] {
        Result<void> done = Predict(*options);
        if (!done) {
            std::fflush(stdout);
            fmt::print(stderr, "espalier predict: {}\n", done.error().ToString());
        }
        exit_code = done ? 0 : 1;
    });
}

}  // namespace espalier::cmd
