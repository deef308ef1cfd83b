// Lineage on the wire: artifacts, actions, contexts, associations, and questions about the whole graph.
//
// AWS's names: an entity's "lineage type" is Artifact, Action, Context or TrialComponent, its type is free (DataSet,
// Model, ModelPackage, ModelDeployment, Endpoint, TrainingJob, …). The platform's own entities are noted where things
// are made (jobs/training_lineage.h, hosting/hosting_lineage.h). Trial components are those of training jobs; they can
// be described, not made. Source: contracts/api.md 3.9 for the lists; the published service model.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "api/json_protocol.h"
#include "api/sagemaker/operations.h"
#include "base/clock.h"
#include "meta/database.h"
#include "meta/lineage.h"

namespace espalier::api::sagemaker {

/// Borrowed, as long as the table lives.
struct LineageTools {
    meta::Database* database;
    const Clock* clock;
};
/// Create, Describe, Update, Delete and List of the three nouns, and DescribeTrialComponent.
void AddLineageOperations(OperationTable& table, const LineageTools& tools);
/// AddAssociation, DeleteAssociation, ListAssociations, QueryLineage.
void AddAssociationOperations(OperationTable& table, const LineageTools& tools);

/// "Artifact", "Action", "Context" or "TrialComponent".
std::string_view LineageTypeOf(const meta::LineageKey& key);
std::string ArnOf(const meta::Scope& scope, const meta::LineageKey& key);
/// nullopt for an ARN of something else, or of another account or region.
std::optional<meta::LineageKey> LineageKeyOf(const meta::Scope& scope, const std::string& arn);

}  // namespace espalier::api::sagemaker
