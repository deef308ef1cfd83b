// One object through the model: cut into payloads, predicted by several threads, put together in order.
//
// SplitType Line: blocks of whole lines of about a megabyte (never above MaxPayloadInMB); their borders depend on the
// object only. With BatchStrategy SingleRecord each line is a payload. SplitType RecordIO: the same with records, which
// reach the model with their frames, as it reads them (SageMaker takes the padding off a single record, which leaves
// what XGBoost's container does not read). Otherwise the whole object is one. The output is written beside its place
// and renamed when it is whole, so an object that fails leaves nothing. A payload that the model refuses is searched
// for its first bad line: the shortest run of its lines that fails ends with it. Memory: a few blocks per thread. A
// call starts its own threads and joins them.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/progress_mark.h"
#include "base/result.h"
#include "hosting/inference.h"
#include "transform/transform_plan.h"

namespace espalier::transform {

struct ObjectReport {
    std::uint64_t num_payloads = 0;
    std::uint64_t bytes_in = 0;  ///< unpacked
    std::uint64_t bytes_out = 0;
};

/// kInvalidArgument "<object>, line 17: …" for data that cannot be transformed; kCorruptData for gzip that is none;
/// kIo; kCancelled once `stop` is set. Each payload that is written moves `mark`.
Result<ObjectReport> TransformObject(const TransformPlan& plan, const hosting::ServedModel& served,
                                     const ObjectTask& object, int num_threads, const std::atomic<bool>& stop,
                                     ProgressMark& mark);

}  // namespace espalier::transform
