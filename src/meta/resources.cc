#include "meta/resources.h"

#include <fmt/format.h>
#include <soci/soci.h>

#include "base/check.h"
#include "meta/arn.h"
#include "meta/resource_rows.h"
#include "meta/row_list.h"

namespace espalier::meta {
namespace {

constexpr std::string_view kColumns = "account, region, name, created_at, modified_at, status, document";

}  // namespace

std::string_view TableOf(ResourceKind kind) {
    switch (kind) {
        case ResourceKind::kModel:
            return "models";
        case ResourceKind::kEndpointConfig:
            return "endpoint_configs";
        case ResourceKind::kEndpoint:
            return "endpoints";
        case ResourceKind::kModelPackageGroup:
            return "model_package_groups";
        case ResourceKind::kModelPackage:
            return "model_packages";
        case ResourceKind::kModelCard:
            return "model_cards";
        case ResourceKind::kModelCardVersion:
            return "model_card_versions";
    }
    CHECK(false);
}

namespace {

ListCursor PlaceOf(const ResourceRecord& record, ListSort sort) {
    switch (sort) {
        case ListSort::kName:
            return {record.name, record.name};
        case ListSort::kCreationTime:
            return {std::to_string(record.created_at), record.name};
        case ListSort::kStatus:
            return {record.status, record.name};
    }
    CHECK(false);
}

/// Collects the rows of a SELECT of kColumns; `bind` adds the statement's placeholders.
template <typename Bind>
std::vector<ResourceRecord> Fetch(soci::session& sql, const std::string& text, Bind&& bind) {
    ResourceRecord row;
    long long created_at = 0;
    long long modified_at = 0;
    soci::statement statement(sql);
    bind(statement);
    statement.exchange(soci::into(row.scope.account));
    statement.exchange(soci::into(row.scope.region));
    statement.exchange(soci::into(row.name));
    statement.exchange(soci::into(created_at));
    statement.exchange(soci::into(modified_at));
    statement.exchange(soci::into(row.status));
    statement.exchange(soci::into(row.document));
    statement.alloc();
    statement.prepare(text);
    statement.define_and_bind();
    statement.execute();
    std::vector<ResourceRecord> rows;
    while (statement.fetch()) {
        row.created_at = created_at;
        row.modified_at = modified_at;
        rows.push_back(row);
    }
    return rows;
}

}  // namespace

std::string_view ArnKind(ResourceKind kind) {
    switch (kind) {
        case ResourceKind::kModel:
            return "model";
        case ResourceKind::kEndpointConfig:
            return "endpoint-config";
        case ResourceKind::kEndpoint:
            return "endpoint";
        case ResourceKind::kModelPackageGroup:
            return "model-package-group";
        case ResourceKind::kModelPackage:
            return "model-package";
        case ResourceKind::kModelCard:
        case ResourceKind::kModelCardVersion:
            return "model-card";
    }
    CHECK(false);
}

Result<void> InsertResource(soci::session& sql, ResourceKind kind, const ResourceRecord& record,
                            std::span<const Tag> tags) {
    const std::string folded = FoldCase(record.name);
    const long long created_at = record.created_at;
    const long long modified_at = record.modified_at;
    sql << fmt::format(
        "INSERT INTO {} ({}, name_folded) VALUES (:account, :region, :name, :created, :modified, :status, :document, "
        ":folded)",
        TableOf(kind), kColumns),
        soci::use(record.scope.account), soci::use(record.scope.region), soci::use(record.name), soci::use(created_at),
        soci::use(modified_at), soci::use(record.status), soci::use(record.document), soci::use(folded);
    return AddTags(sql, SageMakerArn(record.scope, ArnKind(kind), record.name), tags);
}

Result<void> UpdateResource(soci::session& sql, ResourceKind kind, const ResourceRecord& record) {
    const std::string folded = FoldCase(record.name);
    const long long modified_at = record.modified_at;
    const std::string text = fmt::format(
        "UPDATE {} SET modified_at = :modified, status = :status, document = :document "
        "WHERE account = :account AND region = :region AND name_folded = :folded",
        TableOf(kind));
    soci::statement update =
        (sql.prepare << text, soci::use(modified_at), soci::use(record.status), soci::use(record.document),
         soci::use(record.scope.account), soci::use(record.scope.region), soci::use(folded));
    update.execute(true);
    if (update.get_affected_rows() == 0)
        return Error(ErrorCode::kNotFound, fmt::format("there is no {} {}", ArnKind(kind), record.name));
    return {};
}

Result<void> DeleteResource(soci::session& sql, ResourceKind kind, const Scope& scope, const std::string& name) {
    const std::string text =
        fmt::format("DELETE FROM {} WHERE account = :account AND region = :region AND name = :name", TableOf(kind));
    soci::statement removal = (sql.prepare << text, soci::use(scope.account), soci::use(scope.region), soci::use(name));
    removal.execute(true);
    if (removal.get_affected_rows() == 0)
        return Error(ErrorCode::kNotFound, fmt::format("there is no {} {}", ArnKind(kind), name));
    DropTags(sql, SageMakerArn(scope, ArnKind(kind), name));
    return {};
}

Result<void> Resources::Insert(const ResourceRecord& record, std::span<const Tag> tags, const LineageNote& lineage) {
    Result<void> written = database_.Write([&](soci::session& sql) -> Result<void> {
        TRY(InsertResource(sql, kind_, record, tags));
        NoteLineage(sql, record.scope, lineage);
        return {};
    });
    if (!written && written.error().code() == ErrorCode::kConflict)
        return Error(ErrorCode::kAlreadyExists, fmt::format("{} {} exists", ArnKind(kind_), record.name));
    return written;
}

Result<std::optional<ResourceRecord>> Resources::FindFolded(const Scope& scope, const std::string& name) const {
    std::vector<ResourceRecord> rows;
    const std::string text =
        fmt::format("SELECT {} FROM {} WHERE account = :account AND region = :region AND name_folded = :folded",
                    kColumns, TableOf(kind_));
    const std::string folded = FoldCase(name);
    TRY(database_.Read([&](soci::session& sql) -> Result<void> {
        rows = Fetch(sql, text, [&](soci::statement& statement) {
            for (const std::string* value : {&scope.account, &scope.region, &folded})
                statement.exchange(soci::use(*value));
        });
        return {};
    }));
    if (rows.empty()) return std::optional<ResourceRecord>();
    return std::optional<ResourceRecord>(std::move(rows.front()));
}

Result<std::optional<ResourceRecord>> Resources::Find(const Scope& scope, const std::string& name) const {
    std::optional<ResourceRecord> row = TRY(FindFolded(scope, name));
    if (row && row->name != name) row.reset();
    return row;
}

Result<bool> Resources::ExistsFolded(const Scope& scope, const std::string& name) const {
    int count = 0;
    const std::string folded = FoldCase(name);
    const std::string text =
        fmt::format("SELECT count(*) FROM {} WHERE account = :account AND region = :region AND name_folded = :folded",
                    TableOf(kind_));
    TRY(database_.Read([&](soci::session& sql) -> Result<void> {
        sql << text, soci::use(scope.account), soci::use(scope.region), soci::use(folded), soci::into(count);
        return {};
    }));
    return count > 0;
}

Result<void> Resources::Update(const ResourceRecord& record) {
    return database_.Write([&](soci::session& sql) { return UpdateResource(sql, kind_, record); });
}

Result<void> Resources::Delete(const Scope& scope, const std::string& name) {
    return database_.Write([&](soci::session& sql) { return DeleteResource(sql, kind_, scope, name); });
}

Result<ResourcePage> Resources::List(const ListQuery& query) const {
    const bool listed_by_status = kind_ == ResourceKind::kEndpoint || kind_ == ResourceKind::kModelCard;
    const ListedTable table = {.name = TableOf(kind_),
                               .tie = "name",
                               .has_status_orders = listed_by_status,
                               .has_modification_index = kind_ == ResourceKind::kEndpoint};
    ResourcePage page;
    TRY(database_.Read([&](soci::session& sql) -> Result<void> {
        PagePlan plan = TRY(PlanPage(sql, table, query));
        page.rows = Fetch(sql, fmt::format("SELECT {} {}", kColumns, plan.rows),
                          [&](soci::statement& statement) { BindValues(statement, plan.values); });
        page.next = EndPage(page.rows, query.limit, plan, [&](const auto& row) { return PlaceOf(row, query.sort); });
        return {};
    }));
    return page;
}

Result<std::vector<ResourceRecord>> Resources::All() const {
    std::vector<ResourceRecord> rows;
    const std::string text = fmt::format("SELECT {} FROM {} ORDER BY created_at, name", kColumns, TableOf(kind_));
    TRY(database_.Read([&](soci::session& sql) -> Result<void> {
        rows = Fetch(sql, text, [](soci::statement&) {});
        return {};
    }));
    return rows;
}

}  // namespace espalier::meta
