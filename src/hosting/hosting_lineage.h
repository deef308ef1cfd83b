// What hosting adds to the lineage: models, model packages and their groups, deployments, endpoints; AWS's names for
// them. Each function notes what is there now; what it cannot note is logged and changes nothing else, since the thing
// itself has been made. Source: the AWS developer guide, "Amazon SageMaker ML Lineage Tracking".
#pragma once

#include <string>

#include "base/clock.h"
#include "hosting/endpoint_spec.h"
#include "meta/database.h"
#include "meta/scope.h"

namespace espalier::hosting {

/// archive -> model, or package -> model.
void NoteModelLineage(meta::Database& database, const meta::Scope& scope, const std::string& name,
                      const ModelSpec& spec, UnixMillis now);

/// archive -> package -> group, for a package that is a version.
void NotePackageLineage(meta::Database& database, const meta::Scope& scope, const std::string& name,
                        const ModelSpec& container, const std::string& archive_id, UnixMillis now);

/// models -> deployment -> endpoint.
void NoteEndpointLineage(meta::Database& database, const meta::Scope& scope, const std::string& name,
                         const EndpointSpec& spec, UnixMillis now);

}  // namespace espalier::hosting
