// The spans of a training job: itself, each state it went through, and what its instances recorded.
//
//   request that created it > training job > Starting, Downloading, Training, …  > instance algo-1 > load, rounds, save
// Ids of states follow from the trace and the job's number, as the job's own does (jobs/job_tracer.h), so that the
// processes of a state can name it as their parent before it is over. All spans are handed on when the job has ended.
// Instances write theirs into <root>/output/spans.jsonl (base/span_file.h). Thread-safe.
#pragma once

#include <cstdint>
#include <string>

#include "jobs/job_run.h"
#include "jobs/work_folder.h"

namespace espalier::jobs {

/// TRACEPARENT for the processes of the state that the job is in; "" for a job that is not traced.
std::string TraceParentOfInstances(const JobTools& tools, std::int64_t job_id);

/// Hands on the spans of a job that has ended, while its work folder is still there.
void ExportJobTrace(const JobTools& tools, std::int64_t job_id, const WorkFolder& folder, int num_instances);

}  // namespace espalier::jobs
