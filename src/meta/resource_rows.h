// Rows of resources.h inside a transaction of the caller's. Internal to meta/.
#pragma once

#include <soci/soci.h>

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "meta/resources.h"

namespace espalier::meta {

std::string_view TableOf(ResourceKind kind);

/// With its tags. A name that is taken fails the transaction with kConflict.
Result<void> InsertResource(soci::session& sql, ResourceKind kind, const ResourceRecord& record,
                            std::span<const Tag> tags);
/// Replaces status, document and modified_at. kNotFound when there is no such row.
Result<void> UpdateResource(soci::session& sql, ResourceKind kind, const ResourceRecord& record);
/// With its tags. kNotFound when there is no such row.
Result<void> DeleteResource(soci::session& sql, ResourceKind kind, const Scope& scope, const std::string& name);

}  // namespace espalier::meta
