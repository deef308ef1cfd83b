#include "jobs/job_service.h"

#include <fmt/format.h>

#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "jobs/channels.h"

namespace espalier::jobs {
namespace {

using meta::JobStage;
using meta::JobStatus;
namespace filesystem = std::filesystem;

/// Work folders of jobs that have ended while no server was there to remove them.
void SweepFolders(const std::string& folder, const std::vector<meta::TrainingJob>& unfinished) {
    std::set<std::string> wanted;
    for (const meta::TrainingJob& job : unfinished) wanted.insert(std::to_string(job.id));
    std::error_code error;
    for (const auto& entry : filesystem::directory_iterator(folder, error)) {
        if (wanted.contains(entry.path().filename().string())) continue;
        std::error_code remove_error;
        filesystem::remove_all(entry.path(), remove_error);
        if (remove_error) {
            LOG_WARN("job folder not removed", {"path", entry.path().string()}, {"error", remove_error.message()});
        }
    }
}

}  // namespace

JobService::JobService(const Options& options)
    : options_(options),
      jobs_(*options.database),
      logs_(*options.database),
      metrics_(*options.database),
      tools_{.jobs = &jobs_,
             .logs = &logs_,
             .metrics = &metrics_,
             .store = options.store,
             .launcher = options.launcher,
             .clock = options.clock,
             .folder = options.folder,
             .num_cores = options.num_cores,
             .changed = [this](std::int64_t job_id) { Changed(job_id); }} {}

Result<std::unique_ptr<JobService>> JobService::Open(const Options& options) {
    std::error_code error;
    filesystem::create_directories(options.folder, error);
    if (error) return ErrnoError("make " + options.folder, error.value());
    std::unique_ptr<JobService> service(new JobService(options));
    TRY_MSG(service->TakeUpUnfinished(), "take up unfinished training jobs");
    return service;
}

JobService::~JobService() {
    std::map<std::int64_t, std::unique_ptr<Running>> running;
    {
        const std::lock_guard lock(mutex_);
        closing_ = true;
        queue_.clear();
        for (auto& [id, job] : running_) job->control.abandoned = true;
    }
    // Each thread moves its entry to ended_ as its last act, so the entries must be joined outside the lock.
    while (true) {
        std::unique_ptr<Running> job;
        {
            const std::lock_guard lock(mutex_);
            if (!ended_.empty()) {
                job = std::move(ended_.back());
                ended_.pop_back();
            } else if (running_.empty()) {
                return;
            }
        }
        if (job) {
            job->thread.join();
        } else {
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        }
    }
}

Result<void> JobService::TakeUpUnfinished() {
    const std::vector<meta::TrainingJob> unfinished = TRY(jobs_.Unfinished());
    SweepFolders(options_.folder, unfinished);
    for (const meta::TrainingJob& job : unfinished) {
        LOG_INFO("training job taken up after a restart", {"job", job.name}, {"stage", ToString(job.stage)});
        Enqueue(job.id);
    }
    return {};
}

Result<void> JobService::CheckInputs(const JobSpec& spec, const meta::Scope& scope) {
    for (const ChannelSpec& channel : spec.channels) {
        if (TRY(HasObjects(*options_.store, channel.location))) continue;
        const store::S3Location& place = channel.location;
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("No S3 objects found under S3 URL \"s3://{}{}{}\" given in input data source. Please "
                                 "ensure that the bucket exists in the selected region ({}), that objects exist under "
                                 "that S3 prefix, and that the role \"{}\" has \"s3:ListBucket\" permissions on bucket "
                                 "\"{}\".",
                                 place.bucket, place.key.empty() ? "" : "/", place.key, scope.region, spec.role_arn,
                                 place.bucket));
    }
    return {};
}

