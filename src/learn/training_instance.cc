#include "learn/training_instance.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <thread>

#include "base/peak_memory.h"
#include "base/span_file.h"
#include "data/row_place.h"
#include "learn/channel_loader.h"
#include "learn/checkpoint.h"
#include "learn/cross_validation_run.h"
#include "learn/instance_start.h"
#include "learn/parquet_schema.h"
#include "learn/pipe_channel.h"
#include "learn/published_file.h"
#include "learn/shared_bins.h"
#include "learn/trainer.h"
#include "learn/training_log.h"
#include "model/open_model.h"

namespace espalier::learn {

namespace {

constexpr std::size_t kFailureCharactersMax = 1024;
// A step without a move takes less than this, by a margin of ten: sorting runs at 20 MB/s of text, and the models of
// small data are written in seconds.
constexpr std::chrono::seconds kPatienceMin{60};
constexpr std::uint64_t kSlowestBytesPerMillisecond = 2000;

using SteadyClock = std::chrono::steady_clock;

double SecondsSince(SteadyClock::time_point begin) {
    return std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

bool IsUsersError(ErrorCode code) {
    return code == ErrorCode::kInvalidArgument || code == ErrorCode::kNotFound || code == ErrorCode::kCorruptData ||
           code == ErrorCode::kResourceLimit;
}

// The images' sandbox takes every exception of theirs for its own and puts a traceback before the message, here a line.
constexpr std::string_view kFrameworkError = "AlgorithmError: framework error: \nrefused by the rules of this image\n";

/// At most `size_max` bytes, cut between characters of UTF-8.
std::string Shortened(std::string text, std::size_t size_max) {
    if (text.size() <= size_max) return text;
    text.resize(size_max - 3);
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0U) == 0x80U) text.pop_back();
    if (!text.empty() && static_cast<unsigned char>(text.back()) >= 0xC0U) text.pop_back();
    return text + "...";
}

/// What the oldest image says of a label that cannot be.
std::string_view LegacyLabelSentence(std::string_view objective) {
    if (objective.starts_with("multi:")) return " Label must be in [0, num_class) for multi classification task.";
    if (objective == "count:poisson") return " For Poisson Regression, label must be non-negative.";
    if (objective == "reg:tweedie") return " For Tweedie Regression, label must be non-negative.";
    if (objective.starts_with("binary:") || objective == "reg:logistic") {
        return " Label must be in [0,1] for logistic regression task.";
    }
    return "";
}

/// As the image's sandbox shows a channel: a Python dict.
std::string PythonDictOf(const ChannelConfig& channel) {
    const std::string& mode = channel.input_mode;
    return fmt::format("{{'ContentType': '{}', 'TrainingInputMode': '{}', 'S3DistributionType': '{}'}}",
                       channel.content_type, mode.empty() || mode == "FastFile" ? "File" : mode,
                       channel.distribution.empty() ? "FullyReplicated" : channel.distribution);
}

class Instance {
  public:
    Instance(const InstanceOptions& options, const InstanceConfig& config, const Clock& clock, collective::Comm& comm,
             SpanFile spans)
        : options_(options), config_(config), comm_(comm), spans_(std::move(spans)), log_(clock, options.profile) {}

