// Containers in requests: of CreateModel and of a model package's InferenceSpecification. Thread-safe: pure functions.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/result.h"
#include "hosting/endpoint_spec.h"

namespace espalier::api::sagemaker {

/// Image, model data and environment of a container. kInvalidArgument with a sentence when they are not said, or said
/// twice.
Result<hosting::ModelSpec> ModelSpecOf(const nlohmann::json& container);

/// The container's Environment, empty when absent.
std::map<std::string, std::string> EnvironmentOf(const nlohmann::json& container);

}  // namespace espalier::api::sagemaker
