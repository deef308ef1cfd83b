// The SearchExpression of Search: does a resource satisfy it?
//
// Nouns: Expression. A property is a path into the resource's document, as the results have it: "TrainingJobStatus",
// "HyperParameters.eta", "InputDataConfig.DataSource.S3DataSource.S3Uri" (any element of a list on the way will do);
// "Tags.KEY" is a tag's value and "Metrics.NAME" a final metric's. Operators: Equals, NotEquals,
// GreaterThan(OrEqualTo), LessThan(OrEqualTo), Contains, Exists, NotExists, In. Numbers compare as numbers, times as
// times (ISO 8601 or epoch seconds), the rest as text; Contains is a part of the text, without case. Pure functions.
// Source: SageMaker's API reference of SearchExpression, Filter and NestedFilters.
#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"

namespace espalier::api::sagemaker {

/// kInvalidArgument with a sentence for the user: a filter without the value that its operator needs, one with a value
/// too many, values that cannot be compared by size. Checked once, before any resource is looked at.
Result<void> CheckExpression(const nlohmann::json& expression);

/// `expression` has been checked; an empty one is true.
bool Satisfies(const nlohmann::json& resource, const nlohmann::json& expression);

/// All values of the property, in order: none when the resource does not have it.
std::vector<nlohmann::json> ValuesOf(const nlohmann::json& resource, const std::string& property);

/// Adds the names of the properties that the resource has, each of which ValuesOf finds.
void CollectNames(const nlohmann::json& resource, std::set<std::string>& names);

/// Whether `a` comes before `b` when results are sorted by a property with these values.
bool ComesBefore(const nlohmann::json& a, const nlohmann::json& b);

}  // namespace espalier::api::sagemaker