    Result<void> Run() {
        const auto begin = SteadyClock::now();
        log_.Raw("Arguments: train");
        Result<void> prepared = Prepare();
        StatePatience();
        // A rank that cannot go on tells the others, so that all end with the same reason instead of waiting.
        TRY(AgreeOnErrors(prepared.has_value() ? nullptr : &prepared.error(), config_.hosts, comm_));
        std::vector<DataSet> sets;
        SpanFile::Stage load(spans_, "load");
        Result<void> loaded = Load(sets);
        load.End(loaded.has_value() ? "" : loaded.error().ToString());
        TRY(AgreeOnErrors(loaded.has_value() ? nullptr : &loaded.error(), config_.hosts, comm_));
        const double load_seconds = SecondsSince(begin);
        TRY(TellShape(sets));
        TRY(ShareStart(start_, comm_));
        TRY(OpenCheckpoints());
        BadRow bad_row;
        WorkerTeam team(num_threads_, options_.mark);
        SpanFile::Stage train(spans_, parameters_.num_folds > 0 ? "cross-validation" : "rounds");
        if (parameters_.num_folds > 0) return CrossValidate(sets, team);
        const TrainContext context{.team = team,
                                   .comm = comm_,
                                   .stop = options_.stop,
                                   .on_round = [this](const RoundReport& report) { OnRound(report); },
                                   .bins = {.made = shared_bins_.bins(),
                                            .memory_bytes_max = memory_bytes_max() / 2,
                                            .scratch_folder = options_.root},
                                   .on_prepared = [this](const PreparedData& data) { shared_bins_.Keep(data); },
                                   .start = start_.has_value() ? &*start_ : nullptr,
                                   .on_model = [this](int round, const auto& model) { OnModel(round, model); }};
        Result<TrainOutcome> outcome = Train(parameters_.train, sets, context, &bad_row);
        if (!outcome.has_value() && !bad_row.problem.empty()) outcome = RowError(bad_row);
        const ErrorCode code = outcome.has_value() ? ErrorCode::kInvalidArgument : outcome.error().code();
        if (code != ErrorCode::kInvalidArgument && code != ErrorCode::kCancelled) return std::move(outcome).error();
        TRY(AgreeOnErrors(outcome.has_value() ? nullptr : &outcome.error(), config_.hosts, comm_));
        checkpoints_.reset();
        train.End();
        const SpanFile::Stage save(spans_, "save");
        return Close(*outcome, load_seconds);
    }

  private:
    bool alone() const { return comm_.size() == 1; }
    std::size_t memory_bytes_max() const { return config_.memory_limit_mb * 1'000'000; }

    Result<void> Prepare() {
        if (comm_.size() != static_cast<int>(config_.hosts.size())) {
            return Error(
                ErrorCode::kInvalidArgument,
                fmt::format("resourceconfig.json lists {} hosts, but {} instances were started. Start one per "
                            "host with mpirun: mpirun -n 1 espalier-train --root R/algo-1 : -n 1 espalier-train "
                            "--root R/algo-2",
                            config_.hosts.size(), comm_.size()));
        }
        parameters_ = TRY(ParseHyperparameters(config_.hyperparameters, options_.profile));
        for (const std::string& warning : parameters_.warnings) log_.Warning(warning);
        if (parameters_.num_folds > 0) TRY(CheckCrossValidation());
        if (alone()) {
            log_.Info(options_.profile.legacy ? "Running standalone xgboost training." : "Single node training.");
        } else {
            log_.Info(fmt::format("Distributed node training with {} hosts: ['{}']", config_.hosts.size(),
                                  fmt::join(config_.hosts, "', '")));
        }
        num_threads_ = options_.num_threads > 0 ? options_.num_threads
                                                : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
        if (parameters_.num_threads > num_threads_) {
            log_.Warning(
                fmt::format("Hyperparameter 'nthread' is lowered to {}, the cores of this instance.", num_threads_));
        }
        if (parameters_.num_threads > 0) num_threads_ = std::min(num_threads_, parameters_.num_threads);
        num_threads_ = std::min(num_threads_, std::min(WorkerTeam::kThreadsMax, data::kLoadThreadsMax));
        TRY(FindChannels());
        InstanceConfig from = config_;
        if (parameters_.num_folds > 0) from.checkpoint_folder.clear();  // Its trainings write none.
        if (comm_.rank() == 0) start_ = TRY(ReadStart(options_.root, from, parameters_.train.updates(), log_));
        return {};
    }

    /// What moves no mark, the longest sorts and what is written at the end, is at most some passes over the data.
    void StatePatience() const {
        if (options_.mark == nullptr) return;
        std::uint64_t size_bytes = 0;
        for (const ChannelFiles& channel : channels_) size_bytes += channel.size_bytes();
        const std::chrono::milliseconds for_data(size_bytes / kSlowestBytesPerMillisecond);
        options_.mark->StatePatience(kPatienceMin + for_data);
    }

