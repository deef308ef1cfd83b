// `espalier train`: a model from files, at a terminal.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <vector>

#include "base/peak_memory.h"
#include "base/progress_bar.h"
#include "collective/self_comm.h"
#include "collective/thread_comm.h"
#include "data/row_place.h"
#include "espalier/commands.h"
#include "learn/channel_loader.h"
#include "learn/hyperparameters.h"
#include "learn/parquet_schema.h"
#include "learn/published_file.h"
#include "learn/python_text.h"
#include "learn/trainer.h"
#include "learn/training_instance.h"
#include "learn/training_log.h"
#include "model/open_model.h"

namespace espalier::cmd {
namespace {

constexpr int kInstancesMax = 64;

struct TrainCommandOptions {
    std::vector<std::string> train;
    std::vector<std::string> validation;
    std::string content_type;
    std::string feature_types;
    std::string feature_weights;
    std::string model;
    std::string start_model;
    std::string upper_bounds;             ///< of the training rows' labels
    std::string validation_upper_bounds;  ///< of the validation rows'
    std::string timings;
    std::vector<std::string> hyperparameters;
    int instances = 1;
    int threads = 0;
    std::size_t memory_limit_mb = 0;  ///< 0: none

    /// Of one instance.
    std::size_t memory_bytes_max() const { return memory_limit_mb * 1'000'000 / static_cast<std::size_t>(instances); }
    std::string scratch_folder() const {
        const std::filesystem::path path(model);
        return path.has_parent_path() ? path.parent_path().string() : ".";
    }
};

Result<learn::HyperparameterList> SplitPairs(const std::vector<std::string>& pairs) {
    learn::HyperparameterList list;
    for (const std::string& pair : pairs) {
        const std::size_t equals = pair.find('=');
        if (equals == std::string::npos || equals == 0) {
            return Error(ErrorCode::kInvalidArgument,
                         fmt::format("'{}' is not a hyperparameter: write NAME=VALUE, for example max_depth=5", pair));
        }
        list.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
    }
    return list;
}

/// "q,c,c": a type for each feature of the rows.
Result<std::vector<data::FeatureType>> ReadFeatureTypes(const std::string& text) {
    std::vector<data::FeatureType> types;
    if (text.empty()) return types;
    for (const std::string& name : learn::SplitCommas(text)) {
        if (name != "q" && name != "c") {
            return Error(ErrorCode::kInvalidArgument,
                         fmt::format("--feature-types: '{}' is no type: write q for numbers and c for numbers of "
                                     "categories, one per feature, for example q,c,c",
                                     name));
        }
        types.push_back(name == "c" ? data::FeatureType::kCategorical : data::FeatureType::kNumeric);
    }
    return types;
}

/// "1,0.5,2": a weight for each feature.
Result<std::vector<float>> ReadFeatureWeights(const std::string& text) {
    std::vector<float> weights;
    if (text.empty()) return weights;
    for (const std::string& number : learn::SplitCommas(text)) {
        const auto weight = learn::ParsePythonFloat(number);
        if (!weight.has_value() || !(*weight >= 0) || !std::isfinite(*weight)) {
            return Error(ErrorCode::kInvalidArgument,
                         fmt::format("--feature-weights: '{}' is no weight: write numbers from 0 on, one per feature, "
                                     "for example 1,0.5,2",
                                     number));
        }
        weights.push_back(static_cast<float>(*weight));
    }
    return weights;
}

/// A number per line, one for each row, none below the row's label.
Result<std::vector<float>> ReadUpperBounds(const std::string& flag, const std::string& path,
                                           std::span<const float> labels) {
    std::ifstream file(path);
    if (!file) return Error(ErrorCode::kInvalidArgument, fmt::format("{}: cannot read {}", flag, path));
    std::vector<float> bounds;
    std::string line;
    while (std::getline(file, line)) {
        const auto bound = learn::ParsePythonFloat(line);
        const std::size_t row = bounds.size();
        if (!bound.has_value() || std::isnan(*bound)) {
            return Error(ErrorCode::kInvalidArgument,
                         fmt::format("{}, line {}: '{}' is no time: write a number, or inf when no end was seen", path,
                                     row + 1, line));
        }
        bounds.push_back(static_cast<float>(*bound));
        if (row >= labels.size()) break;
        if (!(labels[row] >= 0) || !(bounds[row] >= labels[row]) || !(bounds[row] > 0)) {
            return Error(ErrorCode::kInvalidArgument,
                         fmt::format("{}, line {}: the time of row {} would lie between {} and {}: bounds must be from "
                                     "0 on, the upper one above 0 and not below the label",
                                     path, row + 1, row + 1, labels[row], bounds[row]));
        }
    }
    if (bounds.size() == labels.size()) return bounds;
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} has {} lines than there are rows of data ({}): write one number per row", path,
                             bounds.size() < labels.size() ? "fewer" : "more", labels.size()));
}

