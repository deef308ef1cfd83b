#include "jobs/job_tracer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace espalier::jobs {
namespace {

constexpr UnixNanos kNanosPerMilli = 1'000'000;

std::string WithDashesAs(char sign, std::string text) {
    std::replace(text.begin(), text.end(), '-', sign);
    return text;
}

}  // namespace

void JobTracer::Note(std::int64_t job_id, const std::string& trace_parent) {
    if (spans_ == nullptr || trace_parent.empty()) return;
    if (Result<void> noted = traces_.Put(job_id, trace_parent); !noted)
        LOG_WARN("a job is not traced", {"kind", kind_}, {"id", job_id}, {"error", noted.error().ToString()});
}

std::optional<TraceContext> JobTracer::ParentOf(std::int64_t job_id) {
    if (spans_ == nullptr) return std::nullopt;
    const Result<std::string> parent = traces_.Find(job_id);
    return parent ? ParseTraceParent(*parent) : std::nullopt;
}

TraceContext JobTracer::ContextOf(const TraceContext& parent, std::int64_t job_id) const {
    return parent.NamedChild(fmt::format("{}/{}", kind_, job_id));
}

std::string JobTracer::ContextText(std::int64_t job_id) {
    const std::optional<TraceContext> parent = ParentOf(job_id);
    return parent ? ContextOf(*parent, job_id).ToText() : "";
}

void JobTracer::End(const EndedJob& job, std::vector<Span> inside) {
    const std::optional<TraceContext> parent = ParentOf(job.id);
    if (!parent) return;
    for (Span& span : inside) spans_->Add(std::move(span));
    Span whole{.context = ContextOf(*parent, job.id),
               .parent_id = parent->span_id,
               .name = WithDashesAs(' ', kind_),
               .begin = job.created_at * kNanosPerMilli,
               .end = std::max(job.modified_at, job.created_at) * kNanosPerMilli,
               .failed = job.status == meta::JobStatus::kFailed,
               .message = job.failure_reason};
    const std::string attribute = "aws.sagemaker." + WithDashesAs('_', kind_);
    whole.texts = {{attribute, job.name}, {attribute + "_status", std::string(meta::ToString(job.status))}};
    if (!job.tuning_job.empty()) whole.texts.emplace_back("aws.sagemaker.tuning_job", job.tuning_job);
    spans_->Add(std::move(whole));
    if (Result<void> deleted = traces_.Delete(job.id); !deleted)
        LOG_WARN("the trace of a job stays noted", {"job", job.name}, {"error", deleted.error().ToString()});
}

}  // namespace espalier::jobs
