#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/sagemaker/feature_policy.h"
#include "api/sagemaker/hosting_operations.h"
#include "api/sagemaker/model_registry_operations.h"

namespace espalier::api::sagemaker {
namespace {

using nlohmann::json;

constexpr auto kKind = meta::ResourceKind::kModelCard;
constexpr const char* kName = "ModelCardName";
constexpr ListShape kCards = {
    .operation = "ListModelCards", .rows_member = "ModelCardSummaries", .default_max_results = 10};
constexpr ListShape kVersions = {
    .operation = "ListModelCardVersions", .rows_member = "ModelCardVersionSummaryList", .default_max_results = 10};

/// nullopt when the Content is a JSON object, as a card is.
std::optional<Outcome> CheckContent(const json& request) {
    if (!request.contains("Content")) return std::nullopt;
    const json content = json::parse(request["Content"].get_ref<const std::string&>(), nullptr, false);
    if (content.is_object()) return std::nullopt;
    return Outcome::ValidationError("Content must be a JSON object: the model card.");
}

/// The stored document: the content, and who wrote it.
std::string DocumentOf(const json& content, const RequestContext& context) {
    return json{{"content", content}, {"by", context.caller_arn}}.dump(-1, ' ', false, json::error_handler_t::replace);
}

Outcome Create(hosting::EndpointService& hosting, const json& request, const RequestContext& context) {
    if (auto refused = FindRefusedMember("CreateModelCard", request))
        return Outcome::ValidationError(std::move(*refused));
    if (auto problem = CheckContent(request)) return *problem;
    auto tags = TagsOf(request);
    if (const WireError* error = std::get_if<WireError>(&tags)) return Outcome::Fail(*error);
    const std::string name = request[kName].get<std::string>();
    Result<void> created =
        hosting.registry().CreateCard(context.scope, name, request["ModelCardStatus"].get<std::string>(),
                                      DocumentOf(request["Content"], context), std::get<std::vector<meta::Tag>>(tags));
    if (!created && created.error().code() == ErrorCode::kAlreadyExists)
        return Outcome::Fail({.type = "ConflictException", .message = created.error().ToString()});
    if (!created) return FailWith(created.error(), "CreateModelCard");
    return Outcome::Ok({{"ModelCardArn", ArnOf(kKind, context.scope, name)}});
}

/// Model cards answer ResourceNotFound, unlike the other resources.
Outcome Fail(const Error& error, std::string_view operation) {
    if (error.code() == ErrorCode::kNotFound)
        return Outcome::Fail({.type = "ResourceNotFound", .message = error.ToString()});
    return FailWith(error, operation);
}

Outcome Describe(hosting::EndpointService& hosting, const json& request, const RequestContext& context) {
    auto find = [&]() -> Result<std::pair<meta::ResourceRecord, meta::ResourceRecord>> {
        meta::ResourceRecord card =
            TRY(hosting.registry().Find(kKind, context.scope, request[kName].get<std::string>()));
        meta::ResourceRecord version = TRY(hosting.registry().FindCardVersion(
            context.scope, card.name, request.value("ModelCardVersion", std::int64_t{0})));
        return std::pair(std::move(card), std::move(version));
    };
    auto found = find();
    if (!found) return Fail(found.error(), "DescribeModelCard");
    const auto& [card, version] = *found;
    const json stored = json::parse(version.document);
    const bool whole = request.value("IncludedData", "AllData") != "MetadataOnly";
    return Outcome::Ok({{"ModelCardArn", ArnOf(kKind, context.scope, card.name)},
                        {kName, card.name},
                        {"ModelCardVersion", meta::SplitNumberedName(version.name).number},
                        {"Content", whole ? stored.at("content") : json("")},
                        {"ModelCardStatus", version.status},
                        {"CreationTime", EpochSeconds(card.created_at)},
                        {"CreatedBy", UserContextOf(json::parse(card.document).value("by", ""))},
                        {"LastModifiedTime", EpochSeconds(version.modified_at)},
                        {"LastModifiedBy", UserContextOf(stored.value("by", ""))}});
}

Outcome Update(hosting::EndpointService& hosting, const json& request, const RequestContext& context) {
    if (auto problem = CheckContent(request)) return *problem;
    if (!request.contains("Content") && !request.contains("ModelCardStatus"))
        return Outcome::ValidationError("At least one of Content and ModelCardStatus must be given.");
    std::optional<std::string> status;
    std::optional<std::string> document;
    if (request.contains("ModelCardStatus")) status = request["ModelCardStatus"].get<std::string>();
    if (request.contains("Content")) document = DocumentOf(request["Content"], context);
    auto update = [&]() -> Result<std::string> {
        const meta::ResourceRecord card =
            TRY(hosting.registry().Find(kKind, context.scope, request[kName].get<std::string>()));
        TRY(hosting.registry().UpdateCard(context.scope, card.name, status, document));
        return card.name;
    };
    Result<std::string> name = update();
    if (!name) return Fail(name.error(), "UpdateModelCard");
    return Outcome::Ok({{"ModelCardArn", ArnOf(kKind, context.scope, *name)}});
}

Outcome Delete(hosting::EndpointService& hosting, const json& request, const RequestContext& context) {
    Result<void> deleted = hosting.registry().DeleteCard(context.scope, request[kName].get<std::string>());
    return deleted ? Outcome::Empty() : Fail(deleted.error(), "DeleteModelCard");
}

json Summary(const meta::ResourceRecord& row, const std::string& card) {
    return {{kName, card},
            {"ModelCardArn", ArnOf(kKind, row.scope, card)},
            {"ModelCardStatus", row.status},
            {"CreationTime", EpochSeconds(row.created_at)},
            {"LastModifiedTime", EpochSeconds(row.modified_at)}};
}

Outcome List(hosting::EndpointService& hosting, const json& request, const RequestContext& context) {
    return ListResources(
        kCards, request, context,
        [&](meta::ListQuery query) {
            query.status = request.value("ModelCardStatus", "");
            return hosting.registry().List(kKind, query);
        },
        [](const meta::ResourceRecord& row) { return Summary(row, row.name); });
}

/// SortBy has one value, Version, which is the order of creation.
Outcome ListVersions(hosting::EndpointService& hosting, const json& request, const RequestContext& context) {
    auto card = hosting.registry().Find(kKind, context.scope, request[kName].get<std::string>());
    if (!card) return Fail(card.error(), kVersions.operation);
    return ListResources(
        kVersions, request, context,
        [&](meta::ListQuery query) {
            query.status = request.value("ModelCardStatus", "");
            query.parent = card->name;
            return hosting.registry().List(meta::ResourceKind::kModelCardVersion, query);
        },
        [&](const meta::ResourceRecord& row) {
            json summary = Summary(row, card->name);
            summary["ModelCardVersion"] = meta::SplitNumberedName(row.name).number;
            return summary;
        });
}

}  // namespace

void AddModelCardOperations(OperationTable& table, hosting::EndpointService& hosting) {
    table.Add("CreateModelCard", Bind(hosting, Create));
    table.Add("DescribeModelCard", Bind(hosting, Describe));
    table.Add("UpdateModelCard", Bind(hosting, Update));
    table.Add("DeleteModelCard", Bind(hosting, Delete));
    table.Add("ListModelCards", Bind(hosting, List));
    table.Add("ListModelCardVersions", Bind(hosting, ListVersions));
}

}  // namespace espalier::api::sagemaker