/// A flag that takes several values also takes the NAME=VALUE words behind it; they are given back here. A file whose
/// name holds '=' stays a file when it exists.
void MovePairsOut(std::vector<std::string>& paths, std::vector<std::string>& hyperparameters) {
    const auto is_path = [](const std::string& word) {
        return word.find('=') == std::string::npos || std::filesystem::exists(word);
    };
    const auto first_pair = std::stable_partition(paths.begin(), paths.end(), is_path);
    hyperparameters.insert(hyperparameters.end(), first_pair, paths.end());
    paths.erase(first_pair, paths.end());
}

[[noreturn]] void OnOutOfMemory() {
    constexpr std::string_view kMessage =
        "espalier train: out of memory. Use less data, or a smaller num_class, max_bin or max_depth.\n";
    std::ignore = write(STDERR_FILENO, kMessage.data(), kMessage.size());
    std::_Exit(1);
}

using SteadyClock = std::chrono::steady_clock;

double SecondsSince(SteadyClock::time_point begin) {
    return std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

struct InstanceOutcome {
    learn::TrainOutcome train;
    double load_seconds = 0;  ///< text to rows
};

/// The seconds of each stage as one JSON object, for benchmarks.
Result<void> WriteTimings(const std::string& path, const InstanceOutcome& outcome, double save_seconds,
                          double total_seconds) {
    const learn::StageSeconds& seconds = outcome.train.seconds;
    std::ofstream file(path);
    file << fmt::format(
        "{{\"load_seconds\": {:.6f}, \"cuts_seconds\": {:.6f}, \"bins_seconds\": {:.6f}, \"rounds_seconds\": {:.6f}, "
        "\"save_seconds\": {:.6f}, \"total_seconds\": {:.6f}, \"num_rounds\": {}, \"peak_memory_bytes\": {}, "
        "\"bin_memory_bytes\": {}, \"bytes_sent\": {}}}\n",
        outcome.load_seconds, seconds.cuts, seconds.bins, seconds.rounds, save_seconds, total_seconds,
        outcome.train.num_rounds_done, PeakMemoryBytes(), outcome.train.bin_memory_bytes, outcome.train.bytes_sent);
    file.close();
    if (!file) return Error(ErrorCode::kIo, "--timings: cannot write " + path);
    return {};
}

/// What one instance does; several run at once in threads of their own.
class LocalInstance {
  public:
    LocalInstance(const TrainCommandOptions& options, const learn::Hyperparameters& parameters,
                  const std::optional<learn::TrainingStart>& start, std::vector<learn::ChannelFiles> channels,
                  int num_threads, collective::Comm& comm)
        : options_(options),
          parameters_(parameters),
          start_(start),
          channels_(std::move(channels)),
          num_threads_(num_threads),
          comm_(comm) {}

    Result<InstanceOutcome> Run() {
        const auto begin = SteadyClock::now();
        const std::vector<data::FeatureType> types = TRY(ReadFeatureTypes(options_.feature_types));
        TRY(learn::AgreeOnParquetColumns(channels_, comm_));
        std::vector<learn::DataSet> sets;
        Result<void> loaded;
        for (const learn::ChannelFiles& channel : channels_) {
            auto set = Load(channel);
            if (set.has_value()) {
                if (!types.empty()) set->labeled.feature_types = types;
                if (loaded.has_value()) loaded = TakeUpperBounds(*set);
                sets.push_back(std::move(*set));
            } else if (loaded.has_value()) {
                loaded = std::move(set).error();
            }
        }
        TRY(learn::AgreeOnErrors(loaded.has_value() ? nullptr : &loaded.error(), {}, comm_));
        const double load_seconds = SecondsSince(begin);
        WorkerTeam team(num_threads_);
        ProgressBar bar("train", static_cast<std::uint64_t>(parameters_.train.num_rounds));
        const learn::TrainContext context{
            .team = team,
            .comm = comm_,
            .on_round =
                [&](const learn::RoundReport& report) {
                    if (comm_.rank() != 0) return;
                    bar.Hide();
                    std::printf("%s\n", learn::MetricLine(report, false).c_str());
                    std::fflush(stdout);
                    bar.Update(static_cast<std::uint64_t>(report.round + 1));
                },
            .bins = {.memory_bytes_max = options_.memory_bytes_max() / 2, .scratch_folder = options_.scratch_folder()},
            .start = start_.has_value() ? &*start_ : nullptr};
        learn::BadRow bad;
        auto outcome = learn::Train(parameters_.train, sets, context, &bad);
        bar.Hide();
        if (!outcome.has_value() && !bad.problem.empty()) {
            return Error(ErrorCode::kInvalidArgument, fmt::format("{}, column 1: {}", PlaceOf(bad), bad.problem));
        }
        return InstanceOutcome{.train = TRY(std::move(outcome)), .load_seconds = load_seconds};
    }

  private:
    Result<void> TakeUpperBounds(learn::DataSet& set) const {
        const bool trains = set.name == "train";
        const std::string& path = trains ? options_.upper_bounds : options_.validation_upper_bounds;
        if (path.empty()) return {};
        set.label_upper_bounds = TRY(ReadUpperBounds(
            trains ? "--label-upper-bounds" : "--validation-label-upper-bounds", path, set.labeled.labels));
        return {};
    }

    std::string PlaceOf(const learn::BadRow& bad) const {
        const learn::ChannelFiles& channel = channels_[bad.data_set];
        return data::DescribePlaceOfRow(channel.files, channel.format, bad.row);
    }

    Result<learn::DataSet> Load(const learn::ChannelFiles& channel) {
        data::LoadReport report;
        ProgressBar bar("read " + channel.name, channel.size_bytes());
        const bool identities = comm_.size() > 1 && learn::UsesRowIdentity(parameters_.train);
        auto set = learn::LoadChannel(channel,
                                      {.num_threads = num_threads_,
                                       .identities = identities,
                                       .memory_bytes_max = options_.memory_bytes_max() / 2 / channels_.size(),
                                       .scratch_folder = options_.scratch_folder(),
                                       .on_progress =
                                           [&](std::uint64_t bytes_read) {
                                               if (comm_.rank() == 0) bar.Update(bytes_read);
                                           }},
                                      comm_, report);
        bar.Hide();
        for (const std::string& warning : report.warnings)
            std::fprintf(stderr, "espalier train: %s\n", warning.c_str());
        return set;
    }

    const TrainCommandOptions& options_;
    const learn::Hyperparameters& parameters_;
    const std::optional<learn::TrainingStart>& start_;
    std::vector<learn::ChannelFiles> channels_;
    const int num_threads_;
    collective::Comm& comm_;
};

Result<std::vector<learn::ChannelFiles>> FindChannels(const TrainCommandOptions& options, bool csv_weights) {
    std::vector<learn::ChannelFiles> channels;
    const auto format = TRY(data::ParseChannelContentType(options.content_type, data::ContentTypeRules::kModern));
    for (const auto& [name, paths] :
         {std::pair("train", &options.train), std::pair("validation", &options.validation)}) {
        if (paths->empty()) continue;
        learn::ChannelFiles channel{
            .name = name, .paths = *paths, .format = format, .csv_weights = csv_weights, .files = {}};
        std::vector<std::string> warnings;
        channel.files = TRY(data::FindDataFiles(*paths, &warnings));
        for (const std::string& warning : warnings) std::fprintf(stderr, "espalier train: %s\n", warning.c_str());
        if (channel.files.empty()) {
            return Error(ErrorCode::kInvalidArgument,
                         fmt::format("--{}: there is no file with data in {}", name, fmt::join(*paths, ", ")));
        }
        channels.push_back(std::move(channel));
    }
    return channels;
}

/// Instance `rank`'s share: every num_instances-th file, as ShardedByS3Key deals objects out.
std::vector<learn::ChannelFiles> ShareOf(const std::vector<learn::ChannelFiles>& channels, int rank,
                                         int num_instances) {
    std::vector<learn::ChannelFiles> share = channels;
    for (learn::ChannelFiles& channel : share) {
        std::vector<data::DataFile> mine;
        for (std::size_t i = static_cast<std::size_t>(rank); i < channel.files.size();
             i += static_cast<std::size_t>(num_instances)) {
            mine.push_back(channel.files[i]);
        }
        channel.files = std::move(mine);
    }
    return share;
}

// Told before the training, not after it: the model is renamed into place, which needs its folder and would put a file
// where a device or a pipe stands.
Result<void> CheckModelTarget(const std::filesystem::path& path) {
    std::error_code unknown;
    const std::filesystem::file_status target = std::filesystem::status(path, unknown);
    if (std::filesystem::exists(target) && !std::filesystem::is_regular_file(target)) {
        return Error(ErrorCode::kInvalidArgument,
                     "--model " + path.string() + " is not a file. Name a file, for example model.ubj");
    }
    const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
    if (!std::filesystem::is_directory(folder, unknown)) {
        return Error(ErrorCode::kInvalidArgument,
                     "--model " + path.string() + ": there is no folder " + folder.string() + " to write it into");
    }
    return {};
}

Result<void> CheckUpperBounds(const TrainCommandOptions& options, const learn::Hyperparameters& parameters) {
    if (options.upper_bounds.empty() && options.validation_upper_bounds.empty()) return {};
    if (parameters.train.objective != "survival:aft") {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("--label-upper-bounds belong to objective survival:aft, not to {}",
                                 parameters.train.objective));
    }
    if (options.upper_bounds.empty() || options.validation_upper_bounds.empty() != options.validation.empty()) {
        return Error(ErrorCode::kInvalidArgument,
                     "upper bounds are needed for all data: give --label-upper-bounds, and with --validation also "
                     "--validation-label-upper-bounds");
    }
    if (options.instances == 1) return {};
    return Error(ErrorCode::kInvalidArgument, "--label-upper-bounds is one file for all rows: leave --instances out");
}