    /// Only rank 0 writes them: all ranks have the same model.
    Result<void> OpenCheckpoints() {
        if (comm_.rank() != 0 || parameters_.num_folds > 0 ||
            (config_.checkpoint_folder.empty() && !parameters_.saves_on_termination))
            return {};
        std::error_code error;
        const std::string model_folder = options_.root + "/model";
        if (!config_.checkpoint_folder.empty()) std::filesystem::create_directories(config_.checkpoint_folder, error);
        if (!error) std::filesystem::create_directories(model_folder, error);
        if (error) return ErrnoError("make the folder of the checkpoints", error.value());
        const std::string model_path = model_folder + "/" + std::string(model::kModelFileName);
        checkpoints_ = std::make_unique<CheckpointWriter>(config_.checkpoint_folder,
                                                          parameters_.saves_on_termination ? model_path : "",
                                                          options_.profile.model_release);
        return {};
    }

    void OnModel(int round, const model::TreeEnsemble& model) {
        if (checkpoints_ == nullptr) return;
        if (round + 1 == parameters_.train.num_rounds) {
            checkpoints_->Insist(round, model);
        } else {
            checkpoints_->Offer(round, model);
        }
        if (const auto error = checkpoints_->TakeError(); error.has_value()) {
            log_.Warning(fmt::format("A checkpoint could not be written, training goes on: {}", error->ToString()));
        }
    }

    /// What a cross-validation does not go together with.
    Result<void> CheckCrossValidation() const {
        if (parameters_.train.objective.starts_with("rank:")) {
            return Error(ErrorCode::kInvalidArgument,
                         "Cross-validation (_kfold) does not keep the rows of a query together, which ranking needs; "
                         "XGBoost cannot slice such data either. Leave _kfold out.");
        }
        return {};
    }

    Result<void> FindChannels() {
        const ChannelConfig* train = nullptr;
        const ChannelConfig* validation = nullptr;
        for (const ChannelConfig& channel : config_.channels) {
            if (channel.name == "train") {
                train = &channel;
            } else if (channel.name == "validation") {
                validation = &channel;
            } else if (channel.name != kModelChannel && options_.profile.legacy && config_.channels.size() == 2) {
                return Error(
                    ErrorCode::kInvalidArgument,
                    fmt::format("Channelname 'validation' is used for validation input. Channel '{}' is neither "
                                "train nor validation.",
                                channel.name));
            } else if (channel.name != kModelChannel) {
                return Error(ErrorCode::kInvalidArgument,
                             fmt::format("Extraneous channel found: {}. The channels are train, validation and model.",
                                         channel.name));
            }
        }
        if (train == nullptr) {
            return Error(ErrorCode::kInvalidArgument, options_.profile.legacy
                                                          ? "Channelname 'train' is required for training"
                                                          : "Missing required channel: train");
        }
        TRY(FindChannel(*train, *train));
        if (validation != nullptr) {
            TRY(FindChannel(*validation, *train));
            // The old images took the column of weights for a feature here; that defect of theirs is not repeated.
            channels_.back().ignores_weights = parameters_.csv_weights && !options_.profile.csv_weights_on_validation;
            for (const std::string& warning :
                 data::DescribeSharedData(channels_.front().paths, channels_.front().files, channels_.back().paths,
                                          channels_.back().files)) {
                log_.Warning(warning);
            }
        } else if (options_.profile.legacy && alone()) {
            log_.Info(fmt::format("Path {}/input/data/validation does not exist!", options_.root));
        }
        WarnAboutChannels(validation);
        return {};
    }

    /// The oldest image ends the job; later ones leave the instance out. Here it stays, with no rows of its own, and
    /// the model is the same.
    Result<void> TellNoData(const ChannelConfig& channel) {
        if (options_.profile.legacy) {
            return Error(ErrorCode::kInvalidArgument,
                         fmt::format("No file found in path input/data/{}. If you are using ShardedByS3Key, make sure "
                                     "every machine get at least one partition file",
                                     channel.name));
        }
        if (channel.name != "train") {
            log_.Info(fmt::format("Host {} does not have {} data.", config_.current_host, channel.name));
            return {};
        }
        log_.Info(
            fmt::format("Host {} does not have training data. Will broadcast to cluster and this host {} will not "
                        "be used in distributed training. Please divide the training data across instances "
                        "properly.",
                        config_.current_host, config_.current_host));
        log_.Info(fmt::format("Host {} not being used for distributed training.", config_.current_host));
        return {};
    }

