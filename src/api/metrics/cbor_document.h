// Smithy's rpc-v2-cbor documents to and from JSON ones.
//
// CBOR (RFC 8949) has no schema either, so one rule is needed on the way out: members that CloudWatch calls Timestamp,
// Timestamps or …Timestamp are times and get tag 1, as the protocol asks. On the way in tags are passed over. Pure
// functions. Source: the smithy RPC v2 CBOR protocol.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace espalier::api::metrics {

/// nullopt when the bytes are no CBOR map, or nested deeper than kNestingDepthMax. No bytes are an empty map.
std::optional<nlohmann::json> FromCbor(std::string_view bytes);

std::string ToCbor(const nlohmann::json& document);

}  // namespace espalier::api::metrics
