#include "jobs/job_service.h"

#include <fmt/format.h>

#include <filesystem>
#include <limits>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "jobs/channels.h"
#include "jobs/job_trace.h"
#include "jobs/take_up.h"
#include "jobs/trial_bins.h"
#include "jobs/work_folder.h"

namespace espalier::jobs {
namespace {

using meta::JobStage;
using meta::JobStatus;
namespace filesystem = std::filesystem;

}  // namespace

JobService::JobService(const Options& options)
    : options_(options),
      jobs_(*options.database),
      logs_(*options.database),
      metrics_(*options.database),
      lineage_(*options.database),
      tracer_(*options.database, "training-job", options.spans),
      tools_{.jobs = &jobs_,
             .logs = &logs_,
             .metrics = &metrics_,
             .lineage = &lineage_,
             .digests = &digests_,
             .store = options.store,
             .launcher = options.launcher,
             .clock = options.clock,
             .folder = options.folder,
             .num_cores = options.num_cores,
             .tracer = &tracer_,
             .changed = [this](std::int64_t job_id) { listeners_.Tell(job_id); }},
      queue_(options.num_slots, [this](std::int64_t job_id, JobControl& control) { RunJob(job_id, control); }) {}

Result<std::unique_ptr<JobService>> JobService::Open(const Options& options) {
    TRY(MakeJobsFolder(options.folder));
    std::unique_ptr<JobService> service(new JobService(options));
    TRY_MSG(service->TakeUpUnfinished(), "take up unfinished training jobs");
    return service;
}

Result<void> JobService::TakeUpUnfinished() {
    TakeUpJobs(TRY(jobs_.Unfinished()), options_.folder, queue_);
    return {};
}

Result<void> JobService::CheckInputs(const JobSpec& spec, const meta::Scope& scope) {
    const std::string role = fmt::format("the role \"{}\"", spec.role_arn);
    for (const ChannelSpec& channel : spec.channels)
        TRY(RequireObjects(*options_.store, channel.location, scope.region, role));
    return {};
}

Result<void> JobService::Check(const std::string& request, const meta::Scope& scope) {
    return CheckInputs(TRY(ParseJobSpec(request)), scope);
}

Result<std::vector<double>> JobService::MetricValues(const meta::TrainingJob& job, const std::string& metric) {
    constexpr UnixMillis kAnyTime = std::numeric_limits<UnixMillis>::max();
    std::vector<double> values;
    for (const meta::MetricPoint& point : TRY(metrics_.Points(job.scope, job.name, metric, 0, kAnyTime)))
        values.push_back(point.value);
    return values;
}

void JobService::ForgetSharedBins(const meta::Scope& scope, const std::string& tuning_job) {
    const std::string folder = SharedBinsFolder(options_.folder, scope, tuning_job);
    std::error_code error;
    filesystem::remove_all(folder, error);
    if (error) LOG_WARN("shared bins not removed", {"path", folder}, {"error", error.message()});
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
                             .tuning_job = request.tuning_job,
                             .arn = request.arn,
                             .tags = request.tags});
    if (!job && job.error().code() == ErrorCode::kAlreadyExists && !request.invocation_id.empty()) {
        // A client whose first try was answered by a server that has died since.
        auto taken = jobs_.Find(request.scope, spec.name);
        const bool same_call =
            taken && taken->invocation_id == request.invocation_id && taken->request == request.request;
        if (same_call) return taken;
    }
    if (job) tracer_.Note(job->id, request.trace_parent);
    if (job) queue_.Add(job->id);
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
    listeners_.Tell(job.id);
    if (queue_.Stop(job.id)) EndQueued(job.id);
    return {};
}

void JobService::EndQueued(std::int64_t job_id) {
    const Result<void> ended = jobs_.Enter(job_id, {.status = JobStatus::kStopped,
                                                    .stage = JobStage::kStopped,
                                                    .message = "Training job stopped",
                                                    .now = options_.clock->WallMillis()});
    // It is Stopping in the database and nobody runs it: a runner will end it.
    if (!ended) queue_.Add(job_id);
    if (ended) ExportJobTrace(tools_, job_id, WorkFolder(options_.folder, job_id), 0);
    listeners_.Tell(job_id);
}

void JobService::RunJob(std::int64_t job_id, JobControl& control) {
    if (auto row = jobs_.FindById(job_id)) {
        if (!meta::IsTerminal(row->status)) JobRun(tools_, std::move(row).value(), control).Execute();
    } else {
        LOG_ERROR("queued training job cannot be read", {"job_id", job_id}, {"error", row.error().ToString()});
    }
}

}  // namespace espalier::jobs
