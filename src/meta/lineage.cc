#include "meta/lineage.h"

#include <fmt/format.h>
#include <soci/soci.h>

#include "base/digest.h"
#include "base/encoding.h"
#include "meta/read_rows.h"

namespace espalier::meta {
namespace {

constexpr std::string_view kEntityColumns = "kind, name, type, source_uri, document, created_at, modified_at";
constexpr std::string_view kEdgeColumns =
    "source_kind, source_name, destination_kind, destination_name, type, created_at";

LineageEntity EntityFromRow(const soci::row& row) {
    return {.key = {.kind = row.get<std::string>(0), .name = row.get<std::string>(1)},
            .type = row.get<std::string>(2),
            .source_uri = row.get<std::string>(3),
            .document = row.get<std::string>(4),
            .created_at = row.get<long long>(5),
            .modified_at = row.get<long long>(6)};
}

LineageEdge EdgeFromRow(const soci::row& row) {
    return {.source = {.kind = row.get<std::string>(0), .name = row.get<std::string>(1)},
            .destination = {.kind = row.get<std::string>(2), .name = row.get<std::string>(3)},
            .type = row.get<std::string>(4),
            .created_at = row.get<long long>(5)};
}

void InsertEntity(soci::session& sql, const Scope& scope, const LineageEntity& entity, std::string_view on_conflict) {
    sql << fmt::format(
        "INSERT INTO lineage_entities (account, region, {}) VALUES (:account, :region, :kind, :name, :type, :uri, "
        ":document, :created, :modified){}",
        kEntityColumns, on_conflict),
        soci::use(scope.account, "account"), soci::use(scope.region, "region"), soci::use(entity.key.kind, "kind"),
        soci::use(entity.key.name, "name"), soci::use(entity.type, "type"), soci::use(entity.source_uri, "uri"),
        soci::use(entity.document, "document"), soci::use(entity.created_at, "created"),
        soci::use(entity.modified_at, "modified");
}

void InsertEdge(soci::session& sql, const Scope& scope, const LineageEdge& edge) {
    sql << fmt::format(
        "INSERT OR IGNORE INTO lineage_edges (account, region, {}) VALUES (:account, :region, :source_kind, "
        ":source_name, :destination_kind, :destination_name, :type, :created)",
        kEdgeColumns),
        soci::use(scope.account, "account"), soci::use(scope.region, "region"),
        soci::use(edge.source.kind, "source_kind"), soci::use(edge.source.name, "source_name"),
        soci::use(edge.destination.kind, "destination_kind"), soci::use(edge.destination.name, "destination_name"),
        soci::use(edge.type, "type"), soci::use(edge.created_at, "created");
}

Conditions InScope(const Scope& scope) {
    return {.text = "account = :account AND region = :region",
            .texts = {{"account", scope.account}, {"region", scope.region}}};
}

void AddEnd(Conditions& conditions, std::string_view end, const LineageKey& key) {
    conditions.text += fmt::format(" AND {}_kind = :{}_kind AND {}_name = :{}_name", end, end, end, end);
    conditions.texts.emplace_back(fmt::format("{}_kind", end), key.kind);
    conditions.texts.emplace_back(fmt::format("{}_name", end), key.name);
}

Error NoSuchEntity(const LineageKey& key) {
    return Error(ErrorCode::kNotFound, fmt::format("there is no {} {}", key.kind, key.name));
}

}  // namespace

std::string ArtifactName(std::string_view source_uri, std::string_view content) {
    constexpr std::size_t kNameDigits = 32;
    return HexEncode(Sha256::Of(fmt::format("{}\n{}", source_uri, content))).substr(0, kNameDigits);
}

void NoteLineage(soci::session& sql, const Scope& scope, const LineageNote& note) {
    for (const LineageEntity& entity : note.entities) {
        InsertEntity(sql, scope, entity,
                     " ON CONFLICT (account, region, kind, name) DO UPDATE SET modified_at = excluded.modified_at");
    }
    for (const LineageEdge& edge : note.edges) InsertEdge(sql, scope, edge);
}

Result<void> Lineage::Note(const Scope& scope, const LineageNote& note) {
    return database_.Write([&](soci::session& sql) -> Result<void> {
        NoteLineage(sql, scope, note);
        return {};
    });
}

Result<std::optional<LineageEntity>> Lineage::Find(const Scope& scope, const LineageKey& key) {
    Conditions values = InScope(scope);
    values.text += " AND kind = :kind AND name = :name";
    values.texts.emplace_back("kind", key.kind);
    values.texts.emplace_back("name", key.name);
    std::optional<LineageEntity> found;
    TRY(ReadRows(database_, fmt::format("SELECT {} FROM lineage_entities WHERE {}", kEntityColumns, values.text),
                 values, [&](const soci::row& row) { found = EntityFromRow(row); }));
    return found;
}

Result<void> Lineage::Insert(const Scope& scope, const LineageEntity& entity) {
    Result<void> written = database_.Write([&](soci::session& sql) -> Result<void> {
        InsertEntity(sql, scope, entity, "");
        return {};
    });
    if (!written && written.error().code() == ErrorCode::kConflict)
        return Error(ErrorCode::kAlreadyExists, fmt::format("{} {} exists", entity.key.kind, entity.key.name));
    return written;
}

Result<void> Lineage::Update(const Scope& scope, const LineageEntity& entity) {
    Conditions values = InScope(scope);
    values.texts.insert(values.texts.end(),
                        {{"kind", entity.key.kind}, {"name", entity.key.name}, {"document", entity.document}});
    values.integers.emplace_back("modified", entity.modified_at);
    return database_.Write([&](soci::session& sql) -> Result<void> {
        const long long changed =
            ChangeRows(sql,
                       "UPDATE lineage_entities SET document = :document, modified_at = :modified "
                       "WHERE account = :account AND region = :region AND kind = :kind AND name = "
                       ":name",
                       values);
        return changed > 0 ? Result<void>() : Result<void>(NoSuchEntity(entity.key));
    });
}

Result<void> Lineage::Delete(const Scope& scope, const LineageKey& key, bool with_edges) {
    return database_.Write([&](soci::session& sql) -> Result<void> {
        for (const std::string_view end : {"source", "destination"}) {
            Conditions edges = InScope(scope);
            AddEnd(edges, end, key);
            if (with_edges) {
                ChangeRows(sql, "DELETE FROM lineage_edges WHERE " + edges.text, edges);
                continue;
            }
            bool has_edges = false;
            FetchRows(sql, fmt::format("SELECT type FROM lineage_edges WHERE {} LIMIT 1", edges.text), edges,
                      [&](const soci::row&) { has_edges = true; });
            if (has_edges)
                return Error(ErrorCode::kConflict, fmt::format("{} {} has associations", key.kind, key.name));
        }
        Conditions values = InScope(scope);
        values.text += " AND kind = :kind AND name = :name";
        values.texts.emplace_back("kind", key.kind);
        values.texts.emplace_back("name", key.name);
        if (ChangeRows(sql, "DELETE FROM lineage_entities WHERE " + values.text, values) == 0) return NoSuchEntity(key);
        return {};
    });
}

Result<void> Lineage::DeleteEdge(const Scope& scope, const LineageKey& source, const LineageKey& destination) {
    Conditions values = InScope(scope);
    AddEnd(values, "source", source);
    AddEnd(values, "destination", destination);
    return database_.Write([&](soci::session& sql) -> Result<void> {
        if (ChangeRows(sql, "DELETE FROM lineage_edges WHERE " + values.text, values) > 0) return {};
        return Error(ErrorCode::kNotFound, "there is no such association");
    });
}

Result<std::vector<LineageEntity>> Lineage::List(const LineageListQuery& query) {
    Conditions values = InScope(query.scope);
    values.text += " AND kind = :kind";
    values.texts.emplace_back("kind", query.kind);
    for (const auto& [column, wanted] : {std::pair("type", &query.type), std::pair("source_uri", &query.source_uri)}) {
        if (wanted->empty()) continue;
        values.text += fmt::format(" AND {} = :{}", column, column);
        values.texts.emplace_back(column, *wanted);
    }
    if (query.created_after) values.text += fmt::format(" AND created_at > {}", *query.created_after);
    if (query.created_before) values.text += fmt::format(" AND created_at < {}", *query.created_before);
    const std::string_view key = query.by_name ? "name" : "created_at";
    if (query.after) {
        values.text += fmt::format(" AND ({}, name) {} ({}, :after_name)", key, query.descending ? '<' : '>',
                                   query.by_name ? ":after_key" : std::to_string(query.after->created_at));
        if (query.by_name) values.texts.emplace_back("after_key", query.after->key.name);
        values.texts.emplace_back("after_name", query.after->key.name);
    }
    const std::string_view direction = query.descending ? "DESC" : "ASC";
    std::vector<LineageEntity> found;
    TRY(ReadRows(database_,
                 fmt::format("SELECT {} FROM lineage_entities WHERE {} ORDER BY {} {}, name {} LIMIT {}",
                             kEntityColumns, values.text, key, direction, direction, query.limit),
                 values, [&](const soci::row& row) { found.push_back(EntityFromRow(row)); }));
    return found;
}

Result<std::vector<LineageEdge>> Lineage::EdgesOf(const Scope& scope, const LineageKey& key, bool outgoing) {
    Conditions values = InScope(scope);
    AddEnd(values, outgoing ? "source" : "destination", key);
    const std::string_view other = outgoing ? "destination" : "source";
    std::vector<LineageEdge> edges;
    TRY(ReadRows(database_,
                 fmt::format("SELECT {} FROM lineage_edges WHERE {} ORDER BY {}_kind, {}_name", kEdgeColumns,
                             values.text, other, other),
                 values, [&](const soci::row& row) { edges.push_back(EdgeFromRow(row)); }));
    return edges;
}

Result<std::vector<LineageEdge>> Lineage::Edges(const Scope& scope, const std::optional<LineageEdge>& after,
                                                std::size_t limit) {
    Conditions values = InScope(scope);
    constexpr std::string_view kOrder = "created_at, source_kind, source_name, destination_kind, destination_name";
    if (after) {
        values.text += fmt::format(" AND ({}) > ({}, :sk, :sn, :dk, :dn)", kOrder, after->created_at);
        values.texts.insert(values.texts.end(), {{"sk", after->source.kind},
                                                 {"sn", after->source.name},
                                                 {"dk", after->destination.kind},
                                                 {"dn", after->destination.name}});
    }
    std::vector<LineageEdge> edges;
    TRY(ReadRows(database_,
                 fmt::format("SELECT {} FROM lineage_edges WHERE {} ORDER BY {} LIMIT {}", kEdgeColumns, values.text,
                             kOrder, limit),
                 values, [&](const soci::row& row) { edges.push_back(EdgeFromRow(row)); }));
    return edges;
}

}  // namespace espalier::meta
