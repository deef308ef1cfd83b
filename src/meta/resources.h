// The nouns of hosting in SQL: models, endpoint configurations, endpoints, and the model registry's groups, packages
// and cards. All are a name in a Scope, times, a status and a JSON document, so they share one table layout and this
// one class; what the documents hold is hosting's business (hosting/endpoint_spec.h, model_registry.h;
// docs/formats.md). Versions of a parent are called "<parent>/<number>", as in their ARNs (numbered_resources.h).
//
// Names keep their case and are found by it; they are unique without case, because ARNs are lower-case.
// Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "meta/database.h"
#include "meta/lineage.h"
#include "meta/list_query.h"
#include "meta/scope.h"
#include "meta/tags.h"

namespace espalier::meta {

enum class ResourceKind {
    kModel,
    kEndpointConfig,
    kEndpoint,
    kModelPackageGroup,
    kModelPackage,
    kModelCard,
    kModelCardVersion
};

/// The kind as ARNs spell it: "model", "endpoint-config", "endpoint", …
std::string_view ArnKind(ResourceKind kind);

struct ResourceRecord {
    Scope scope;
    std::string name;
    UnixMillis created_at = 0;
    UnixMillis modified_at = 0;
    std::string status;    ///< what lists filter by: "InService", "Approved", …; "" for kinds without
    std::string document;  ///< JSON
};

struct ResourcePage {
    std::vector<ResourceRecord> rows;
    std::optional<ListCursor> next = {};  ///< set when there may be more rows; a page may end before it is full
};

class Resources {
  public:
    Resources(Database& database, ResourceKind kind) : database_(database), kind_(kind) {}

    /// With its tags and its lineage, in one transaction. kAlreadyExists when the name is taken (in any case).
    Result<void> Insert(const ResourceRecord& record, std::span<const Tag> tags, const LineageNote& lineage = {});
    Result<std::optional<ResourceRecord>> Find(const Scope& scope, const std::string& name) const;
    /// The resource whose name is that in any case.
    Result<std::optional<ResourceRecord>> FindFolded(const Scope& scope, const std::string& name) const;
    /// True when a resource of that name in any case is there: what an ARN, always lower-case, can tell.
    Result<bool> ExistsFolded(const Scope& scope, const std::string& name) const;
    /// Replaces status, document and modified_at. kNotFound when there is no such row.
    Result<void> Update(const ResourceRecord& record);
    /// With its tags. kNotFound when there is no such row.
    Result<void> Delete(const Scope& scope, const std::string& name);
    /// What a page costs: meta/row_list.h.
    Result<ResourcePage> List(const ListQuery& query) const;
    /// Every row of every scope, for start-up.
    Result<std::vector<ResourceRecord>> All() const;

  private:
    Database& database_;
    ResourceKind kind_;
};

}  // namespace espalier::meta