Result<void> Train(const TrainCommandOptions& options) {
    const auto begin = SteadyClock::now();
    TRY(CheckModelTarget(options.model));
    const auto list = TRY(SplitPairs(options.hyperparameters));
    VersionProfile profile = ProfileOf(AlgorithmVersion::k3_2_0);
    profile.engine_names = true;
    auto parameters = TRY(learn::ParseHyperparameters(list, profile));
    TRY(ReadFeatureTypes(options.feature_types));
    parameters.train.feature_weights = TRY(ReadFeatureWeights(options.feature_weights));
    for (const std::string& warning : parameters.warnings)
        std::fprintf(stderr, "espalier train: %s\n", warning.c_str());
    const auto channels = TRY(FindChannels(options, parameters.csv_weights));
    TRY(CheckUpperBounds(options, parameters));
    std::optional<learn::TrainingStart> start;
    if (!options.start_model.empty()) {
        model::OpenedModel opened = TRY_MSG(model::OpenModel(options.start_model), "read --start-model");
        start = learn::StartFrom(std::move(opened.ensemble), parameters.train.updates());
    }
    int num_threads =
        options.threads > 0 ? options.threads : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    if (parameters.num_threads > 0) num_threads = std::min(num_threads, parameters.num_threads);
    const int threads_each = std::clamp(num_threads / options.instances, 1, WorkerTeam::kThreadsMax);

    Result<InstanceOutcome> first = Error(ErrorCode::kInternal, "no instance ran");
    if (options.instances == 1) {
        collective::SelfComm comm;
        first = LocalInstance(options, parameters, start, channels, threads_each, comm).Run();
    } else {
        auto group = collective::ThreadComm::CreateGroup({.size = options.instances});
        std::vector<std::jthread> ranks;
        for (int rank = 0; rank < options.instances; ++rank) {
            ranks.emplace_back([&, rank] {
                auto& comm = *group[static_cast<std::size_t>(rank)];
                auto outcome = LocalInstance(options, parameters, start, ShareOf(channels, rank, options.instances),
                                             threads_each, comm)
                                   .Run();
                if (!outcome.has_value()) comm.Abort();
                if (rank == 0) first = std::move(outcome);
            });
        }
    }
    const InstanceOutcome outcome = TRY(std::move(first));
    const bool json = options.model.ends_with(".json");
    const auto save_begin = SteadyClock::now();
    TRY(learn::PublishModel(outcome.train.model, json ? model::ModelFormat::kJson : model::ModelFormat::kUbjson,
                            options.model));
    const learn::StageSeconds& seconds = outcome.train.seconds;
    std::fprintf(stderr, "%s: %zu trees in %d rounds, %.2f s\n", options.model.c_str(),
                 outcome.train.model.trees.size(), outcome.train.num_rounds_done,
                 seconds.cuts + seconds.bins + seconds.rounds);
    if (options.timings.empty()) return {};
    return WriteTimings(options.timings, outcome, SecondsSince(save_begin), SecondsSince(begin));
}

}  // namespace

