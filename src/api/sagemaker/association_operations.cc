#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "api/sagemaker/hosting_operations.h"
#include "api/sagemaker/lineage_operations.h"
#include "api/sagemaker/list_request.h"

namespace espalier::api::sagemaker {
namespace {

using nlohmann::json;

constexpr std::size_t kVerticesMax = 20'000;  // that one question looks at
constexpr std::size_t kEdgesLookedAtMax = 20'000;

Outcome NoSuchEnd(const std::string& arn) {
    return Outcome::Fail({.type = "ResourceNotFound",
                          .message = fmt::format("{} is no lineage entity of this account and region.", arn)});
}

/// The entity that a member of the request names; the answer when there is none.
std::variant<meta::LineageKey, Outcome> EndOf(meta::Lineage& lineage, const json& request, const char* member,
                                              const meta::Scope& scope) {
    const std::string arn = request[member].get<std::string>();
    const auto key = LineageKeyOf(scope, arn);
    if (!key) return NoSuchEnd(arn);
    auto found = lineage.Find(scope, *key);
    if (!found) return Outcome::Internal(found.error(), "find lineage");
    if (!*found) return NoSuchEnd(arn);
    return *key;
}

Outcome AddAssociation(const LineageTools& tools, const json& request, const RequestContext& context) {
    meta::Lineage lineage(*tools.database);
    const auto source = EndOf(lineage, request, "SourceArn", context.scope);
    if (const Outcome* answer = std::get_if<Outcome>(&source)) return *answer;
    const auto destination = EndOf(lineage, request, "DestinationArn", context.scope);
    if (const Outcome* answer = std::get_if<Outcome>(&destination)) return *answer;
    const meta::LineageEdge edge = {.source = std::get<meta::LineageKey>(source),
                                    .destination = std::get<meta::LineageKey>(destination),
                                    .type = request.value("AssociationType", "AssociatedWith"),
                                    .created_at = tools.clock->WallMillis()};
    if (edge.source == edge.destination)
        return Outcome::ValidationError("SourceArn and DestinationArn must be different.");
    auto noted = lineage.Note(context.scope, {.edges = {edge}});
    if (!noted) return FailWith(noted.error(), "AddAssociation");
    return Outcome::Ok({{"SourceArn", request["SourceArn"]}, {"DestinationArn", request["DestinationArn"]}});
}

Outcome DeleteAssociation(const LineageTools& tools, const json& request, const RequestContext& context) {
    const auto source = LineageKeyOf(context.scope, request["SourceArn"].get<std::string>());
    const auto destination = LineageKeyOf(context.scope, request["DestinationArn"].get<std::string>());
    if (!source) return NoSuchEnd(request["SourceArn"].get<std::string>());
    if (!destination) return NoSuchEnd(request["DestinationArn"].get<std::string>());
    Result<void> deleted = meta::Lineage(*tools.database).DeleteEdge(context.scope, *source, *destination);
    if (!deleted && deleted.error().code() == ErrorCode::kNotFound)
        return Outcome::Fail({.type = "ResourceNotFound", .message = "There is no such association."});
    if (!deleted) return FailWith(deleted.error(), "DeleteAssociation");
    return Outcome::Ok({{"SourceArn", request["SourceArn"]}, {"DestinationArn", request["DestinationArn"]}});
}

/// An association with what the list says of its ends.
struct Association {
    meta::LineageEdge edge;
    meta::LineageEntity source;
    meta::LineageEntity destination;
};

/// Whether the entity is of that type, which may be its own ("Model") or its lineage type ("Artifact").
bool IsOfType(const meta::LineageEntity& entity, const std::string& type) {
    return type.empty() || entity.type == type || LineageTypeOf(entity.key) == type;
}

std::string NameOf(const meta::LineageEntity& entity) {
    const json document = json::parse(entity.document, nullptr, /*allow_exceptions=*/false);
    return document.value("Name", document.value("ArtifactName", ""));
}

json SummaryOf(const Association& association, const meta::Scope& scope) {
    json summary = {{"SourceArn", ArnOf(scope, association.edge.source)},
                    {"DestinationArn", ArnOf(scope, association.edge.destination)},
                    {"SourceType", association.source.type},
                    {"DestinationType", association.destination.type},
                    {"AssociationType", association.edge.type},
                    {"CreationTime", EpochSeconds(association.edge.created_at)}};
    if (const std::string name = NameOf(association.source); !name.empty()) summary["SourceName"] = name;
    if (const std::string name = NameOf(association.destination); !name.empty()) summary["DestinationName"] = name;
    return summary;
}

/// The edges that ListAssociations is about: of one end when the request names one.
Result<std::vector<meta::LineageEdge>> CandidatesOf(meta::Lineage& lineage, const json& request,
                                                    const meta::Scope& scope) {
    for (const auto& [member, outgoing] : {std::pair("SourceArn", true), std::pair("DestinationArn", false)}) {
        if (!request.contains(member)) continue;
        const auto key = LineageKeyOf(scope, request[member].get<std::string>());
        if (!key) return std::vector<meta::LineageEdge>();
        std::vector<meta::LineageEdge> edges = TRY(lineage.EdgesOf(scope, *key, outgoing));
        if (request.contains("DestinationArn")) {
            const auto other = LineageKeyOf(scope, request["DestinationArn"].get<std::string>());
            std::erase_if(edges, [&](const meta::LineageEdge& edge) { return !other || edge.destination != *other; });
        }
        return edges;
    }
    std::vector<meta::LineageEdge> edges = TRY(lineage.Edges(scope, {}, kEdgesLookedAtMax + 1));
    if (edges.size() > kEdgesLookedAtMax)
        return Error(
            ErrorCode::kInvalidArgument,
            fmt::format("There are more than {} associations. Give SourceArn or DestinationArn.", kEdgesLookedAtMax));
    return edges;
}

bool IsWanted(const Association& association, const json& request) {
    const auto after = TimeMember(request, "CreatedAfter");
    const auto before = TimeMember(request, "CreatedBefore");
    const std::string type = request.value("AssociationType", "");
    return (type.empty() || association.edge.type == type) && (!after || association.edge.created_at > *after) &&
           (!before || association.edge.created_at < *before) &&
           IsOfType(association.source, request.value("SourceType", "")) &&
           IsOfType(association.destination, request.value("DestinationType", ""));
}

/// What the list is sorted by, with the ends behind it.
std::string SortKeyOf(const json& summary, const std::string& sort_by) {
    const std::string key = sort_by == "CreationTime" ? fmt::format("{:020.3f}", summary["CreationTime"].get<double>())
                                                      : summary[sort_by].get<std::string>();
    return fmt::format("{}\n{}\n{}", key, summary["SourceArn"].get<std::string>(),
                       summary["DestinationArn"].get<std::string>());
}

Result<std::map<std::string, json>> SortedAssociations(meta::Database& database, const json& request,
                                                       const meta::Scope& scope) {
    meta::Lineage lineage(database);
    std::map<meta::LineageKey, meta::LineageEntity> known;
    const auto entity_of = [&](const meta::LineageKey& key) -> Result<meta::LineageEntity> {
        if (const auto found = known.find(key); found != known.end()) return found->second;
        return known[key] = TRY(lineage.Find(scope, key))
                                .value_or(meta::LineageEntity{.key = key, .type = "", .source_uri = ""});
    };
    std::map<std::string, json> sorted;
    for (meta::LineageEdge& edge : TRY(CandidatesOf(lineage, request, scope))) {
        const Association association = {
            .edge = edge, .source = TRY(entity_of(edge.source)), .destination = TRY(entity_of(edge.destination))};
        if (!IsWanted(association, request)) continue;
        json summary = SummaryOf(association, scope);
        sorted.emplace(SortKeyOf(summary, request.value("SortBy", "CreationTime")), std::move(summary));
    }
    return sorted;
}

Outcome ListAssociations(const LineageTools& tools, const json& request, const RequestContext& context) {
    auto place = ReadNextToken("ListAssociations", context.scope, request);
    if (const WireError* error = std::get_if<WireError>(&place)) return Outcome::Fail(*error);
    auto sorted = SortedAssociations(*tools.database, request, context.scope);
    if (!sorted) return FailWith(sorted.error(), "ListAssociations");
    const bool descending = request.value("SortOrder", "Descending") == "Descending";
    constexpr std::size_t kDefaultRows = 10;
    const std::size_t limit = request.value("MaxResults", kDefaultRows);
    const auto& behind = std::get<std::optional<ListPlace>>(place);
    json answer = {{"AssociationSummaries", json::array()}};
    std::vector<const std::pair<const std::string, json>*> rows;
    for (const auto& row : *sorted) rows.push_back(&row);
    if (descending) std::reverse(rows.begin(), rows.end());
    std::string last;
    for (const auto* row : rows) {
        if (behind && (descending ? row->first >= behind->row : row->first <= behind->row)) continue;
        if (answer["AssociationSummaries"].size() == limit) {
            answer["NextToken"] =
                MakeListToken("ListAssociations", context.scope, request, {.sort_value = "", .row = last});
            break;
        }
        last = row->first;
        answer["AssociationSummaries"].push_back(row->second);
    }
    return Outcome::Ok(answer);
}

// -- QueryLineage -----------------------------------------------------------------------------------------------------

/// The graph around an entity, walked breadth first.
struct Walk {
    std::vector<meta::LineageKey> order;                                  ///< without the start
    std::map<meta::LineageKey, std::vector<meta::LineageEdge>> edges_to;  ///< by which each was met
};

Result<void> WalkOneWay(meta::Lineage& lineage, const meta::Scope& scope, const meta::LineageKey& start, bool outgoing,
                        int depth_max, Walk& walk) {
    std::deque<std::pair<meta::LineageKey, int>> waiting = {{start, 0}};
    std::set<meta::LineageKey> met = {start};
    while (!waiting.empty()) {
        const auto [key, depth] = waiting.front();
        waiting.pop_front();
        if (depth == depth_max) continue;
        for (const meta::LineageEdge& edge : TRY(lineage.EdgesOf(scope, key, outgoing))) {
            const meta::LineageKey& other = outgoing ? edge.destination : edge.source;
            auto& edges = walk.edges_to[other];
            if (edges.empty() && other != start) walk.order.push_back(other);
            edges.push_back(edge);
            if (met.insert(other).second) waiting.emplace_back(other, depth + 1);
        }
        if (walk.order.size() > kVerticesMax)
            return Error(ErrorCode::kInvalidArgument,
                         fmt::format("More than {} entities are met. Give a smaller MaxDepth.", kVerticesMax));
    }
    return {};
}

bool Contains(const json& list, std::string_view text) {
    return list.empty() || std::any_of(list.begin(), list.end(),
                                       [text](const json& each) { return each.get_ref<const std::string&>() == text; });
}

bool IsWanted(const meta::LineageEntity& entity, const json& filters) {
    const json none = json::array();
    const auto within = [&](const char* after_name, const char* before_name, UnixMillis time) {
        const auto after = TimeMember(filters, after_name);
        const auto before = TimeMember(filters, before_name);
        return (!after || time > *after) && (!before || time < *before);
    };
    const json document = json::parse(entity.document, nullptr, /*allow_exceptions=*/false);
    const json properties = document.value("Properties", json::object());
    const json wanted = filters.value("Properties", json::object());
    for (const auto& [name, value] : wanted.items())
        if (!properties.contains(name) || properties[name] != value) return false;
    return Contains(filters.value("Types", none), entity.type) &&
           Contains(filters.value("LineageTypes", none), LineageTypeOf(entity.key)) &&
           within("CreatedAfter", "CreatedBefore", entity.created_at) &&
           within("ModifiedAfter", "ModifiedBefore", entity.modified_at);
}

Result<Walk> WalkFrom(meta::Lineage& lineage, const json& request, const meta::Scope& scope,
                      const meta::LineageKey& start) {
    constexpr int kDepthMax = 10;
    const int depth = std::max(0, request.value("MaxDepth", kDepthMax));
    const std::string direction = request.value("Direction", "Both");
    Walk walk;
    if (direction != "Descendants") TRY(WalkOneWay(lineage, scope, start, /*outgoing=*/false, depth, walk));
    if (direction != "Ascendants") TRY(WalkOneWay(lineage, scope, start, /*outgoing=*/true, depth, walk));
    return walk;
}

json EdgeJson(const meta::LineageEdge& edge, const meta::Scope& scope) {
    return {{"SourceArn", ArnOf(scope, edge.source)},
            {"DestinationArn", ArnOf(scope, edge.destination)},
            {"AssociationType", edge.type}};
}

/// The page of the walk behind `behind`.
Result<json> PageOf(meta::Lineage& lineage, const json& request, const meta::Scope& scope, const Walk& walk,
                    const std::optional<ListPlace>& behind) {
    constexpr std::size_t kRowsMax = 50;
    const std::size_t limit = request.value("MaxResults", kRowsMax);
    const json filters = request.value("Filters", json::object());
    const bool with_edges = request.value("IncludeEdges", false);
    json answer = {{"Vertices", json::array()}, {"Edges", json::array()}};
    std::string last = behind ? behind->row : "";
    bool skipping = behind.has_value();
    for (const meta::LineageKey& key : walk.order) {
        const std::string arn = ArnOf(scope, key);
        if (skipping) {
            skipping = arn != last;
            continue;
        }
        const auto entity = TRY(lineage.Find(scope, key));
        if (!entity || !IsWanted(*entity, filters)) continue;
        if (answer["Vertices"].size() == limit) {
            answer["NextToken"] = MakeListToken("QueryLineage", scope, request, {.sort_value = "", .row = last});
            break;
        }
        last = arn;
        answer["Vertices"].push_back({{"Arn", arn}, {"Type", entity->type}, {"LineageType", LineageTypeOf(key)}});
        if (!with_edges) continue;
        for (const meta::LineageEdge& edge : walk.edges_to.at(key)) answer["Edges"].push_back(EdgeJson(edge, scope));
    }
    return answer;
}

Outcome QueryLineage(const LineageTools& tools, const json& request, const RequestContext& context) {
    auto place = ReadNextToken("QueryLineage", context.scope, request);
    if (const WireError* error = std::get_if<WireError>(&place)) return Outcome::Fail(*error);
    const json starts = request.value("StartArns", json::array());
    if (starts.empty()) return Outcome::ValidationError("StartArns must name one lineage entity.");
    meta::Lineage lineage(*tools.database);
    const auto start = EndOf(lineage, {{"StartArn", starts[0]}}, "StartArn", context.scope);
    if (const Outcome* answer = std::get_if<Outcome>(&start)) return *answer;
    auto walk = WalkFrom(lineage, request, context.scope, std::get<meta::LineageKey>(start));
    if (!walk) return FailWith(walk.error(), "QueryLineage");
    auto page = PageOf(lineage, request, context.scope, *walk, std::get<std::optional<ListPlace>>(place));
    return page ? Outcome::Ok(*page) : FailWith(page.error(), "QueryLineage");
}

}  // namespace

void AddAssociationOperations(OperationTable& table, const LineageTools& tools) {
    using Operation = Outcome (*)(const LineageTools&, const json&, const RequestContext&);
    constexpr std::pair<const char*, Operation> kOperations[] = {{"AddAssociation", AddAssociation},
                                                                 {"DeleteAssociation", DeleteAssociation},
                                                                 {"ListAssociations", ListAssociations},
                                                                 {"QueryLineage", QueryLineage}};
    for (const auto& [name, operation] : kOperations) {
        table.Add(name, [tools, operation](const json& request, const RequestContext& context) {
            return operation(tools, request, context);
        });
    }
}

}  // namespace espalier::api::sagemaker
