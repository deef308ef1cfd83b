#include "jobs/transform/transform_service.h"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "jobs/channels.h"
#include "jobs/work_folder.h"

namespace espalier::jobs {

using meta::JobStatus;

TransformService::TransformService(const Options& options)
    : options_(options),
      jobs_(*options.database, meta::JobKind::kTransform),
      logs_(*options.database),
      tools_{.jobs = &jobs_,
             .logs = &logs_,
             .store = options.store,
             .launcher = options.launcher,
             .clock = options.clock,
             .folder = options.folder,
             .num_cores = options.num_cores,
             .changed = [this](std::int64_t job_id) { listeners_.Tell(job_id); }},
      queue_(options.num_slots, [this](std::int64_t job_id, JobControl& control) { RunJob(job_id, control); }) {}

Result<std::unique_ptr<TransformService>> TransformService::Open(const Options& options) {
    std::error_code error;
    std::filesystem::create_directories(options.folder, error);
    if (error) return ErrnoError("make " + options.folder, error.value());
    std::unique_ptr<TransformService> service(new TransformService(options));
    TRY_MSG(service->TakeUpUnfinished(), "take up unfinished transform jobs");
    return service;
}

Result<void> TransformService::TakeUpUnfinished() {
    const std::vector<meta::Job> unfinished = TRY(jobs_.Unfinished());
    std::vector<std::int64_t> ids;
    for (const meta::Job& job : unfinished) ids.push_back(job.id);
    SweepWorkFolders(options_.folder, ids);
    for (const meta::Job& job : unfinished) {
        LOG_INFO("transform job taken up after a restart", {"job", job.name}, {"status", ToString(job.status)});
        queue_.Add(job.id);
    }
    return {};
}

Result<void> TransformService::CheckInputs(const TransformSpec& spec, const std::string& region) {
    if (TRY(HasObjects(*options_.store, spec.input))) return {};
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format("No S3 objects found under S3 URL \"{}\" given in input data source. Please ensure that the "
                    "bucket exists in the selected region ({}), that objects exist under that S3 prefix, and "
                    "that the model's role has \"s3:ListBucket\" permissions on bucket \"{}\".",
                    spec.input.ToUri(), region, spec.input.bucket));
}

Result<meta::Job> TransformService::Create(const CreateTransform& request) {
    const TransformSpec spec = TRY(ParseTransformSpec(request.request));
    TRY(CheckInputs(spec, request.scope.region));
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
