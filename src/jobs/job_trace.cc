#include "jobs/job_trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/span_file.h"

namespace espalier::jobs {
namespace {

constexpr UnixNanos kNanosPerMilli = 1'000'000;

TraceContext ContextOfState(const TraceContext& request, const meta::TrainingJob& job, std::size_t number) {
    return request.NamedChild(fmt::format("training-job/{}/{}", job.id, number));
}

bool IsEnd(meta::JobStage stage) {
    using meta::JobStage;
    return stage == JobStage::kCompleted || stage == JobStage::kFailed || stage == JobStage::kStopped ||
           stage == JobStage::kMaxRuntimeExceeded;
}

Span StateSpan(const TraceContext& request, const std::string& job_span_id, const meta::TrainingJob& job,
               std::size_t number) {
    const meta::Transition& state = job.transitions[number];
    const UnixMillis end = state.ended_at == 0 ? job.modified_at : state.ended_at;
    return {.context = ContextOfState(request, job, number),
            .parent_id = job_span_id,
            .name = std::string(meta::ToString(state.stage)),
            .begin = state.started_at * kNanosPerMilli,
            .end = std::max(end, state.started_at) * kNanosPerMilli,
            .texts = {{"message", state.message}}};
}

}  // namespace

std::string TraceParentOfInstances(const JobTools& tools, std::int64_t job_id) {
    const std::optional<TraceContext> request = tools.tracer->ParentOf(job_id);
    if (!request) return "";
    const Result<meta::TrainingJob> job = tools.jobs->FindById(job_id);
    if (!job || job->transitions.empty()) return "";
    return ContextOfState(*request, *job, job->transitions.size() - 1).ToText();
}

void ExportJobTrace(const JobTools& tools, std::int64_t job_id, const WorkFolder& folder, int num_instances) {
    const std::optional<TraceContext> request = tools.tracer->ParentOf(job_id);
    if (!request) return;
    const Result<meta::TrainingJob> job = tools.jobs->FindById(job_id);
    if (!job) return;
    const std::string job_span_id = tools.tracer->ContextOf(*request, job_id).span_id;
    std::vector<Span> inside;
    for (std::size_t i = 0; i < job->transitions.size(); ++i)
        if (!IsEnd(job->transitions[i].stage)) inside.push_back(StateSpan(*request, job_span_id, *job, i));
    for (int number = 1; number <= num_instances; ++number)
        for (Span& span : ReadSpanFile(folder.SpansPath(number), *request)) inside.push_back(std::move(span));
    tools.tracer->End(JobTracer::EndedJob{.id = job->id,
                                          .name = job->name,
                                          .created_at = job->created_at,
                                          .modified_at = job->modified_at,
                                          .status = job->status,
                                          .failure_reason = job->failure_reason,
                                          .tuning_job = job->tuning_job},
                      std::move(inside));
}

}  // namespace espalier::jobs
