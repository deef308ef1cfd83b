// The trace of jobs of one kind: which span made a job, the context of its own, and its span when it has ended.
//
//   request that created it > tuning job > training job (a trial) > …        see jobs/job_trace.h for what is inside
//   request that created it > transform job > instance > load, predict
// A job's own id follows from its trace and its number, so what runs inside it can name it as its parent before it is
// over, and a job that a restarted server took up stays one trace. What cannot be noted is logged: the job goes on.
// Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/span.h"
#include "meta/job_rows.h"
#include "meta/job_traces.h"

namespace espalier::jobs {

class JobTracer {
  public:
    /// `kind`: "training-job", …, as spans and their attributes call it. Both are borrowed; no sink: nothing is traced.
    JobTracer(meta::Database& database, const std::string& kind, SpanSink* spans)
        : traces_(database, kind), kind_(kind), spans_(spans) {}

    /// For a job that has just been made; `trace_parent` is "" when what made it is not traced.
    void Note(std::int64_t job_id, const std::string& trace_parent);
    /// The span that made the job; nullopt for one that is not traced.
    std::optional<TraceContext> ParentOf(std::int64_t job_id);
    /// The job's own, given its parent.
    TraceContext ContextOf(const TraceContext& parent, std::int64_t job_id) const;
    /// The job's own as TRACEPARENT; "" for one that is not traced.
    std::string ContextText(std::int64_t job_id);

    /// A row of any kind of job.
    struct EndedJob {
        std::int64_t id = 0;
        std::string name;
        UnixMillis created_at = 0;
        UnixMillis modified_at = 0;
        meta::JobStatus status = meta::JobStatus::kCompleted;
        std::string failure_reason;
        std::string tuning_job = {};  ///< whose trial it is
    };
    /// Hands on the job's span and those `inside`, and forgets its trace. Nothing for a job that is not traced.
    void End(const EndedJob& job, std::vector<Span> inside);
    void End(const meta::Job& job, std::vector<Span> inside) {
        End(EndedJob{.id = job.id,
                     .name = job.name,
                     .created_at = job.created_at,
                     .modified_at = job.modified_at,
                     .status = job.status,
                     .failure_reason = job.failure_reason},
            std::move(inside));
    }

  private:
    meta::JobTraces traces_;
    const std::string kind_;
    SpanSink* spans_;
};

}  // namespace espalier::jobs