Result<meta::TrainingJob> JobService::Create(const CreateJob& request) {
    const JobSpec spec = TRY(ParseJobSpec(request.request));
    TRY(CheckInputs(spec, request.scope));
    auto job = jobs_.Insert({.scope = request.scope,
                             .name = spec.name,
                             .request = request.request,
                             .invocation_id = request.invocation_id,
                             .created_at = options_.clock->WallMillis(),
                             .message = "Starting the training job",
                             .arn = request.arn,
                             .tags = request.tags});
    if (!job && job.error().code() == ErrorCode::kAlreadyExists && !request.invocation_id.empty()) {
        // A client whose first try was answered by a server that has died since.
        auto taken = jobs_.Find(request.scope, spec.name);
        const bool same_call =
            taken && taken->invocation_id == request.invocation_id && taken->request == request.request;
        if (same_call) return taken;
    }
    if (job) Enqueue(job->id);
    return job;
}

Result<meta::TrainingJob> JobService::Find(const meta::Scope& scope, const std::string& name) {
    return jobs_.Find(scope, name);
}

Result<meta::TrainingJob> JobService::FindById(std::int64_t id) {
    return jobs_.FindById(id);
}

Result<void> JobService::Stop(const meta::Scope& scope, const std::string& name) {
    const meta::TrainingJob job =
        TRY(jobs_.RequestStop(scope, name, "Stopping the training job", options_.clock->WallMillis()));
    Changed(job.id);
    bool was_queued = false;
    {
        const std::lock_guard lock(mutex_);
        if (const auto found = running_.find(job.id); found != running_.end()) {
            found->second->control.stop_requested = true;
        }
        was_queued = std::erase(queue_, job.id) > 0;
    }
    if (was_queued) EndQueued(job.id);
    return {};
}

void JobService::EndQueued(std::int64_t job_id) {
    const Result<void> ended = jobs_.Enter(job_id, {.status = JobStatus::kStopped,
                                                    .stage = JobStage::kStopped,
                                                    .message = "Training job stopped",
                                                    .now = options_.clock->WallMillis()});
    // It is Stopping in the database and nobody runs it: a runner will end it.
    if (!ended) Enqueue(job_id);
    Changed(job_id);
}

void JobService::SetListener(std::function<void(std::int64_t)> listener) {
    const std::lock_guard lock(listener_mutex_);
    listener_ = std::move(listener);
}

void JobService::Changed(std::int64_t job_id) {
    const std::lock_guard lock(listener_mutex_);
    if (listener_) listener_(job_id);
}

void JobService::Enqueue(std::int64_t job_id) {
    const std::lock_guard lock(mutex_);
    queue_.push_back(job_id);
    StartWhatFits();
}

void JobService::StartWhatFits() {
    for (const std::unique_ptr<Running>& job : ended_) {
        if (job->thread.get_id() != std::this_thread::get_id() && job->thread.joinable()) job->thread.join();
    }
    std::erase_if(ended_, [](const std::unique_ptr<Running>& job) { return !job->thread.joinable(); });
    while (!closing_ && !queue_.empty() && running_.size() < static_cast<std::size_t>(options_.num_slots)) {
        const std::int64_t job_id = queue_.front();
        queue_.pop_front();
        auto& job = running_[job_id];
        job = std::make_unique<Running>();
        job->thread = std::jthread([this, job_id, &control = job->control] { RunJob(job_id, control); });
    }
}

void JobService::RunJob(std::int64_t job_id, JobControl& control) {
    if (auto row = jobs_.FindById(job_id)) {
        if (!meta::IsTerminal(row->status)) JobRun(tools_, std::move(row).value(), control).Execute();
    } else {
        LOG_ERROR("queued training job cannot be read", {"job_id", job_id}, {"error", row.error().ToString()});
    }
    const std::lock_guard lock(mutex_);
    // From here on the thread touches nothing of this object but the queue, under the lock it holds.
    const auto self = running_.find(job_id);
    ended_.push_back(std::move(self->second));
    running_.erase(self);
    StartWhatFits();
}

}  // namespace espalier::jobs
