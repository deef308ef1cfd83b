// CreateHyperParameterTuningJob, Describe, Stop, Delete, ListHyperParameterTuningJobs and
// ListTrainingJobsForHyperParameterTuningJob. Source: contracts/api.md 3.3, 3.8, 3.9.
#pragma once

#include "api/sagemaker/describe_hold.h"
#include "api/sagemaker/operations.h"
#include "jobs/tuning/tuning_service.h"

namespace espalier::api::sagemaker {

/// Borrows both.
void AddTuningJobOperations(OperationTable& table, jobs::TuningService& tuning, DescribeHold& hold);

}  // namespace espalier::api::sagemaker
