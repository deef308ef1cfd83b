// CreateHyperParameterTuningJob, Describe, Stop, Delete, ListHyperParameterTuningJobs and
// ListTrainingJobsForHyperParameterTuningJob. Source: contracts/api.md 3.3, 3.8, 3.9.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "api/sagemaker/describe_hold.h"
#include "api/sagemaker/operations.h"
#include "base/result.h"
#include "jobs/tuning/tuning_service.h"

namespace espalier::api::sagemaker {

/// Borrows both.
void AddTuningJobOperations(OperationTable& table, jobs::TuningService& tuning, DescribeHold& hold);

/// The answer of DescribeHyperParameterTuningJob.
Result<nlohmann::json> DescribeTuningJobDocument(jobs::TuningService& tuning, const meta::Job& job);

}  // namespace espalier::api::sagemaker
