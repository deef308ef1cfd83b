// Requests of the query protocol as the JSON documents that CloudWatch's operations take, and their answers as XML.
//
// A form is flat: a list is Name.member.1, Name.member.2, …, a structure's members follow a dot. Which is which, and
// which value is a number, the published shape says. On the way out lists become <member> elements and members that are
// times (as for CBOR) ISO 8601. Pure functions. Source: the AWS query protocol as botocore's models describe it;
// contracts/api.md 1.5.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <variant>

#include "api/json_protocol.h"
#include "api/query_protocol.h"
#include "api/sagemaker/service_model.h"

namespace espalier::api::metrics {

/// MalformedInput when a value is not of its member's type. Parameters the shape does not know are passed over, as
/// unknown members of JSON are.
std::variant<nlohmann::json, WireError> FromQuery(const sagemaker::Shape& shape, const QueryForm& form);

/// The elements inside of <…Result>.
std::string ToQueryXml(const nlohmann::json& document);

}  // namespace espalier::api::metrics
