// Resources that have versions: model package groups with their packages, model cards with their versions.
//
// A version is a resource of its own kind called "<parent>/<number>". Numbers begin with 1 and are given once: the
// parent's row counts them, so the number of a deleted version does not come again. Thread-safe.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "meta/lineage.h"
#include "meta/resources.h"

namespace espalier::meta {

class NumberedResources {
  public:
    NumberedResources(Database& database, ResourceKind parent_kind, ResourceKind kind)
        : database_(database), parent_kind_(parent_kind), kind_(kind) {}

    /// The parent and its version 1, which has the parent's values, in one transaction. kAlreadyExists when the name is
    /// taken (in any case).
    Result<void> InsertWithFirst(const ResourceRecord& parent, std::span<const Tag> tags);

    /// What is noted of a version, by its name.
    using LineageOf = std::function<LineageNote(const std::string& name)>;

    /// Adds the next version of the parent that `record` names with its lineage, and updates the parent to `parent`
    /// when one is given; gives the version's name. kNotFound when there is no such parent.
    Result<std::string> Append(ResourceRecord record, std::span<const Tag> tags,
                               const std::optional<ResourceRecord>& parent = {}, const LineageOf& lineage_of = {});

    /// Updates a version and its parent in one transaction. kNotFound.
    Result<void> UpdateBoth(const ResourceRecord& version, const ResourceRecord& parent);

    /// kNotFound; kConflict when it has versions and `with_versions` is false.
    Result<void> DeleteParent(const Scope& scope, const std::string& name, bool with_versions);

    /// The number of the newest version there has been; 0 when there is no such parent.
    Result<std::int64_t> LastNumber(const Scope& scope, const std::string& parent) const;

  private:
    Database& database_;
    ResourceKind parent_kind_;
    ResourceKind kind_;
};

/// "group/3" -> {"group", 3}; a name without a number has number 0.
struct NumberedName {
    std::string parent;
    std::int64_t number = 0;
};
NumberedName SplitNumberedName(const std::string& name);

}  // namespace espalier::meta
