// Search: training jobs, tuning jobs, models, endpoints, model packages, their groups and model cards by what is in
// them.
//
// A resource is searched as Describe gives it, with its tags. Results come newest first, unless SortBy names a
// property; then all resources of the kind are looked at, up to kSortedMax. Without SortBy a page looks at kSearchedMax
// resources and may end before it is full. GetSearchSuggestions gives the names of properties, HyperParameters.*,
// Tags.* and Metrics.* among them, that the newest kSuggestedMax resources of a kind have. Source: SageMaker's API
// reference of Search; search_expression.h.
#pragma once

#include "api/sagemaker/operations.h"
#include "jobs/job_service.h"
#include "jobs/tuning/tuning_service.h"
#include "meta/database.h"

namespace espalier::api::sagemaker {

inline constexpr std::size_t kSearchedMax = 5'000;
inline constexpr std::size_t kSortedMax = 20'000;
inline constexpr std::size_t kSuggestedMax = 200;

/// After the List and Describe operations of what is searched are in the table, whose handlers are used.
void AddSearchOperations(OperationTable& table, jobs::JobService& training, jobs::TuningService& tuning,
                         meta::Database& database);

}  // namespace espalier::api::sagemaker