    /// Parameters whose effect hangs on the channels.
    void WarnAboutChannels(const ChannelConfig* validation) {
        if (parameters_.csv_weights && channels_[0].format != data::InputFormat::kCsv) {
            log_.Warning("Hyperparameter 'csv_weights' has no effect: the data is not csv.");
        }
        if (validation == nullptr && parameters_.train.early_stopping_rounds > 0 &&
            parameters_.train.early_stopping_rule == EarlyStoppingRule::kSaveBest) {
            log_.Warning("Hyperparameter 'early_stopping_rounds' has no effect: there is no channel 'validation'.");
        }
    }

    /// The train channel's content type counts for both, as in the images.
    Result<void> FindChannel(const ChannelConfig& channel, const ChannelConfig& train) {
        ChannelFiles found;
        found.name = channel.name;
        found.paths = {fmt::format("{}/input/data/{}", options_.root, channel.name)};
        found.rules = options_.profile.legacy ? data::ContentTypeRules::kLegacy : data::ContentTypeRules::kModern;
        auto format = data::ParseChannelContentType(train.content_type, found.rules);
        if (!format.has_value() && !options_.profile.legacy) {
            return std::move(format).error().Wrap(fmt::format(
                "Channel configuration for '{}' channel is not supported: {}", channel.name, PythonDictOf(train)));
        }
        found.format = TRY(std::move(format));
        found.csv_weights = parameters_.csv_weights;
        std::error_code error;
        std::vector<std::string> warnings;
        if (channel.input_mode == "Pipe") {
            TRY(CheckPipeRule(found.format, options_.profile.pipe_rule));
            const ProgressMark::Wait wait(options_.mark);  // The platform watches its own end.
            found.files = TRY(SpoolPipe(options_.root, channel.name));
        } else if (std::filesystem::exists(found.paths[0], error)) {
            found.files = TRY(data::FindDataFiles(found.paths, &warnings));
        }
        for (const std::string& warning : warnings) log_.Warning(warning);
        if (found.files.empty()) {
            if (alone()) {
                return Error(ErrorCode::kInvalidArgument,
                             fmt::format("No data in {} channel path {}. Check the S3 prefix of the channel: it must "
                                         "hold at least one file that is not empty.",
                                         channel.name == "train" ? "training" : channel.name,
                                         fmt::format("input/data/{}", channel.name)));
            }
            TRY(TellNoData(channel));
        }
        channels_.push_back(std::move(found));
        return {};
    }

    Result<void> Load(std::vector<DataSet>& sets) {
        std::vector<data::LoadReport> reports;
        Result<void> failed;
        // Other ways of training have other cut points, or need the values.
        const TrainParams& params = parameters_.train;
        const bool is_plain = params.tree_method == TreeMethod::kHist && params.booster != model::Booster::kGblinear;
        const bool may_share = alone() && !start_.has_value() && is_plain && parameters_.num_folds == 0;
        if (!may_share || !shared_bins_.Find(config_, channels_, parameters_.train, sets, reports)) {
            failed = LoadChannels(sets, reports);
        }
        for (std::size_t i = 0; i < sets.size(); ++i) TellLoaded(sets[i], reports[i]);
        if (failed.has_value()) shared_bins_.NoteLoaded(sets, reports);
        return failed;
    }

    /// Also after an error: the other ranks wait for this one at each channel.
    Result<void> LoadChannels(std::vector<DataSet>& sets, std::vector<data::LoadReport>& reports) {
        const bool identities = !alone() && (UsesRowIdentity(parameters_.train) || parameters_.num_folds > 0);
        TRY(AgreeOnParquetColumns(channels_, comm_));
        Result<void> failed;
        for (const ChannelFiles& channel : channels_) {
            data::LoadReport report;
            auto set = LoadChannel(channel,
                                   {.num_threads = num_threads_,
                                    .identities = identities,
                                    .memory_bytes_max = memory_bytes_max() / 2 / channels_.size(),
                                    .scratch_folder = options_.root,
                                    .mark = options_.mark},
                                   comm_, report);
            if (set.has_value()) {
                sets.push_back(std::move(*set));
                reports.push_back(std::move(report));
            } else if (failed.has_value()) {
                failed = std::move(set).error();
            }
        }
        return failed;
    }

