#include "api/sagemaker/hosting_operations.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/sagemaker/list_request.h"
#include "meta/arn.h"

namespace espalier::api::sagemaker {

std::string ArnOf(meta::ResourceKind kind, const meta::Scope& scope, const std::string& name) {
    return meta::SageMakerArn(scope, meta::ArnKind(kind), name);
}

Outcome FailWith(const Error& error, std::string_view operation) {
    switch (error.code()) {
        case ErrorCode::kInvalidArgument:
        case ErrorCode::kNotFound:
        case ErrorCode::kAlreadyExists:
        case ErrorCode::kConflict:
        case ErrorCode::kResourceLimit:
        case ErrorCode::kCorruptData:
            return Outcome::ValidationError(error.ToString());
        default:
            return Outcome::Internal(error, operation);
    }
}

std::variant<std::vector<meta::Tag>, WireError> TagsOf(const nlohmann::json& request) {
    std::vector<meta::Tag> tags;
    if (!request.contains("Tags")) return tags;
    for (const nlohmann::json& tag : request["Tags"]) {
        std::string key = tag.at("Key").get<std::string>();
        if (key.starts_with("aws:")) {
            return WireError{
                .type = "ValidationException",
                .message = fmt::format("The tag key \"{}\" is reserved: keys must not begin with aws:", key)};
        }
        tags.push_back({std::move(key), tag.at("Value").get<std::string>()});
    }
    return tags;
}

Outcome ListResources(const ListShape& shape, const nlohmann::json& request, const RequestContext& context,
                      const std::function<Result<meta::ResourcePage>(const meta::ListQuery&)>& list,
                      const std::function<nlohmann::json(const meta::ResourceRecord&)>& summary) {
    auto place = ReadNextToken(shape.operation, context.scope, request);
    if (const WireError* error = std::get_if<WireError>(&place)) return Outcome::Fail(*error);
    meta::ListQuery query{.scope = context.scope,
                          .name_contains = request.value("NameContains", ""),
                          .status = request.value("StatusEquals", ""),
                          .created_after = TimeMember(request, "CreationTimeAfter"),
                          .created_before = TimeMember(request, "CreationTimeBefore"),
                          .modified_after = TimeMember(request, "LastModifiedTimeAfter"),
                          .modified_before = TimeMember(request, "LastModifiedTimeBefore"),
                          .sort = SortOf(request.value("SortBy", "CreationTime")),
                          .descending = request.value("SortOrder", shape.default_order) == "Descending",
                          .limit = request.value("MaxResults", shape.default_max_results),
                          .after = std::nullopt};
    if (auto& behind = std::get<std::optional<ListPlace>>(place)) query.after = {behind->sort_value, behind->row};
    Result<meta::ResourcePage> page = list(query);
    if (!page) return FailWith(page.error(), shape.operation);
    nlohmann::json answer;
    nlohmann::json& summaries = answer[shape.rows_member] = nlohmann::json::array();
    for (const meta::ResourceRecord& row : page->rows) summaries.push_back(summary(row));
    if (page->next) {
        answer["NextToken"] = MakeListToken(shape.operation, context.scope, request,
                                            {.sort_value = page->next->key, .row = page->next->tie});
    }
    return Outcome::Ok(answer);
}

Outcome DeleteFromCatalog(hosting::EndpointService& hosting, const CatalogKind& kind, const nlohmann::json& request,
                          const RequestContext& context) {
    Result<void> deleted =
        hosting.catalog().Delete(kind.kind, context.scope, request[kind.name_member].get<std::string>());
    return deleted ? Outcome::Empty() : FailWith(deleted.error(), kind.delete_operation);
}

Outcome ListCatalog(hosting::EndpointService& hosting, const CatalogKind& kind, const nlohmann::json& request,
                    const RequestContext& context) {
    return ListResources(
        kind.list, request, context,
        [&](const meta::ListQuery& query) { return hosting.catalog().List(kind.kind, query); },
        [&](const meta::ResourceRecord& row) {
            return nlohmann::json{{kind.name_member, row.name},
                                  {kind.arn_member, ArnOf(kind.kind, row.scope, row.name)},
                                  {"CreationTime", EpochSeconds(row.created_at)}};
        });
}

}  // namespace espalier::api::sagemaker