void AddTrain(CLI::App& app, int& exit_code) {
    auto options = std::make_shared<TrainCommandOptions>();
    CLI::App* train = app.add_subcommand("train", "train a model from files of rows");
    train->add_option("--train", options->train, "files or folders to train on")->required()->expected(1, -1);
    train->add_option("--validation", options->validation, "files or folders to evaluate each round on")
        ->expected(1, -1);
    train->add_option("--content-type", options->content_type,
                      "what the files are, as a channel's ContentType: libsvm (default), csv, parquet (the label comes "
                      "first), or application/x-recordio-protobuf");
    train->add_option("--feature-types", options->feature_types,
                      "a type for each feature, q for numbers or c for numbers of categories: q,c,c");
    train->add_option("--feature-weights", options->feature_weights,
                      "a weight for each feature in the column samples: 1,0.5,2");
    train->add_option("--model", options->model, "where the model goes: .json for JSON, any other name for UBJSON")
        ->required();
    train->add_option("--start-model", options->start_model,
                      "a model to go on from, or with process_type=update to refresh or prune");
    train->add_option("--label-upper-bounds", options->upper_bounds,
                      "survival:aft: a file with a number per row; the row's time lies between its label and this. "
                      "inf: no end was seen; label 0: it ended before");
    train->add_option("--validation-label-upper-bounds", options->validation_upper_bounds,
                      "the same for the rows of --validation");
    train->add_option("--instances", options->instances, "split the files over this many instances, run as threads")
        ->check(CLI::Range(1, kInstancesMax))
        ->capture_default_str();
    train->add_option("--threads", options->threads, "threads of all instances together (default: all cores)")
        ->check(CLI::Range(1, WorkerTeam::kThreadsMax));
    train
        ->add_option("--memory-limit", options->memory_limit_mb,
                     "megabytes that rows and bins may take; what is more lies in files beside the model, which is "
                     "slower. Sums of the rounds are not counted (default: no limit)")
        ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 30));
    train->add_option("--timings", options->timings,
                      "write the seconds of each stage and the memory as JSON to this file");
    train->add_option("NAME=VALUE", options->hyperparameters, "hyperparameters of XGBoost, num_round among them");
    train->footer(
        "Example: learn whether x0 + x1 is above 1.\n"
        "  printf '0 0:0.1 1:0.3\\n1 0:0.9 1:0.8\\n0 0:0.4 1:0.2\\n1 0:0.7 1:0.6\\n' > rows.libsvm\n"
        "  espalier train --train rows.libsvm --model sum.json num_round=3 objective=binary:logistic \\\n"
        "      min_child_weight=0\n"
        "  espalier predict --model sum.json --data rows.libsvm\n"
        "\n"
        "A line per round shows the metric on the training data and, with --validation, on the other data. The model "
        "is\n"
        "the same for any number of threads and instances.");
    train->callback([options, &exit_code] {
        MovePairsOut(options->train, options->hyperparameters);
        MovePairsOut(options->validation, options->hyperparameters);
        std::set_new_handler(OnOutOfMemory);
        const auto done = Train(*options);
        if (done.has_value()) return;
        std::fprintf(stderr, "espalier train: %s\n", done.error().ToString().c_str());
        exit_code = 1;
    });
}

}  // namespace espalier::cmd
