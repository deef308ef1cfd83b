// CreateTransformJob, DescribeTransformJob, StopTransformJob, ListTransformJobs. Source: contracts/api.md 3.3, 3.7.
#pragma once

#include "api/sagemaker/describe_hold.h"
#include "api/sagemaker/operations.h"
#include "hosting/endpoint_service.h"
#include "jobs/transform/transform_service.h"

namespace espalier::api::sagemaker {

/// The services are borrowed; models are looked up in `hosting`.
void AddTransformJobOperations(OperationTable& table, jobs::TransformService& transforms,
                               hosting::EndpointService& hosting, DescribeHold& hold);

}  // namespace espalier::api::sagemaker
