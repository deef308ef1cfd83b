#include "jobs/tuning/tuning_service.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "base/log.h"
#include "jobs/work_folder.h"
#include "meta/arn.h"

namespace espalier::jobs {
namespace {

using meta::JobStatus;

// For limits of time, and as a second try after a failure of the database.
constexpr std::chrono::milliseconds kIdleInterval{1000};

}  // namespace

TuningService::TuningService(const Options& options)
    : options_(options),
      jobs_(*options.database, meta::JobKind::kTuning),
      trials_(*options.database),
      tracer_(*options.database, "tuning-job", options.spans),
      tools_{.jobs = &jobs_,
             .trials = &trials_,
             .training = options.training,
             .clock = options.clock,
             .tracer = &tracer_,
             .changed = [this](std::int64_t job_id) { listeners_.Tell(job_id); }} {}

Result<std::unique_ptr<TuningService>> TuningService::Open(const Options& options) {
    std::unique_ptr<TuningService> service(new TuningService(options));
    service->new_jobs_ = TRY_MSG(service->jobs_.Unfinished(), "take up unfinished tuning jobs");
    service->changed_ = true;
    service->subscription_ =
        options.training->listeners().Subscribe([service = service.get()](std::int64_t) { service->Wake(); });
    service->thread_ = std::jthread([service = service.get()] { service->Work(); });
    return service;
}

TuningService::~TuningService() {
    subscription_.reset();
    {
        const std::lock_guard lock(mutex_);
        closing_ = true;
        wake_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
}

void TuningService::Wake() {
    const std::lock_guard lock(mutex_);
    changed_ = true;
    wake_.notify_all();
}

Result<void> TuningService::CheckParents(const TuningSpec& spec, const meta::Scope& scope) {
    for (const std::string& name : spec.parents) {
        const auto parent = jobs_.Find(scope, name);
        if (!parent && parent.error().code() == ErrorCode::kNotFound) {
            return Error(ErrorCode::kInvalidArgument,
                         fmt::format("WarmStartConfig: there is no hyperparameter tuning job {}.", name));
        }
        if (!parent) return Error(parent.error().code(), parent.error().ToString());
        if (!IsTerminal(parent->status)) {
            return Error(ErrorCode::kInvalidArgument,
                         fmt::format("WarmStartConfig: the parent hyperparameter tuning job {} is {}. Parents must "
                                     "have ended.",
                                     name, ToString(parent->status)));
        }
    }
    return {};
}

Result<meta::Job> TuningService::Create(const CreateTuning& request) {
    const TuningSpec spec = TRY(ParseTuningSpec(request.request));
    TRY(CheckParents(spec, request.scope));
    for (const TuningDefinition& definition : spec.definitions) {
        const ParameterValues values = definition.space.Decode(CubePoint(definition.space.size(), 0.5));
        TRY(options_.training->Check(TrialRequest(definition, spec.name + "-001-00000000", values), request.scope));
    }
    auto job = jobs_.Insert({.scope = request.scope,
                             .name = spec.name,
                             .request = request.request,
                             .invocation_id = request.invocation_id,
                             .created_at = options_.clock->WallMillis(),
                             .arn = request.arn,
                             .tags = request.tags});
    if (!job && job.error().code() == ErrorCode::kAlreadyExists && !request.invocation_id.empty()) {
        // A client whose first try was answered by a server that has died since.
        auto taken = jobs_.Find(request.scope, spec.name);
        if (taken && taken->invocation_id == request.invocation_id && taken->request == request.request) return taken;
    }
    if (job) {
        tracer_.Note(job->id, request.trace_parent);
        const std::lock_guard lock(mutex_);
        new_jobs_.push_back(*job);
        changed_ = true;
        wake_.notify_all();
    }
    return job;
}

Result<TuningState> TuningService::StateOf(const meta::Job& job) {
    const TuningSpec spec = TRY(ParseTuningSpec(job.request));
    const bool maximize = spec.definitions.front().maximize;
    TuningState state = {.counts = TRY(trials_.Counts(job.id)), .best = TRY(trials_.Best(job.id, maximize))};
    if (state.counts.failed > 0) {
        for (const meta::TuningTrial& trial : TRY(trials_.All(job.id)))
            state.retryable_failures += trial.failure_reason.starts_with("InternalServerError") ? 1 : 0;
    }
    if (!spec.parents_are_identical) return state;
    if (state.best) state.overall_best = {job, *state.best};
    for (const std::string& name : spec.parents) {
        const auto parent = jobs_.Find(job.scope, name);
        if (!parent) continue;
        const auto best = TRY(trials_.Best(parent->id, maximize));
        if (!best) continue;
        const bool is_better =
            !state.overall_best || (maximize ? *best->objective > *state.overall_best->second.objective
                                             : *best->objective < *state.overall_best->second.objective);
        if (is_better) state.overall_best = {*parent, *best};
    }
    return state;
}

Result<void> TuningService::Stop(const meta::Scope& scope, const std::string& name) {
    const meta::Job job = TRY(jobs_.RequestStop(scope, name, options_.clock->WallMillis()));
    listeners_.Tell(job.id);
    Wake();
    return {};
}

Result<void> TuningService::Delete(const meta::Scope& scope, const std::string& name, const std::string& arn) {
    return jobs_.Delete(scope, name, arn);
}

void TuningService::TakeUp(const meta::Job& job) {
    auto run = TuningRun::TakeUp(tools_, job);
    if (run) {
        runs_.emplace(job.id, std::move(run).value());
        return;
    }
    LOG_ERROR("tuning job cannot be taken up", {"job", job.name}, {"error", run.error().ToString()});
    Result<void> ended =
        jobs_.End(job.id, JobStatus::kFailed, FailureReasonOf(run.error(), job.name), options_.clock->WallMillis());
    if (!ended) LOG_ERROR("tuning job cannot be ended", {"job", job.name}, {"error", ended.error().ToString()});
    if (const auto row = jobs_.FindById(job.id); ended && row) tracer_.End(*row, {});
    listeners_.Tell(job.id);
}

/// The time after which it is to be called again even if nothing has been told.
std::chrono::milliseconds TuningService::AdvanceAll() {
    std::chrono::milliseconds wait = kIdleInterval;
    for (auto run = runs_.begin(); run != runs_.end();) {
        auto ended = run->second.Advance();
        if (!ended) LOG_ERROR("tuning job does not advance", {"id", run->first}, {"error", ended.error().ToString()});
        if (ended && *ended) {
            run = runs_.erase(run);
            continue;
        }
        if (run->second.watches_rounds()) wait = kRoundsInterval;
        ++run;
    }
    return wait;
}

void TuningService::Work() {
    std::chrono::milliseconds wait{0};
    std::unique_lock lock(mutex_);
    while (!closing_) {
        wake_.wait_for(lock, wait, [this] { return closing_ || changed_; });
        if (closing_) return;
        changed_ = false;
        const std::vector<meta::Job> taken = std::exchange(new_jobs_, {});
        lock.unlock();
        for (const meta::Job& job : taken) TakeUp(job);
        wait = AdvanceAll();
        lock.lock();
    }
}

}  // namespace espalier::jobs
