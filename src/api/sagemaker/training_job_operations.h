// Create, Describe, Stop and ListTrainingJobs. Borrowed services; a Describe may be held (describe_hold.h).
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "api/sagemaker/describe_hold.h"
#include "api/sagemaker/operations.h"
#include "jobs/job_service.h"

namespace espalier::api::sagemaker {

/// Adds the built-in algorithm's MetricDefinitions to an AlgorithmSpecification, as SageMaker does.
void FillMetricDefinitions(nlohmann::json& algorithm);

void AddTrainingJobOperations(OperationTable& table, jobs::JobService& jobs, DescribeHold& hold);

/// DescribeTrainingJob's document: the request as it was sent, what SageMaker fills in, and the state.
nlohmann::json DescribeTrainingJobDocument(const meta::TrainingJob& job, const std::vector<meta::MetricPoint>& metrics);

}  // namespace espalier::api::sagemaker
