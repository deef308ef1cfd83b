// Checks a request document against its published shape and words every violation as AWS does.
//
//   2 validation errors detected: Value 'a_b' at 'trainingJobName' failed to satisfy constraint: Member must satisfy
//   regular expression pattern: ^…; Value null at 'roleArn' failed to satisfy constraint: Member must not be null
//
// Paths are lowerCamelCase with 1-based ".<n>.member" for list elements. A value of the wrong JSON type is a
// SerializationException instead, as the service cannot even read it. Members the model does not know are accepted and
// kept: SDKs are newer than servers. JSON null means absent.
// Thread-safe: pure function. Source: contracts/api.md 3.2; tests/wire/sagemaker/validation pins the texts.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "api/json_protocol.h"
#include "api/sagemaker/service_model.h"

namespace espalier::api::sagemaker {

/// nullopt when `document` satisfies `shape`. Normalises on the way: nulls are removed from structures, whole floats
/// given for integers become integers, and timestamps given as ISO-8601 text become epoch seconds.
std::optional<WireError> Validate(const Shape& shape, nlohmann::json& document);

/// "2024-01-01T00:00:00Z", fraction allowed, as epoch seconds; nullopt for any other text.
std::optional<double> ParseIsoTime(const std::string& text);

}  // namespace espalier::api::sagemaker
