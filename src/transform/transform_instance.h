// A batch transform as one process: reads the plan in its folder, loads the model, takes object by object.
//
// An object that cannot be transformed does not keep the others from it; at the end the job has failed, for the reason
// of the first one. Progress goes to standard output, a line for each object, which becomes the job's log.
// Source: contracts/api.md 3.7; AWS developer guide, "Batch transform" (what a bad record does).
#pragma once

#include <atomic>
#include <string>

#include "base/progress_mark.h"
#include "base/result.h"

namespace espalier::transform {

/// kInvalidArgument with a reason for DescribeTransformJob, beginning with ClientError; kCancelled once `stop` is set.
/// `mark` shows that it gets on; `trace_parent` says which trace its spans belong to, "" for none.
Result<void> RunTransform(const std::string& root, int num_threads, const std::string& trace_parent,
                          const std::atomic<bool>& stop, ProgressMark& mark);

/// Leaves the reason in ROOT/output/failure.
void WriteFailure(const std::string& root, const std::string& reason);

}  // namespace espalier::transform