    void TellLoaded(const DataSet& set, const data::LoadReport& report) {
        if (report.csv_delimiter != 0) {
            log_.Info(fmt::format("Determined delimiter of CSV input is '{}'",
                                  report.csv_delimiter == '\t' ? "\\t" : std::string(1, report.csv_delimiter)));
        }
        for (const std::string& warning : report.warnings) log_.Warning(warning);
        if (options_.profile.legacy && !set.labeled.labels.empty()) {
            log_.Engine(fmt::format("{}x{} matrix with {} entries loaded from {}", set.labeled.labels.size(),
                                    set.labeled.rows.num_features, set.labeled.rows.num_entries(),
                                    fmt::format("{}/input/data/{}", options_.root, set.name)));
        }
    }

    Result<void> CrossValidate(const std::vector<DataSet>& sets, WorkerTeam& team) {
        BadRow bad_row;
        Result<void> done = RunCrossValidation({.parameters = parameters_,
                                                .root = options_.root,
                                                .hosts = config_.hosts,
                                                .start = start_.has_value() ? &*start_ : nullptr,
                                                .team = team,
                                                .comm = comm_,
                                                .stop = options_.stop},
                                               sets, log_, &bad_row);
        if (!done.has_value() && !bad_row.problem.empty()) done = RowError(bad_row);
        if (done.has_value() || done.error().code() == ErrorCode::kCancelled || !bad_row.problem.empty()) {
            return AgreeOnErrors(done.has_value() ? nullptr : &done.error(), config_.hosts, comm_);
        }
        return done;
    }

    /// Row counts of the images' logs, over all ranks; no rows at all is an error.
    Result<void> TellShape(const std::vector<DataSet>& sets) {
        std::vector<std::int64_t> rows;
        std::vector<std::int64_t> columns;
        for (const DataSet& set : sets) {
            rows.push_back(static_cast<std::int64_t>(set.labeled.labels.size()));
            columns.push_back(set.labeled.rows.num_features);
        }
        TRY(comm_.AllReduceSum(rows));
        TRY(comm_.AllReduceMax(std::span<std::int64_t>(columns)));
        for (std::size_t set = 0; set < sets.size(); ++set) {
            if (rows[set] != 0) continue;
            if (alone()) {
                return Error(ErrorCode::kInvalidArgument,
                             fmt::format("Got input data without labels. Please check the input data set. The files of "
                                         "channel '{}' hold no row: they are all blank lines and comments.",
                                         sets[set].name));
            }
            return Error(ErrorCode::kInvalidArgument,
                         fmt::format("No hosts received {} data. The files of channel '{}' hold no row: they are "
                                     "missing, empty, or all blank lines and comments. Check its S3 prefix.",
                                     set == 0 ? "training" : "validation", sets[set].name));
        }
        if (options_.profile.legacy || comm_.rank() != 0) return {};
        log_.Info(fmt::format("Train matrix has {} rows and {} columns", rows[0], columns[0]));
        if (sets.size() > 1) log_.Info(fmt::format("Validation matrix has {} rows", rows[1]));
        return {};
    }

    void OnRound(const RoundReport& report) {
        if (comm_.rank() != 0) return;
        if (parameters_.prints_trees) log_.Trees(report, parameters_.train.max_depth);
        log_.Metrics(report);
    }

    Error RowError(const BadRow& bad) const {
        const ChannelFiles& channel = channels_[bad.data_set];
        const bool whole_number = bad.label >= 0 && bad.label == static_cast<float>(static_cast<int>(bad.label));
        std::string mend = "Mend the label.";
        if (parameters_.train.num_class > 1 && whole_number) {
            mend = fmt::format("Mend the label, or set num_class to at least {}.", static_cast<int>(bad.label) + 1);
        }
        if (options_.profile.legacy) mend += LegacyLabelSentence(parameters_.train.objective);
        return Error(
            ErrorCode::kInvalidArgument,
            fmt::format(
                "{}, column 1: {}{}", data::DescribePlaceOfRow(channel.files, channel.format, bad.row), bad.problem,
                bad.is_weight ? "" : " " + mend + " If input is in csv format, ensure the first column is the label."));
    }

