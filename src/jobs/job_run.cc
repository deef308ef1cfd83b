#include "jobs/job_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

#include "base/log.h"
#include "jobs/artifacts.h"
#include "jobs/full_disk.h"
#include "jobs/job_trace.h"
#include "jobs/training_lineage.h"
#include "jobs/trial_bins.h"

namespace espalier::jobs {
namespace {

using meta::JobStage;
using meta::JobStatus;

// How late a stop, the end of MaxRuntimeInSeconds or a new log line may be noticed. The end of the trainer wakes at
// once.
constexpr std::chrono::milliseconds kWatchInterval{50};
constexpr std::chrono::milliseconds kLogInterval{200};
constexpr std::chrono::seconds kAskInterval{1};
constexpr std::chrono::seconds kStoreInterval{1};
constexpr std::chrono::seconds kEndRetryInterval{1};

/// "<job>/algo-<number>-<epoch second of creation>".
std::string LogStreamName(const meta::TrainingJob& job, int number) {
    return fmt::format("{}/{}-{}", job.name, InstanceName(number), job.created_at / 1000);
}

std::string PreparingMessage(const JobSpec& spec, int num_cores) {
    const std::string cores = fmt::format("{} core{}", num_cores, num_cores == 1 ? "" : "s");
    if (spec.num_instances == 1) {
        return fmt::format("Preparing the instances for training ({} runs here as {})", spec.instance_type, cores);
    }
    return fmt::format("Preparing the instances for training ({} x {} run here as {} processes on {})",
                       spec.num_instances, spec.instance_type, spec.num_instances, cores);
}

std::string RestartMessage(bool has_checkpoints) {
    return fmt::format("The server was restarted. The job goes on from {}.",
                       has_checkpoints ? "its last checkpoint" : "the beginning");
}

}  // namespace

JobRun::JobRun(const JobTools& tools, meta::TrainingJob job, JobControl& control)
    : tools_(tools), job_(std::move(job)), control_(control), folder_(tools.folder, job_.id) {}

Result<void> JobRun::Enter(JobStage stage, std::string message) {
    TRY(tools_.jobs->Enter(job_.id,
                           {.stage = stage, .message = std::move(message), .now = tools_.clock->WallMillis()}));
    tools_.changed(job_.id);
    return {};
}

JobRun::StopCause JobRun::WantsStop() const {
    if (control_.stop_requested) return StopCause::kUser;
    return tools_.clock->Now() >= deadline_ ? StopCause::kMaxRuntime : StopCause::kNone;
}

void JobRun::Execute() {
    End(Walk());
}

Result<void> JobRun::Walk() {
    auto spec = ParseJobSpec(job_.request);
    if (!spec) return std::move(spec).error().Wrap("InternalServerError: The job's request cannot be read any more");
    spec_ = std::move(spec).value();
    checkpoints_.emplace(*tools_.store, spec_, folder_);
    deadline_ = tools_.clock->Now() + std::chrono::seconds(spec_.max_runtime_seconds);
    tools_.launcher->KillLeftovers(job_.process_token);
    if (job_.status == JobStatus::kStopping) {
        model_is_whole_ = IsPacked(spec_, folder_);
        return StopRequested();
    }
    if (job_.stage == JobStage::kUploading && IsPacked(spec_, folder_)) {
        model_is_whole_ = true;
        return StoreModel();
    }
    TRY(Prepare());
    TRY(Download());
    TRY(Train());
    return Upload();
}

Result<void> JobRun::Prepare() {
    if (job_.num_launches >= kLaunchesMax) {
        return Error(
            ErrorCode::kInternal,
            fmt::format("InternalServerError: The server ended {} times while this job was running, so the job "
                        "is not started again.",
                        job_.num_launches));
    }
    if (job_.stage != JobStage::kStarting) {
        TRY(Enter(JobStage::kRestarting, RestartMessage(folder_.HasCheckpoints())));
        TRY(Enter(JobStage::kStarting, "Starting the training job"));
    }
    TRY(tools_.jobs->Reword(job_.id, JobStage::kStarting, PreparingMessage(spec_, tools_.num_cores),
                            tools_.clock->WallMillis()));
    tools_.changed(job_.id);
    return {};
}

Result<void> JobRun::Download() {
    deadline_ = tools_.clock->Now() + std::chrono::seconds(spec_.max_runtime_seconds);
    TRY(Enter(JobStage::kDownloading, "Downloading input data"));
    const std::string noted_before = TRY(folder_.ReadCapsule());
    TRY(folder_.MakeEmpty(spec_));
    TRY(folder_.WriteConfiguration(spec_));
    const auto cancelled = [this] { return control_.abandoned || WantsStop() != StopCause::kNone; };
    std::vector<CapsuleChannel> inputs;
    for (const ChannelSpec& channel : spec_.channels) {
        auto plan = PlanChannel(*tools_.store, channel, spec_.num_instances);
        if (!plan && plan.error().code() == ErrorCode::kNotFound) {
            return Error(ErrorCode::kInvalidArgument,
                         fmt::format("ClientError: Data download failed: there is no object under {} (channel '{}').",
                                     channel.location.ToUri(), channel.name));
        }
        if (!plan) return std::move(plan).error();
        Result<void> downloaded = DownloadChannel(*tools_.store, channel, *plan, folder_, cancelled);
        if (!downloaded && downloaded.error().code() == ErrorCode::kNotFound) {
            return std::move(downloaded).error().Wrap("ClientError: Data download failed: an object was deleted");
        }
        TRY(std::move(downloaded));
        if (channel.pipe) PlanPipes(channel, *plan);
        inputs.push_back(ChannelOf(channel, *plan));
    }
    if (!job_.tuning_job.empty()) {
        TRY(ShareBins(spec_, folder_, SharedBinsFolder(tools_.folder, job_.scope, job_.tuning_job)));
    }
    TRY(checkpoints_->Download(cancelled));
    return NoteInputs(std::move(inputs), noted_before);
}

void JobRun::PlanPipes(const ChannelSpec& channel, const ChannelPlan& plan) {
    for (std::size_t i = 0; i < plan.size(); ++i) {
        const int number = static_cast<int>(i) + 1;
        PipeFeed::Source source = {.pipe_path = folder_.PipePath(number, channel),
                                   .files = {},
                                   .end_lines = !channel.gzip && channel.content_type.find("csv") != std::string::npos};
        for (const ChannelFile& file : plan[i]) {
            source.files.push_back(folder_.ChannelFolder(number, channel) + "/" + file.path);
        }
        pipes_.push_back(std::move(source));
    }
}

Result<LogCapture> JobRun::OpenCapture() {
    std::vector<LogCapture::Source> logs;
    for (int number = 1; number <= spec_.num_instances; ++number) {
        logs.push_back({.path = folder_.LogPath(number), .stream = LogStreamName(job_, number)});
    }
    return LogCapture::Open({.logs = tools_.logs,
                             .metrics = tools_.metrics,
                             .clock = tools_.clock,
                             .scope = job_.scope,
                             .group = kTrainingLogGroup,
                             .sources = logs,
                             .definitions = MetricDefinitionsOf(spec_.version),
                             .metrics_job_id = job_.id});
}

LaunchRequest JobRun::MakeLaunchRequest() const {
    LaunchRequest request = {.token = NewProcessToken(folder_.path(), job_.num_launches, *tools_.clock),
                             .image = spec_.image,
                             .instances = {},
                             .launcher_log_path = folder_.LauncherLogPath()};
    for (int number = 1; number <= spec_.num_instances; ++number) {
        request.instances.push_back({.root = folder_.InstanceRoot(number), .log_path = folder_.LogPath(number)});
    }
    return request;
}

Result<void> JobRun::Train() {
    TRY(Enter(JobStage::kTraining, "Training image download completed. Training in progress."));
    // With a checkpoint the rounds before it are not told again, and those after it are the same points.
    if (!folder_.HasCheckpoints()) TRY(tools_.metrics->Clear(job_.id));
    LogCapture capture = TRY(OpenCapture());
    for (const std::string& member : spec_.unused_members) {
        TRY(capture.Say("Espalier: accepted without effect: " + member + "."));
    }
    while (true) {
        const ExitReport report = TRY(RunOnce(capture));
        if (!report.interrupted || job_.num_launches >= kLaunchesMax) {
            TRY(capture.Finish());
            return JudgeTraining(report);
        }
        TRY(Restart(report, capture));
    }
}

Result<ExitReport> JobRun::RunOnce(LogCapture& capture) {
    LaunchRequest request = MakeLaunchRequest();
    if (const std::string trace = TraceParentOfInstances(tools_, job_.id); !trace.empty())
        request.environment.push_back("TRACEPARENT=" + trace);
    TRY(tools_.jobs->NoteLaunch(job_.id, request.token));
    ++job_.num_launches;
    std::vector<std::unique_ptr<PipeFeed>> feeds;  // Outlive the run, whose instances read from them.
    for (const PipeFeed::Source& source : pipes_) feeds.push_back(TRY(PipeFeed::Create(source)));
    const std::unique_ptr<TrainingRun> run = TRY_MSG(tools_.launcher->Launch(request), "launch the training instances");
    const ExitReport report = TRY(WatchTraining(*run, capture));
    const auto broke = std::find_if(feeds.begin(), feeds.end(), [](const auto& feed) { return feed->broken(); });
    if (broke == feeds.end()) return report;
    return Error(ErrorCode::kIo,
                 "InternalServerError: an object of a channel in Pipe mode could not be read to its end");
}

Result<void> JobRun::Restart(const ExitReport& report, LogCapture& capture) {
    TRY(capture.Poll());
    const std::string message = fmt::format("{} The training goes on from {}.", InterruptionOf(report),
                                            folder_.HasCheckpoints() ? "its last checkpoint" : "the beginning");
    TRY(capture.Say("Espalier: " + message));
    capture.StartAgain();
    if (!folder_.HasCheckpoints()) TRY(tools_.metrics->Clear(job_.id));
    folder_.ForgetFailures(spec_);
    TRY(Enter(JobStage::kRestarting, message));
    return Enter(JobStage::kTraining, "Training in progress.");
}

std::string JobRun::InterruptionOf(const ExitReport& report) const {
    const std::string told = report.failed_instance == 0 ? "" : folder_.ReadFailure(report.failed_instance);
    if (!told.empty()) return told + ".";
    const std::string who = report.failed_instance == 0 ? "The training" : InstanceName(report.failed_instance);
    return fmt::format("{} {}.", who, report.how);
}

void JobRun::StoreCheckpoints() {
    if (Result<void> stored = checkpoints_->Upload(); !stored) {
        LOG_WARN("checkpoint not stored", {"job", job_.name}, {"error", stored.error().ToString()});
    }
}

Result<ExitReport> JobRun::WatchTraining(TrainingRun& run, LogCapture& capture) {
    std::optional<ExitReport> report;
    std::optional<std::chrono::steady_clock::time_point> kill_at;
    auto next_log = tools_.clock->Now();
    auto next_ask = next_log;
    auto next_store = next_log;
    while (!(report = run.WaitFor(kWatchInterval))) {
        if (control_.abandoned) {
            run.Kill();
            return Error(ErrorCode::kCancelled, "the server ends");
        }
        const auto now = tools_.clock->Now();
        if (now >= next_log) {
            TRY(capture.Poll());
            next_log = now + kLogInterval;
        }
        if (now >= next_store) {
            StoreCheckpoints();
            next_store = now + kStoreInterval;
        }
        if (!kill_at && WantsStop() != StopCause::kNone) {
            TRY(EnterStopping());
            kill_at = now + kStopGrace;
        }
        // Asked again and again: mpirun loses a signal that comes before its ranks are there.
        if (kill_at && now >= next_ask) {
            run.AskToStop();
            next_ask = now + kAskInterval;
        }
        if (kill_at && now >= *kill_at) {
            run.Kill();
            kill_at = now + kStopGrace;  // The next look finds it dead.
        }
    }
    StoreCheckpoints();
    model_is_whole_ = report->succeeded && HasModel(folder_);
    if (!kill_at) return *report;
    TRY(capture.Finish());
    return StopRequested();
}

Result<void> JobRun::JudgeTraining(const ExitReport& report) const {
    if (!report.succeeded) return Error(ErrorCode::kInvalidArgument, FailureOfTrainer(report));
    if (!model_is_whole_) {
        return Error(ErrorCode::kInvalidArgument,
                     "AlgorithmError: The training ended without an error but left no model. See the job's log.");
    }
    return {};
}

std::string JobRun::FailureOfTrainer(const ExitReport& report) const {
    // All ranks end when one fails, and the others then say so. The cause is a mistake of the user's if one names it,
    // else what the instance says that ended first; if that one could say nothing, its end itself is the cause.
    std::string reason;
    for (int number = 1; number <= spec_.num_instances; ++number) {
        std::string text = folder_.ReadFailure(number);
        if (text.empty()) continue;
        const bool is_users = IsUsersFault(text) && !IsUsersFault(reason);
        const bool is_first = number == report.failed_instance && !IsUsersFault(reason);
        const bool only_one = reason.empty() && report.failed_instance == 0;
        if (is_users || is_first || only_one) reason = std::move(text);
    }
    if (!reason.empty()) return SaysWhoseFault(reason) ? reason : "AlgorithmError: " + reason;
    const std::string who = report.failed_instance == 0 ? "One of the instances" : InstanceName(report.failed_instance);
    const std::string stream = LogStreamName(job_, std::max(1, report.failed_instance));
    std::string hint;
    if (report.how.find("signal 9") != std::string::npos || report.how.find("signal 6") != std::string::npos) {
        hint = " This is how a process ends that has used up the machine's memory.";
    }
    if (report.stuck) return fmt::format("AlgorithmError: {} {}. See the log stream {}.", who, report.how, stream);
    return fmt::format("AlgorithmError: {} ended without saying why: {}.{}{} See the log stream {}.", who, report.how,
                       hint, FullDiskHint(folder_.path()), stream);
}

Result<void> JobRun::Upload() {
    TRY(PackModel(spec_, folder_, tools_.clock->WallMillis()));
    TRY(Enter(JobStage::kUploading, "Uploading generated training model"));
    return StoreModel();
}

Result<void> JobRun::StoreModel() {
    TRY(UploadArtifacts(*tools_.store, spec_, folder_, tools_.clock->WallMillis()));
    return StoreCapsule();
}

/// The inputs are written down before the training, so that a server that restarts in Uploading knows them.
Result<void> JobRun::NoteInputs(std::vector<CapsuleChannel> channels, const std::string& noted_before) {
    Capsule capsule = {.job = job_.name,
                       .request = job_.request,
                       .trainer_sha256 = "",
                       .channels = std::move(channels),
                       .checkpoints = {},
                       .model_uri = spec_.ModelArtifactsUri(),
                       .model = {}};
    // A launch after the first finds the job's own checkpoints, which are no input.
    capsule.checkpoints = noted_before.empty() ? TRY(FilesOf(folder_.CheckpointFolder(), *tools_.digests))
                                               : TRY(ParseCapsule(noted_before)).checkpoints;
    if (const std::string program = tools_.launcher->TrainerPath(); !program.empty())
        capsule.trainer_sha256 = TRY(tools_.digests->Of(program)).sha256;
    TRY(folder_.WriteCapsule(ToDocument(capsule)));
    input_digests_.emplace(std::move(capsule.channels), spec_, folder_, *tools_.digests);
    return {};
}

Result<void> JobRun::StoreCapsule() {
    const std::string noted = TRY(folder_.ReadCapsule());
    if (noted.empty()) return {};  // An older server began this job.
    Capsule capsule = TRY(ParseCapsule(noted));
    if (!input_digests_) input_digests_.emplace(capsule.channels, spec_, folder_, *tools_.digests);
    auto channels = input_digests_->Take();
    input_digests_.reset();  // It gives once, and a stop during the upload stores everything again.
    capsule.channels = TRY(std::move(channels));
    capsule.model = TRY(FilesOf(folder_.ModelFolder(), *tools_.digests));
    TRY(folder_.WriteCapsule(ToDocument(capsule)));
    TRY(UploadFile(*tools_.store, CapsuleLocation(spec_), folder_.CapsulePath(), "capsule"));
    std::string archive_sha256;
    if (spec_.gzip_output) archive_sha256 = TRY(tools_.digests->Of(folder_.ModelArchivePath())).sha256;
    return NoteTrainingLineage(*tools_.lineage, job_, spec_, capsule, archive_sha256, tools_.clock->WallMillis());
}

Result<void> JobRun::EnterStopping() {
    if (WantsStop() == StopCause::kUser) return {};  // The row says so already.
    const meta::JobChange change = {.status = JobStatus::kStopping,
                                    .stage = JobStage::kStopping,
                                    .message = "Stopping the training job: MaxRuntimeInSeconds is over",
                                    .now = tools_.clock->WallMillis(),
                                    .runtime_exceeded = true};
    TRY(tools_.jobs->Enter(job_.id, change));
    tools_.changed(job_.id);
    return {};
}

Result<void> JobRun::Stop() {
    meta::TrainingJob row = TRY(tools_.jobs->FindById(job_.id));
    if (row.status == JobStatus::kInProgress) {
        TRY(EnterStopping());
        row = TRY(tools_.jobs->FindById(job_.id));
    }
    if (model_is_whole_) {
        if (!IsPacked(spec_, folder_)) TRY(PackModel(spec_, folder_, tools_.clock->WallMillis()));
        TRY(StoreModel());
    }
    meta::JobChange change = {.status = JobStatus::kStopped,
                              .stage = JobStage::kStopped,
                              .message = "Training job stopped",
                              .now = tools_.clock->WallMillis()};
    if (row.runtime_exceeded) {
        change.stage = JobStage::kMaxRuntimeExceeded;
        change.message = "Training job runtime exceeded MaxRuntimeInSeconds provided";
    }
    return tools_.jobs->Enter(job_.id, change);
}

Result<void> JobRun::Complete() {
    const meta::TrainingJob row = TRY(tools_.jobs->FindById(job_.id));
    // A stop that came during the upload: the model is there, but the user's word stands.
    if (row.status == JobStatus::kStopping) return Stop();
    return tools_.jobs->Enter(job_.id, {.status = JobStatus::kCompleted,
                                        .stage = JobStage::kCompleted,
                                        .message = "Training job completed",
                                        .now = tools_.clock->WallMillis()});
}

Result<void> JobRun::Fail(const Error& error) {
    return tools_.jobs->Enter(job_.id, {.status = JobStatus::kFailed,
                                        .stage = JobStage::kFailed,
                                        .message = "Training job failed",
                                        .now = tools_.clock->WallMillis(),
                                        .failure_reason = FailureReasonOf(error, job_.name)});
}

void JobRun::End(Result<void> result) {
    if (control_.abandoned) return;
    if (result) {
        result = Complete();
    } else if (result.error().code() == ErrorCode::kCancelled) {
        result = Stop();
    }
    // A job must end in some state that users can see, also when the disk is full for a while.
    while (!result && !control_.abandoned) {
        Result<void> failed = Fail(result.error());
        const bool has_ended = failed || failed.error().code() == ErrorCode::kConflict;
        if (has_ended) break;
        LOG_ERROR("training job cannot be ended", {"job", job_.name}, {"error", result.error().ToString()});
        // What the job wrote may be what the row lacks room for. A restart before the row would run the job again.
        folder_.Remove();
        std::this_thread::sleep_for(kEndRetryInterval);
    }
    ExportJobTrace(tools_, job_.id, folder_, spec_.num_instances);
    folder_.Remove();
    tools_.changed(job_.id);
}

}  // namespace espalier::jobs
