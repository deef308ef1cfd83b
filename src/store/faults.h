// The failures of the store that a caller may want to tell apart, carried inside an ordinary Error. api/s3 maps them to
// wire codes; nobody else needs more than the ErrorCode and the sentence.
#pragma once

#include <optional>
#include <source_location>

#include "base/result.h"

namespace espalier::store {

enum class Fault {
    kNoSuchBucket,
    kNoSuchKey,
    kNoSuchUpload,
    kBucketExists,
    kBucketNotEmpty,
    kPreconditionFailed,
    kInvalidPart,
    kInvalidPartOrder,
    kPartTooSmall,
    kObjectTooLarge,
    kSizeMismatch,
    kChecksumMismatch,
    kConcurrentChange,
};

/// An Error with the code and the sentence of this fault.
Error MakeError(Fault fault, std::source_location where = std::source_location::current());

/// The fault an Error was made of, looking through frames added by Wrap; nullopt for any other error.
std::optional<Fault> FaultOf(const Error& error);

}  // namespace espalier::store
