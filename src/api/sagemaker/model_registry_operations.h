// The model registry on the wire: model package groups, model packages, model cards.
// Borrowed services. Documents are hosting's (hosting/model_registry.h); here are names, shapes and texts.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "api/sagemaker/operations.h"
#include "hosting/endpoint_service.h"

namespace espalier::api::sagemaker {

void AddModelPackageGroupOperations(OperationTable& table, hosting::EndpointService& hosting);
void AddModelPackageOperations(OperationTable& table, hosting::EndpointService& hosting);
void AddModelCardOperations(OperationTable& table, hosting::EndpointService& hosting);

/// A UserContext of whoever made a resource.
nlohmann::json UserContextOf(const std::string& caller_arn);

/// DescribeModelPackage's and DescribeModelPackageGroup's documents, which Search gives too.
nlohmann::json DescribePackageDocument(const hosting::ModelRegistry::Package& package);
nlohmann::json DescribeGroupDocument(const meta::ResourceRecord& group);

}  // namespace espalier::api::sagemaker
