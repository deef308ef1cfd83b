// Where an S3 URI of a SageMaker request points, in all the spellings that notebooks write. Parsed, never fetched.
//
//   s3://bucket/key                                       https://s3.amazonaws.com/bucket/key
//   https://s3-us-east-1.amazonaws.com/bucket/key         https://s3.us-east-1.amazonaws.com/bucket/key
//   https://bucket.s3.amazonaws.com/key                   https://bucket.s3-us-east-1.amazonaws.com/key
//   https://bucket.s3.us-east-1.amazonaws.com/key         the same with .amazonaws.com.cn
//   https://any.other.host[:port]/bucket/key              this server's own address
// Keys of the https forms are percent-decoded; keys of s3:// are taken as they are. Requests echo the text they came
// with, so nothing here makes one form out of another. Source: contracts/api.md 2.3. Thread-safe: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace espalier::store {

struct S3Location {
    std::string bucket;  ///< not checked against the rules for bucket names
    std::string key;     ///< or prefix; may be empty

    bool operator==(const S3Location&) const = default;

    /// "s3://bucket/key".
    std::string ToUri() const;
    /// The location of `name` below this one, with exactly one '/' between.
    S3Location Join(std::string_view name) const;
};

/// kInvalidArgument when the text is none of the forms above or names no bucket.
Result<S3Location> ParseS3Location(std::string_view uri);

}  // namespace espalier::store