    Result<void> Close(const TrainOutcome& outcome, double load_seconds) {
        if (outcome.stopped_early && comm_.rank() == 0) {
            // Old engines print the best round's metrics again; later ones say nothing, and a second line of metrics
            // would become the job's final ones.
            if (options_.profile.early_stopping_rule == EarlyStoppingRule::kKeepAll) {
                log_.Raw(fmt::format("Stopping. Best iteration:\n[{}]\t{}-{}:{:.5f}\n", outcome.best_round,
                                     channels_.back().name, outcome.watched_metric, outcome.best_score));
            } else {
                log_.Info(fmt::format("Stopping. Best iteration: {} with {} {:.5f}", outcome.best_round,
                                      outcome.watched_metric, outcome.best_score));
            }
        }
        if (outcome.stopped_by_flag) {
            log_.Info(
                fmt::format("Training was told to stop; the model of {} rounds is kept.", outcome.num_rounds_done));
        }
        const auto begin = SteadyClock::now();
        Result<void> saved;
        if (comm_.rank() == 0) {
            const std::string folder = options_.root + "/model";
            std::error_code error;
            std::filesystem::create_directories(folder, error);
            saved = PublishModel(outcome.model, options_.profile.model_release, folder + "/xgboost-model");
        }
        TRY(AgreeOnErrors(saved.has_value() ? nullptr : &saved.error(), config_.hosts, comm_));
        log_.Info(
            fmt::format("Seconds: load {:.2f}, cut points {:.2f}, bins {:.2f}, {} rounds {:.2f}, save {:.2f}. "
                        "Threads: {}. Bins: {} MB. Peak memory: {} MB. Bytes sent to other instances: {}.",
                        load_seconds, outcome.seconds.cuts, outcome.seconds.bins, outcome.num_rounds_done,
                        outcome.seconds.rounds, SecondsSince(begin), num_threads_, outcome.bin_memory_bytes / 1'000'000,
                        PeakMemoryBytes() / 1'000'000, outcome.bytes_sent));
        return {};
    }

    const InstanceOptions& options_;
    const InstanceConfig& config_;
    collective::Comm& comm_;
    const SpanFile spans_;
    TrainingLog log_;
    Hyperparameters parameters_;
    int num_threads_ = 1;
    std::vector<ChannelFiles> channels_;
    std::optional<TrainingStart> start_;
    SharedBins shared_bins_{log_, options_.mark};
    std::unique_ptr<CheckpointWriter> checkpoints_;
};

}  // namespace

Result<void> RunInstance(const InstanceOptions& options, const InstanceConfig& config, const Clock& clock,
                         collective::Comm& comm) {
    const SpanFile spans = SpansUnder(options.root, options.trace_parent);
    SpanFile::Stage whole(spans, "instance " + config.current_host);
    Result<void> ran = Instance(options, config, clock, comm, whole.Inside()).Run();
    whole.End(ran.has_value() ? "" : ran.error().ToString());
    return ran;
}

std::string FailureReason(const Error& error, ErrorStyle style) {
    // A disk or a network that fails is the platform's.
    const bool users = IsUsersError(error.code());
    const bool by_framework = users && style == ErrorStyle::kFrameworkError;
    const std::string_view whose = by_framework                     ? kFrameworkError
                                   : users                          ? "ClientError: "
                                   : error.code() == ErrorCode::kIo ? "InternalServerError: "
                                                                    : "AlgorithmError: ";
    const std::string_view end = by_framework ? ", exit code: 1" : "";
    return fmt::format("{}{}{}", whose, Shortened(error.ToString(), kFailureCharactersMax - whose.size() - end.size()),
                       end);
}

void WriteFailure(const std::string& root, const std::string& reason) {
    std::error_code error;
    std::filesystem::create_directories(root + "/output", error);
    const int fd = open((root + "/output/failure").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return;
    const ssize_t written = write(fd, reason.data(), reason.size());
    static_cast<void>(written);
    close(fd);
}

}  // namespace espalier::learn
