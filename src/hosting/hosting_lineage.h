// What hosting adds to the lineage: models, model packages and their groups, deployments, endpoints; AWS's names for
// them. Models and packages are noted in the transaction that makes them; an endpoint whenever it enters service, where
// what cannot be noted is logged and changes nothing else. Source: the AWS developer guide, "Amazon SageMaker ML
// Lineage Tracking". Pure functions but for the last.
#pragma once

#include <string>

#include "base/clock.h"
#include "hosting/endpoint_spec.h"
#include "meta/database.h"
#include "meta/lineage.h"
#include "meta/scope.h"

namespace espalier::hosting {

/// archive -> model, or package -> model.
meta::LineageNote LineageOfModel(const meta::Scope& scope, const std::string& name, const ModelSpec& spec,
                                 UnixMillis now);

/// archive -> package -> group, for a package that is a version.
meta::LineageNote LineageOfPackage(const meta::Scope& scope, const std::string& name, const ModelSpec& container,
                                   const std::string& archive_id, UnixMillis now);

/// models -> deployment -> endpoint.
void NoteEndpointLineage(meta::Database& database, const meta::Scope& scope, const std::string& name,
                         const EndpointSpec& spec, UnixMillis now);

}  // namespace espalier::hosting
