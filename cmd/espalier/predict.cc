// `espalier predict`: a model applied to a file of rows, one line of output a row.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <charconv>
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
#include "model/open_model.h"
#include "model/predictor.h"
#include "model/row_outputs.h"

namespace espalier::cmd {
namespace {

struct PredictOptions {
    std::string model;
    std::vector<std::string> data;
    std::string content_type;
    std::string output;
    std::string rounds;
    bool labeled = false;
    int threads = 0;
};

// Applies the model to block after block and prints. Confined to the thread that holds the loader's turn.
class RowPrinter {
  public:
    RowPrinter(std::shared_ptr<const model::Predictor> predictor, model::RowOutputs outputs)
        : predictor_(std::move(predictor)), outputs_(std::move(outputs)) {}

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
        TRY(outputs_.Compute(rows, values_));
        text_.clear();
        std::size_t per_row = outputs_.per_row();
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
    std::shared_ptr<const model::Predictor> predictor_;
    model::RowOutputs outputs_;
    std::vector<float> values_;
    std::string text_;
};

// "5:20", "5:" or ":20"
Result<void> KeepRounds(const std::string& text, model::TreeEnsemble& ensemble) {
    std::size_t bounds[2] = {0, 0};
    std::size_t colon = text.find(':');
    auto parse = [](std::string_view part, std::size_t& value) {
        auto [stop, status] = std::from_chars(part.data(), part.data() + part.size(), value);
        return part.empty() || (status == std::errc() && stop == part.data() + part.size());
    };
    bool good = colon != std::string::npos && parse(std::string_view(text).substr(0, colon), bounds[0]) &&
                parse(std::string_view(text).substr(colon + 1), bounds[1]);
    if (!good) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("--rounds {}: write the first round and the one after the last, as 0:10", text));
    }
    return model::KeepRounds(ensemble, bounds[0], bounds[1]);
}

Result<void> Predict(const PredictOptions& options) {
    data::LoadOptions load;
    load.format = TRY(data::ParseRequestContentType(options.content_type));
    load.labeled = options.labeled;
    load.num_threads =
        options.threads > 0 ? options.threads : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    std::vector<data::DataFile> files = TRY(data::FindDataFiles(options.data));
    if (files.empty()) return Error(ErrorCode::kInvalidArgument, "there is no data: the files are empty");
    model::TreeEnsemble ensemble = TRY(model::OpenModel(options.model)).ensemble;
    if (!options.rounds.empty()) TRY(KeepRounds(options.rounds, ensemble));
    auto predictor = TRY(model::Predictor::Create(std::move(ensemble)));
    RowPrinter printer(predictor, TRY_MSG(model::RowOutputs::Create(predictor, options.output), "--output"));
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
        ->add_option("--model", options->model,
                     "a model file (XGBoost, LightGBM text, ONNX), or a model.tar.gz with one inside")
        ->required();
    command->add_option("--data", options->data, "files or folders of rows; gzip is recognised")->required();
    command->add_option("--content-type", options->content_type, "text/libsvm (the default) or text/csv");
    command
        ->add_option(
            "--output", options->output,
            "label: the class; probability: of class 1, or of every class, joined by commas;\n"
            "margin: the sum of the trees; leaf: the node each tree ends in; contributions: what each feature\n"
            "adds to the margin (TreeSHAP), then the mean; interactions: the same for each pair of features,\n"
            "row by row of a square. Several outputs follow one another. Without it: what stock\n"
            "Booster.predict returns")
        ->check(CLI::IsMember({"label", "probability", "margin", "leaf", "contributions", "interactions"}));
    command->add_option("--rounds", options->rounds, "only these rounds of the model: FIRST:END, as 0:10 or 5:");
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
