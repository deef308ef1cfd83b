#include "jobs/job_trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/log.h"
#include "base/span_file.h"

namespace espalier::jobs {
namespace {

constexpr UnixNanos kNanosPerMilli = 1'000'000;

TraceContext ContextOfJob(const TraceContext& request, const meta::TrainingJob& job) {
    return request.NamedChild(fmt::format("training-job/{}", job.id));
}

TraceContext ContextOfState(const TraceContext& request, const meta::TrainingJob& job, std::size_t number) {
    return request.NamedChild(fmt::format("training-job/{}/{}", job.id, number));
}

bool IsEnd(meta::JobStage stage) {
    using meta::JobStage;
    return stage == JobStage::kCompleted || stage == JobStage::kFailed || stage == JobStage::kStopped ||
           stage == JobStage::kMaxRuntimeExceeded;
}

/// What the job's spans hang on; nullopt for one that is not traced.
std::optional<TraceContext> RequestOf(const JobTools& tools, std::int64_t job_id) {
    if (tools.spans == nullptr) return std::nullopt;
    const Result<std::string> parent = tools.traces->Find(job_id);
    return parent ? ParseTraceParent(*parent) : std::nullopt;
}

Span WholeSpan(const TraceContext& request, const meta::TrainingJob& job) {
    Span span{.context = ContextOfJob(request, job),
              .parent_id = request.span_id,
              .name = "training job",
              .begin = job.created_at * kNanosPerMilli,
              .end = std::max(job.modified_at, job.created_at) * kNanosPerMilli,
              .failed = job.status == meta::JobStatus::kFailed,
              .message = job.failure_reason};
    span.texts = {{"aws.sagemaker.training_job", job.name},
                  {"aws.sagemaker.training_job_status", std::string(meta::ToString(job.status))}};
    return span;
}

}  // namespace

std::string TraceParentOfInstances(const JobTools& tools, std::int64_t job_id) {
    const std::optional<TraceContext> request = RequestOf(tools, job_id);
    if (!request) return "";
    const Result<meta::TrainingJob> job = tools.jobs->FindById(job_id);
    if (!job || job->transitions.empty()) return "";
    return ContextOfState(*request, *job, job->transitions.size() - 1).ToText();
}

void ExportJobTrace(const JobTools& tools, std::int64_t job_id, const WorkFolder& folder, int num_instances) {
    const std::optional<TraceContext> request = RequestOf(tools, job_id);
    if (!request) return;
    const Result<meta::TrainingJob> job = tools.jobs->FindById(job_id);
    if (!job) return;
    Span whole = WholeSpan(*request, *job);
    for (std::size_t i = 0; i < job->transitions.size(); ++i) {
        const meta::Transition& state = job->transitions[i];
        if (IsEnd(state.stage)) continue;
        const UnixNanos begin = state.started_at * kNanosPerMilli;
        tools.spans->Add({.context = ContextOfState(*request, *job, i),
                          .parent_id = whole.context.span_id,
                          .name = std::string(meta::ToString(state.stage)),
                          .begin = begin,
                          .end = std::max(state.ended_at == 0 ? whole.end : state.ended_at * kNanosPerMilli, begin),
                          .texts = {{"message", state.message}}});
    }
    for (int number = 1; number <= num_instances; ++number)
        for (Span& span : ReadSpanFile(folder.SpansPath(number), *request)) tools.spans->Add(std::move(span));
    tools.spans->Add(std::move(whole));
    if (Result<void> deleted = tools.traces->Delete(job_id); !deleted)
        LOG_WARN("the trace of a job stays noted", {"job", job->name}, {"error", deleted.error().ToString()});
}

}  // namespace espalier::jobs
