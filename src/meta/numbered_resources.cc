#include "meta/numbered_resources.h"

#include <fmt/format.h>
#include <soci/soci.h>

#include <charconv>

#include "meta/arn.h"
#include "meta/resource_rows.h"

namespace espalier::meta {
namespace {

/// Counts one more version of the parent. kNotFound.
Result<std::int64_t> NextNumber(soci::session& sql, ResourceKind parent_kind, const Scope& scope,
                                const std::string& parent) {
    long long number = 0;
    sql << fmt::format(
        "UPDATE {} SET last_number = last_number + 1 WHERE account = :account AND region = :region AND name = :name "
        "RETURNING last_number",
        TableOf(parent_kind)),
        soci::use(scope.account), soci::use(scope.region), soci::use(parent), soci::into(number);
    if (!sql.got_data())
        return Error(ErrorCode::kNotFound, fmt::format("there is no {} {}", ArnKind(parent_kind), parent));
    return number;
}

std::string NumberedNameOf(const std::string& parent, std::int64_t number) {
    return fmt::format("{}/{}", parent, number);
}

}  // namespace

Result<void> NumberedResources::InsertWithFirst(const ResourceRecord& parent, std::span<const Tag> tags) {
    Result<void> written = database_.Write([&](soci::session& sql) -> Result<void> {
        TRY(InsertResource(sql, parent_kind_, parent, tags));
        ResourceRecord first = parent;
        first.name = NumberedNameOf(parent.name, TRY(NextNumber(sql, parent_kind_, parent.scope, parent.name)));
        return InsertResource(sql, kind_, first, {});
    });
    if (!written && written.error().code() == ErrorCode::kConflict)
        return Error(ErrorCode::kAlreadyExists, fmt::format("{} {} exists", ArnKind(parent_kind_), parent.name));
    return written;
}

Result<std::string> NumberedResources::Append(ResourceRecord record, std::span<const Tag> tags,
                                              const std::optional<ResourceRecord>& parent,
                                              const LineageOf& lineage_of) {
    const std::string parent_name = record.name;
    TRY(database_.Write([&](soci::session& sql) -> Result<void> {
        record.name = NumberedNameOf(parent_name, TRY(NextNumber(sql, parent_kind_, record.scope, parent_name)));
        TRY(InsertResource(sql, kind_, record, tags));
        if (parent) TRY(UpdateResource(sql, parent_kind_, *parent));
        if (lineage_of) NoteLineage(sql, record.scope, lineage_of(record.name));
        return {};
    }));
    return record.name;
}

Result<void> NumberedResources::UpdateBoth(const ResourceRecord& version, const ResourceRecord& parent) {
    return database_.Write([&](soci::session& sql) -> Result<void> {
        TRY(UpdateResource(sql, kind_, version));
        return UpdateResource(sql, parent_kind_, parent);
    });
}

Result<void> NumberedResources::DeleteParent(const Scope& scope, const std::string& name, bool with_versions) {
    const std::string versions =
        fmt::format("FROM {} WHERE account = :account AND region = :region AND parent = :parent", TableOf(kind_));
    return database_.Write([&](soci::session& sql) -> Result<void> {
        if (with_versions) {
            sql << "DELETE " + versions, soci::use(scope.account), soci::use(scope.region), soci::use(name);
        } else {
            int count = 0;
            sql << "SELECT count(*) " + versions, soci::use(scope.account), soci::use(scope.region), soci::use(name),
                soci::into(count);
            if (count > 0)
                return Error(ErrorCode::kConflict, fmt::format("{} {} has versions", ArnKind(parent_kind_), name));
        }
        return DeleteResource(sql, parent_kind_, scope, name);
    });
}

Result<std::int64_t> NumberedResources::LastNumber(const Scope& scope, const std::string& parent) const {
    long long number = 0;
    const std::string text =
        fmt::format("SELECT last_number FROM {} WHERE account = :account AND region = :region AND name = :name",
                    TableOf(parent_kind_));
    TRY(database_.Read([&](soci::session& sql) -> Result<void> {
        sql << text, soci::use(scope.account), soci::use(scope.region), soci::use(parent), soci::into(number);
        return {};
    }));
    return number;
}

NumberedName SplitNumberedName(const std::string& name) {
    const std::size_t slash = name.rfind('/');
    NumberedName split = {.parent = name.substr(0, slash)};
    if (slash != std::string::npos) std::from_chars(name.data() + slash + 1, name.data() + name.size(), split.number);
    return split;
}

}  // namespace espalier::meta
