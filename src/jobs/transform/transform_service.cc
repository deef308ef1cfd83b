#include "jobs/transform/transform_service.h"

#include <utility>

#include "base/log.h"
#include "jobs/channels.h"
#include "jobs/take_up.h"

namespace espalier::jobs {

using meta::JobStatus;

TransformService::TransformService(const Options& options)
    : options_(options),
      jobs_(*options.database, meta::JobKind::kTransform),
      logs_(*options.database),
      tracer_(*options.database, "transform-job", options.spans),
      tools_{.jobs = &jobs_,
             .logs = &logs_,
             .store = options.store,
             .launcher = options.launcher,
             .clock = options.clock,
             .folder = options.folder,
             .num_cores = options.num_cores,
             .tracer = &tracer_,
             .changed = [this](std::int64_t job_id) { listeners_.Tell(job_id); }},
      queue_(options.num_slots, [this](std::int64_t job_id, JobControl& control) { RunJob(job_id, control); }) {}

Result<std::unique_ptr<TransformService>> TransformService::Open(const Options& options) {
    TRY(MakeJobsFolder(options.folder));
    std::unique_ptr<TransformService> service(new TransformService(options));
    TRY_MSG(service->TakeUpUnfinished(), "take up unfinished transform jobs");
    return service;
}

Result<void> TransformService::TakeUpUnfinished() {
    TakeUpJobs(TRY(jobs_.Unfinished()), options_.folder, queue_);
    return {};
}

Result<meta::Job> TransformService::Create(const CreateTransform& request) {
    const TransformSpec spec = TRY(ParseTransformSpec(request.request));
    TRY(RequireObjects(*options_.store, spec.input, request.scope.region, "the model's role"));
    auto job = jobs_.Insert({.scope = request.scope,
                             .name = spec.name,
                             .request = request.request,
                             .invocation_id = request.invocation_id,
                             .created_at = options_.clock->WallMillis(),
                             .detail = ToDocument(request.model),
                             .arn = request.arn,
                             .tags = request.tags});
    if (!job && job.error().code() == ErrorCode::kAlreadyExists && !request.invocation_id.empty()) {
        // A client whose first try was answered by a server that has died since.
        auto taken = jobs_.Find(request.scope, spec.name);
        if (taken && taken->invocation_id == request.invocation_id && taken->request == request.request) return taken;
    }
    if (job) tracer_.Note(job->id, request.trace_parent);
    if (job) queue_.Add(job->id);
    return job;
}

Result<void> TransformService::Stop(const meta::Scope& scope, const std::string& name) {
    const meta::Job job = TRY(jobs_.RequestStop(scope, name, options_.clock->WallMillis()));
    listeners_.Tell(job.id);
    if (!queue_.Stop(job.id)) return {};
    Result<void> ended = jobs_.End(job.id, JobStatus::kStopped, "", options_.clock->WallMillis());
    // It is Stopping in the database and nobody runs it: a runner will end it.
    if (!ended) queue_.Add(job.id);
    if (const auto row = jobs_.FindById(job.id); ended && row) tracer_.End(*row, {});
    listeners_.Tell(job.id);
    return {};
}

void TransformService::RunJob(std::int64_t job_id, JobControl& control) {
    auto row = jobs_.FindById(job_id);
    if (!row) {
        LOG_ERROR("queued transform job cannot be read", {"job_id", job_id}, {"error", row.error().ToString()});
        return;
    }
    if (!meta::IsTerminal(row->status)) TransformRun(tools_, std::move(row).value(), control).Execute();
}

}  // namespace espalier::jobs
