// Which bucket, key and sub-resource a request line names: path style, virtual-host style, the query.
//
// The path is split before it is decoded, so %2F stays part of a key; '+' is a plus; "//", "." and ".." are kept.
// Source: Amazon S3 user guide, "Virtual hosting of buckets"; contracts/api.md 3.12 and 5.10. Plain values.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/exchange.h"

namespace espalier::api::s3 {

struct S3Target {
    std::string bucket;  ///< decoded; "" for the service itself
    std::string key;     ///< decoded; "" for a bucket
    /// Decoded names and values in the order given; a name without '=' has the value "".
    std::vector<std::pair<std::string, std::string>> query;

    /// The first value of that name.
    std::optional<std::string_view> Parameter(std::string_view name) const;
};

/// `host_names`: our own names without port; "bucket.<name>" in the Host header names a bucket. nullopt when the target
/// cannot be decoded.
std::optional<S3Target> ParseTarget(const http::RequestHead& head, const std::vector<std::string>& host_names);

}  // namespace espalier::api::s3
