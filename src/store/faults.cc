#include "store/faults.h"

#include <string_view>

namespace espalier::store {
namespace {

struct FaultRow {
    Fault fault;
    ErrorCode code;
    std::string_view sentence;
};

// A sentence stands for one fault only: FaultOf tells them apart by it.
constexpr FaultRow kFaults[] = {
    {Fault::kNoSuchBucket, ErrorCode::kNotFound, "The specified bucket does not exist"},
    {Fault::kNoSuchKey, ErrorCode::kNotFound, "The specified key does not exist."},
    {Fault::kNoSuchUpload, ErrorCode::kNotFound,
     "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
     "completed."},
    {Fault::kBucketExists, ErrorCode::kAlreadyExists, "The bucket exists already"},
    {Fault::kBucketNotEmpty, ErrorCode::kConflict, "The bucket you tried to delete is not empty"},
    {Fault::kPreconditionFailed, ErrorCode::kConflict, "At least one of the pre-conditions you specified did not hold"},
    {Fault::kInvalidPart, ErrorCode::kInvalidArgument,
     "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified "
     "entity tag may not match the part's entity tag."},
    {Fault::kInvalidPartOrder, ErrorCode::kInvalidArgument,
     "The list of parts was not in ascending order. Parts must be ordered by part number."},
    {Fault::kPartTooSmall, ErrorCode::kInvalidArgument,
     "Your proposed upload is smaller than the minimum allowed size"},
    {Fault::kObjectTooLarge, ErrorCode::kResourceLimit, "Your proposed upload exceeds the maximum allowed size"},
    {Fault::kSizeMismatch, ErrorCode::kInvalidArgument,
     "The provided 'x-amz-mp-object-size' header value does not match what was computed."},
    {Fault::kChecksumMismatch, ErrorCode::kInvalidArgument,
     "The checksum you specified did not match the calculated checksum."},
    {Fault::kConcurrentChange, ErrorCode::kConflict,
     "The upload or the object was changed by another request at the same time"},
};

}  // namespace

Error MakeError(Fault fault, std::source_location where) {
    for (const FaultRow& row : kFaults) {
        if (row.fault == fault) return Error(row.code, std::string(row.sentence), where);
    }
    return Error(ErrorCode::kInternal, "a fault without a sentence", where);
}

std::optional<Fault> FaultOf(const Error& error) {
    for (const Error* frame = &error; frame != nullptr; frame = frame->cause()) {
        for (const FaultRow& row : kFaults) {
            if (row.code == frame->code() && row.sentence == frame->message()) return row.fault;
        }
    }
    return std::nullopt;
}

}  // namespace espalier::store
