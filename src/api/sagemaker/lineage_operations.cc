#include "api/sagemaker/lineage_operations.h"

#include <fmt/format.h>

#include "api/sagemaker/hosting_operations.h"
#include "api/sagemaker/list_request.h"
#include "meta/arn.h"
#include "meta/tags.h"

namespace espalier::api::sagemaker {
namespace {

using nlohmann::json;

constexpr std::size_t kPropertiesMax = 30;

/// What the three nouns that clients can make call their members.
struct Noun {
    std::string_view kind;
    const char* name_member;  ///< by which requests name one
    const char* arn_member;
    const char* type_member;
    const char* rows_member;
    const char* list_operation;
    bool is_artifact = false;
};

constexpr Noun kArtifactNoun = {.kind = meta::kArtifact,
                                .name_member = "ArtifactArn",
                                .arn_member = "ArtifactArn",
                                .type_member = "ArtifactType",
                                .rows_member = "ArtifactSummaries",
                                .list_operation = "ListArtifacts",
                                .is_artifact = true};
constexpr Noun kActionNoun = {.kind = meta::kAction,
                              .name_member = "ActionName",
                              .arn_member = "ActionArn",
                              .type_member = "ActionType",
                              .rows_member = "ActionSummaries",
                              .list_operation = "ListActions"};
constexpr Noun kContextNoun = {.kind = meta::kContext,
                               .name_member = "ContextName",
                               .arn_member = "ContextArn",
                               .type_member = "ContextType",
                               .rows_member = "ContextSummaries",
                               .list_operation = "ListContexts"};

Outcome NoSuch(const std::string& name) {
    return Outcome::Fail({.type = "ResourceNotFound", .message = fmt::format("Resource {} does not exist.", name)});
}

Outcome FailAs(const Error& error, const std::string& name, std::string_view operation) {
    if (error.code() == ErrorCode::kNotFound) return NoSuch(name);
    if (error.code() == ErrorCode::kConflict)
        return Outcome::ValidationError(
            fmt::format("{} has associations. Delete them with DeleteAssociation first.", name));
    return FailWith(error, operation);
}

/// The key that a request's name (or an artifact's ARN) stands for.
meta::LineageKey KeyOf(const Noun& noun, const meta::Scope& scope, const std::string& name) {
    if (noun.is_artifact) return LineageKeyOf(scope, name).value_or(meta::LineageKey{std::string(noun.kind), name});
    return {.kind = std::string(noun.kind), .name = meta::FoldCase(name)};
}

/// The bytes that a source's hashes tell: the platform's own spelling gives the platform's own artifact.
std::string ContentOf(const json& source) {
    const json types = source.value("SourceTypes", json::array());
    constexpr std::string_view kPrefix = "sha256:";
    if (types.size() == 1 && types[0].value("Value", "").starts_with(kPrefix))
        return types[0]["Value"].get<std::string>().substr(kPrefix.size());
    return types.empty() ? "" : types.dump();
}

/// Source, Properties and the rest of an entity as Describe has them.
json BodyOf(const Noun& noun, const meta::Scope& scope, const meta::LineageEntity& entity) {
    const json document = json::parse(entity.document, nullptr, /*allow_exceptions=*/false);
    json body = {{noun.arn_member, ArnOf(scope, entity.key)},
                 {noun.type_member, entity.type},
                 {"Source", {{"SourceUri", entity.source_uri}}},
                 {"CreationTime", EpochSeconds(entity.created_at)},
                 {"LastModifiedTime", EpochSeconds(entity.modified_at)}};
    for (const char* member : {"SourceTypes", "SourceType", "SourceId"})
        if (document.contains(member) && (std::string_view(member) == "SourceTypes") == noun.is_artifact)
            body["Source"][member] = document[member];
    for (const char* member : {"Properties", "Description", "Status", "MetadataProperties", "ArtifactName"})
        if (document.contains(member)) body[member] = document[member];
    if (!noun.is_artifact) body[noun.name_member] = document.value("Name", entity.key.name);
    return body;
}

json SummaryOf(const Noun& noun, const meta::Scope& scope, const meta::LineageEntity& entity) {
    json summary = BodyOf(noun, scope, entity);
    for (const char* member : {"Properties", "Description", "MetadataProperties"}) summary.erase(member);
    return summary;
}

Outcome Create(const Noun& noun, const LineageTools& tools, const json& request, const RequestContext& context) {
    auto tags = TagsOf(request);
    if (const WireError* error = std::get_if<WireError>(&tags)) return Outcome::Fail(*error);
    const json& source = request["Source"];
    json document = json::object();
    for (const char* member : {"Properties", "Description", "Status", "MetadataProperties", "ArtifactName"})
        if (request.contains(member)) document[member] = request[member];
    for (const char* member : {"SourceTypes", "SourceType", "SourceId"})
        if (source.contains(member)) document[member] = source[member];
    const UnixMillis now = tools.clock->WallMillis();
    meta::LineageEntity entity = {.key = {.kind = std::string(noun.kind), .name = ""},
                                  .type = request[noun.type_member].get<std::string>(),
                                  .source_uri = source["SourceUri"].get<std::string>(),
                                  .created_at = now,
                                  .modified_at = now};
    if (noun.is_artifact) {
        entity.key.name = meta::ArtifactName(entity.source_uri, ContentOf(source));
    } else {
        document["Name"] = request[noun.name_member];
        entity.key.name = meta::FoldCase(request[noun.name_member].get<std::string>());
    }
    entity.document = document.dump(-1, ' ', false, json::error_handler_t::replace);
    const std::string arn = ArnOf(context.scope, entity.key);
    Result<void> made = meta::Lineage(*tools.database).Insert(context.scope, entity);
    if (!made && made.error().code() == ErrorCode::kAlreadyExists)
        return Outcome::ValidationError(fmt::format("Resource {} exists already.", arn));
    if (!made) return FailWith(made.error(), "create lineage");
    const auto& given = std::get<std::vector<meta::Tag>>(tags);
    if (auto added = meta::Tags(*tools.database).Add(arn, given); !added)
        return FailWith(added.error(), "create lineage");
    return Outcome::Ok({{noun.arn_member, arn}});
}

Outcome Describe(const Noun& noun, const LineageTools& tools, const json& request, const RequestContext& context) {
    const std::string name = request[noun.name_member].get<std::string>();
    auto found = meta::Lineage(*tools.database).Find(context.scope, KeyOf(noun, context.scope, name));
    if (!found) return Outcome::Internal(found.error(), "describe lineage");
    return *found ? Outcome::Ok(BodyOf(noun, context.scope, **found)) : NoSuch(name);
}

Outcome Update(const Noun& noun, const LineageTools& tools, const json& request, const RequestContext& context) {
    const std::string name = request[noun.name_member].get<std::string>();
    meta::Lineage lineage(*tools.database);
    auto found = lineage.Find(context.scope, KeyOf(noun, context.scope, name));
    if (!found) return Outcome::Internal(found.error(), "update lineage");
    if (!*found) return NoSuch(name);
    meta::LineageEntity& entity = **found;
    json document = json::parse(entity.document, nullptr, /*allow_exceptions=*/false);
    for (const char* member : {"Description", "Status", "ArtifactName"})
        if (request.contains(member)) document[member] = request[member];
    json properties = document.value("Properties", json::object());
    properties.update(request.value("Properties", json::object()));
    for (const json& removed : request.value("PropertiesToRemove", json::array()))
        properties.erase(removed.get<std::string>());
    if (properties.size() > kPropertiesMax)
        return Outcome::ValidationError(fmt::format("A resource can have at most {} properties.", kPropertiesMax));
    document["Properties"] = std::move(properties);
    entity.document = document.dump(-1, ' ', false, json::error_handler_t::replace);
    entity.modified_at = tools.clock->WallMillis();
    Result<void> updated = lineage.Update(context.scope, entity);
    if (!updated) return FailAs(updated.error(), name, "update lineage");
    return Outcome::Ok({{noun.arn_member, ArnOf(context.scope, entity.key)}});
}

Outcome Delete(const Noun& noun, const LineageTools& tools, const json& request, const RequestContext& context) {
    meta::LineageKey key;
    if (request.contains(noun.name_member)) {
        key = KeyOf(noun, context.scope, request[noun.name_member].get<std::string>());
    } else if (noun.is_artifact && request.contains("Source")) {
        const json& source = request["Source"];
        key = {.kind = std::string(noun.kind),
               .name = meta::ArtifactName(source["SourceUri"].get<std::string>(), ContentOf(source))};
    } else {
        return Outcome::ValidationError("One of ArtifactArn and Source must be given.");
    }
    const std::string arn = ArnOf(context.scope, key);
    Result<void> deleted = meta::Lineage(*tools.database).Delete(context.scope, key, /*with_edges=*/false);
    if (!deleted) return FailAs(deleted.error(), arn, "delete lineage");
    return Outcome::Ok({{noun.arn_member, arn}});
}

Outcome List(const Noun& noun, const LineageTools& tools, const json& request, const RequestContext& context) {
    auto place = ReadNextToken(noun.list_operation, context.scope, request);
    if (const WireError* error = std::get_if<WireError>(&place)) return Outcome::Fail(*error);
    constexpr std::size_t kDefaultRows = 10;
    const std::size_t limit = request.value("MaxResults", kDefaultRows);
    meta::LineageListQuery query = {.scope = context.scope,
                                    .kind = std::string(noun.kind),
                                    .type = request.value(noun.type_member, ""),
                                    .source_uri = request.value("SourceUri", ""),
                                    .created_after = TimeMember(request, "CreatedAfter"),
                                    .created_before = TimeMember(request, "CreatedBefore"),
                                    .by_name = request.value("SortBy", "CreationTime") == "Name",
                                    .descending = request.value("SortOrder", "Descending") == "Descending",
                                    .limit = limit + 1};
    if (const auto& behind = std::get<std::optional<ListPlace>>(place)) {
        query.after = meta::LineageEntity{.key = {.kind = query.kind, .name = behind->row},
                                          .type = "",
                                          .source_uri = "",
                                          .created_at = NumberOf(behind->sort_value).value_or(0)};
    }
    auto rows = meta::Lineage(*tools.database).List(query);
    if (!rows) return Outcome::Internal(rows.error(), noun.list_operation);
    const bool more = rows->size() > limit;
    if (more) rows->resize(limit);
    json answer = {{noun.rows_member, json::array()}};
    for (const meta::LineageEntity& row : *rows)
        answer[noun.rows_member].push_back(SummaryOf(noun, context.scope, row));
    if (more) {
        answer["NextToken"] =
            MakeListToken(noun.list_operation, context.scope, request,
                          {.sort_value = std::to_string(rows->back().created_at), .row = rows->back().key.name});
    }
    return Outcome::Ok(answer);
}

Outcome DescribeTrialComponent(const LineageTools& tools, const json& request, const RequestContext& context) {
    const std::string name = request["TrialComponentName"].get<std::string>();
    const meta::LineageKey key = {.kind = std::string(meta::kTrialComponent), .name = meta::FoldCase(name)};
    auto found = meta::Lineage(*tools.database).Find(context.scope, key);
    if (!found) return Outcome::Internal(found.error(), "DescribeTrialComponent");
    if (!*found) return NoSuch(name);
    const meta::LineageEntity& entity = **found;
    const json document = json::parse(entity.document, nullptr, /*allow_exceptions=*/false);
    json answer = {
        {"TrialComponentName", document.value("Name", name)},   {"TrialComponentArn", ArnOf(context.scope, entity.key)},
        {"DisplayName", document.value("Name", name)},          {"Source", document.value("Source", json::object())},
        {"Status", {{"PrimaryStatus", "Completed"}}},           {"CreationTime", EpochSeconds(entity.created_at)},
        {"LastModifiedTime", EpochSeconds(entity.modified_at)}, {"Parameters", json::object()}};
    const json parameters = document.value("Parameters", json::object());
    for (const auto& [parameter, value] : parameters.items())
        answer["Parameters"][parameter] = {{"StringValue", value}};
    return Outcome::Ok(answer);
}

}  // namespace

std::string_view LineageTypeOf(const meta::LineageKey& key) {
    if (key.kind == meta::kArtifact) return "Artifact";
    if (key.kind == meta::kAction) return "Action";
    if (key.kind == meta::kContext) return "Context";
    return "TrialComponent";
}

std::string ArnOf(const meta::Scope& scope, const meta::LineageKey& key) {
    return meta::SageMakerArn(scope, key.kind, key.name);
}

std::optional<meta::LineageKey> LineageKeyOf(const meta::Scope& scope, const std::string& arn) {
    const auto parts = meta::ParseSageMakerArn(arn);
    if (!parts || parts->scope != scope) return std::nullopt;
    for (const std::string_view kind : {meta::kArtifact, meta::kAction, meta::kContext, meta::kTrialComponent})
        if (parts->kind == kind) return meta::LineageKey{.kind = parts->kind, .name = meta::FoldCase(parts->name)};
    return std::nullopt;
}

void AddLineageOperations(OperationTable& table, const LineageTools& tools) {
    using Operation = Outcome (*)(const Noun&, const LineageTools&, const json&, const RequestContext&);
    constexpr std::pair<const char*, Operation> kVerbs[] = {
        {"Create", Create}, {"Describe", Describe}, {"Update", Update}, {"Delete", Delete}};
    for (const auto& [name, noun] : {std::pair("Artifact", &kArtifactNoun), std::pair("Action", &kActionNoun),
                                     std::pair("Context", &kContextNoun)}) {
        for (const auto& [verb, operation] : kVerbs) {
            table.Add(fmt::format("{}{}", verb, name),
                      [tools, noun, operation](const json& request, const RequestContext& context) {
                          return operation(*noun, tools, request, context);
                      });
        }
        table.Add(noun->list_operation, [tools, noun](const json& request, const RequestContext& context) {
            return List(*noun, tools, request, context);
        });
    }
    table.Add("DescribeTrialComponent", [tools](const json& request, const RequestContext& context) {
        return DescribeTrialComponent(tools, request, context);
    });
}

}  // namespace espalier::api::sagemaker
