#include "meta/resources.h"

#include <fmt/format.h>
#include <soci/soci.h>

#include <memory>

#include "base/check.h"
#include "meta/arn.h"
#include "meta/resource_rows.h"

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

std::string_view ColumnOf(ListQuery::SortBy sort_by) {
    switch (sort_by) {
        case ListQuery::SortBy::kName:
            return "name";
        case ListQuery::SortBy::kCreationTime:
            return "created_at";
        case ListQuery::SortBy::kStatus:
            return "status";
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

/// Values that a query's placeholders refer to, in order; they must stay where they are until it has run.
struct Filter {
    std::string where;
    std::vector<std::unique_ptr<std::string>> texts;
    std::vector<std::unique_ptr<long long>> numbers;
    /// Placeholders in order: true = the next text, false = the next number.
    std::vector<bool> order;

    /// `condition` ends in what stands before its placeholder; `close` stands after it.
    void Text(std::string_view condition, std::string value, std::string_view close = "") {
        AddPlaceholder(condition, close, true);
        texts.push_back(std::make_unique<std::string>(std::move(value)));
    }
    void Number(std::string_view condition, long long value) {
        AddPlaceholder(condition, "", false);
        numbers.push_back(std::make_unique<long long>(value));
    }
    void AddPlaceholder(std::string_view condition, std::string_view close, bool is_text) {
        order.push_back(is_text);
        // Numbered, because SQLite takes equal names for one parameter.
        where += fmt::format("{} :v{}{}", condition, order.size(), close);
    }
    void Bind(soci::statement& query) {
        auto text = texts.begin();
        auto number = numbers.begin();
        for (bool is_text : order) {
            if (is_text)
                query.exchange(soci::use(**text++));
            else
                query.exchange(soci::use(**number++));
        }
    }
};

Filter FilterOf(const ListQuery& query) {
    Filter filter;
    filter.Text("account =", query.scope.account);
    filter.Text(" AND region =", query.scope.region);
    if (!query.name_contains.empty()) filter.Text(" AND instr(name_folded, ", FoldCase(query.name_contains), ") > 0");
    if (!query.status.empty()) filter.Text(" AND status =", query.status);
    // Spelt as in the partial indexes, or SQLite does not use them.
    if (query.parent && query.parent->empty()) filter.where += " AND parent = ''";
    if (query.parent && !query.parent->empty()) filter.Text(" AND parent =", *query.parent);
    if (query.only_versions) filter.where += " AND parent <> ''";
    if (query.created_after) filter.Number(" AND created_at >", *query.created_after);
    if (query.created_before) filter.Number(" AND created_at <", *query.created_before);
    if (query.modified_after) filter.Number(" AND modified_at >", *query.modified_after);
    if (query.modified_before) filter.Number(" AND modified_at <", *query.modified_before);
    if (query.after) {
        // A row value, which SQLite seeks in an index.
        const std::string condition =
            fmt::format(" AND ({}, name) {} (", ColumnOf(query.sort_by), query.descending ? '<' : '>');
        if (query.sort_by == ListQuery::SortBy::kCreationTime)
            filter.Number(condition, std::strtoll(query.after->sort_value.c_str(), nullptr, 10));
        else
            filter.Text(condition, query.after->sort_value);
        filter.Text(",", query.after->name, ")");
    }
    return filter;
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

ListCursor CursorOf(const ResourceRecord& record, ListQuery::SortBy sort_by) {
    switch (sort_by) {
        case ListQuery::SortBy::kName:
            return {record.name, record.name};
        case ListQuery::SortBy::kCreationTime:
            return {std::to_string(record.created_at), record.name};
        case ListQuery::SortBy::kStatus:
            return {record.status, record.name};
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

Result<void> Resources::Insert(const ResourceRecord& record, std::span<const Tag> tags) {
    Result<void> written =
        database_.Write([&](soci::session& sql) { return InsertResource(sql, kind_, record, tags); });
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

Result<std::vector<ResourceRecord>> Resources::List(const ListQuery& query) const {
    Filter filter = FilterOf(query);
    const char* direction = query.descending ? "DESC" : "ASC";
    const std::string text =
        fmt::format("SELECT {} FROM {} WHERE {} ORDER BY {} {}, name {} LIMIT {}", kColumns, TableOf(kind_),
                    filter.where, ColumnOf(query.sort_by), direction, direction, query.limit);
    std::vector<ResourceRecord> rows;
    TRY(database_.Read([&](soci::session& sql) -> Result<void> {
        rows = Fetch(sql, text, [&](soci::statement& statement) { filter.Bind(statement); });
        return {};
    }));
    return rows;
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
