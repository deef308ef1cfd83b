#include <nlohmann/json.hpp>

#include "api/sagemaker/feature_policy.h"
#include "api/sagemaker/hosting_operations.h"
#include "api/sagemaker/model_registry_operations.h"

namespace espalier::api::sagemaker {
namespace {

using nlohmann::json;

constexpr auto kKind = meta::ResourceKind::kModelPackageGroup;
constexpr const char* kName = "ModelPackageGroupName";
constexpr ListShape kList = {.operation = "ListModelPackageGroups",
                             .rows_member = "ModelPackageGroupSummaryList",
                             .default_max_results = 100,
                             .default_order = "Ascending"};

Outcome Create(hosting::EndpointService& hosting, const json& request, const RequestContext& context) {
    if (auto refused = FindRefusedMember("CreateModelPackageGroup", request))
        return Outcome::ValidationError(std::move(*refused));
    auto tags = TagsOf(request);
    if (const WireError* error = std::get_if<WireError>(&tags)) return Outcome::Fail(*error);
    const std::string name = request[kName].get<std::string>();
    json document = {{"created_by", context.caller_arn}};
    if (request.contains("ModelPackageGroupDescription"))
        document["description"] = request["ModelPackageGroupDescription"];
    Result<void> created =
        hosting.registry().CreateGroup(context.scope, name, document.dump(), std::get<std::vector<meta::Tag>>(tags));
    if (!created) return FailWith(created.error(), "CreateModelPackageGroup");
    return Outcome::Ok({{"ModelPackageGroupArn", ArnOf(kKind, context.scope, name)}});
}

Outcome Describe(hosting::EndpointService& hosting, const json& request, const RequestContext& context) {
    auto group = hosting.registry().Find(kKind, context.scope, request[kName].get<std::string>());
    return group ? Outcome::Ok(DescribeGroupDocument(*group)) : FailWith(group.error(), "DescribeModelPackageGroup");
}

Outcome Delete(hosting::EndpointService& hosting, const json& request, const RequestContext& context) {
    auto group = hosting.registry().Find(kKind, context.scope, request[kName].get<std::string>());
    if (!group) return FailWith(group.error(), "DeleteModelPackageGroup");
    Result<void> deleted = hosting.registry().DeleteGroup(context.scope, group->name);
    if (deleted) return Outcome::Empty();
    if (deleted.error().code() == ErrorCode::kConflict)
        return Outcome::Fail({.type = "ConflictException", .message = deleted.error().ToString()});
    return FailWith(deleted.error(), "DeleteModelPackageGroup");
}

Outcome List(hosting::EndpointService& hosting, const json& request, const RequestContext& context) {
    return ListResources(
        kList, request, context, [&](const meta::ListQuery& query) { return hosting.registry().List(kKind, query); },
        [](const meta::ResourceRecord& row) {
            json summary = DescribeGroupDocument(row);
            summary.erase("CreatedBy");
            return summary;
        });
}

}  // namespace

json UserContextOf(const std::string& caller_arn) {
    if (caller_arn.empty()) return json::object();
    return {{"IamIdentity", {{"Arn", caller_arn}, {"PrincipalId", caller_arn.substr(caller_arn.rfind('/') + 1)}}}};
}

json DescribeGroupDocument(const meta::ResourceRecord& group) {
    const json stored = json::parse(group.document);
    json document = {{kName, group.name},
                     {"ModelPackageGroupArn", ArnOf(kKind, group.scope, group.name)},
                     {"CreationTime", EpochSeconds(group.created_at)},
                     {"CreatedBy", UserContextOf(stored.value("created_by", ""))},
                     {"ModelPackageGroupStatus", "Completed"}};
    if (stored.contains("description")) document["ModelPackageGroupDescription"] = stored["description"];
    return document;
}

void AddModelPackageGroupOperations(OperationTable& table, hosting::EndpointService& hosting) {
    table.Add("CreateModelPackageGroup", Bind(hosting, Create));
    table.Add("DescribeModelPackageGroup", Bind(hosting, Describe));
    table.Add("DeleteModelPackageGroup", Bind(hosting, Delete));
    table.Add("ListModelPackageGroups", Bind(hosting, List));
}

}  // namespace espalier::api::sagemaker
