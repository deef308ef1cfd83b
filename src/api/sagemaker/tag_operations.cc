#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/sagemaker/hosting_operations.h"
#include "meta/arn.h"
#include "meta/job_rows.h"
#include "meta/lineage.h"
#include "meta/training_jobs.h"

namespace espalier::api::sagemaker {
namespace {

using nlohmann::json;

json TagsJson(const std::vector<meta::Tag>& tags) {
    json list = json::array();
    for (const meta::Tag& tag : tags) list.push_back({{"Key", tag.key}, {"Value", tag.value}});
    return {{"Tags", std::move(list)}};
}

/// True when the ARN names something that is there. The tags themselves don't say: a new resource has none.
Result<bool> Exists(meta::Database& database, const meta::SageMakerArnParts& arn) {
    for (auto kind :
         {meta::ResourceKind::kModel, meta::ResourceKind::kEndpointConfig, meta::ResourceKind::kEndpoint,
          meta::ResourceKind::kModelPackageGroup, meta::ResourceKind::kModelPackage, meta::ResourceKind::kModelCard})
        if (arn.kind == meta::ArnKind(kind)) return meta::Resources(database, kind).ExistsFolded(arn.scope, arn.name);
    for (auto kind : {meta::JobKind::kTransform, meta::JobKind::kTuning})
        if (arn.kind == meta::ArnKind(kind)) return meta::JobRows(database, kind).ExistsFolded(arn.scope, arn.name);
    if (arn.kind == "training-job") return meta::TrainingJobs(database).ExistsFolded(arn.scope, arn.name);
    for (const std::string_view kind : {meta::kArtifact, meta::kAction, meta::kContext})
        if (arn.kind == kind)
            return TRY(meta::Lineage(database).Find(arn.scope, {arn.kind, meta::FoldCase(arn.name)})).has_value();
    // DescribeNotebookInstance knows every name.
    return arn.kind == "notebook-instance";
}

/// nullopt when the request may go on, else the answer.
std::optional<Outcome> CheckResource(meta::Database& database, const json& request, const RequestContext& context,
                                     std::string_view operation) {
    const std::string arn = request["ResourceArn"].get<std::string>();
    Result<meta::SageMakerArnParts> parts = meta::ParseSageMakerArn(arn);
    if (!parts) return Outcome::ValidationError(fmt::format("Invalid ResourceArn: {}.", arn));
    if (parts->scope != context.scope)
        return Outcome::ValidationError(
            fmt::format("The resource \"{}\" belongs to another account or region than the request.", arn));
    Result<bool> exists = Exists(database, *parts);
    if (!exists) return Outcome::Internal(exists.error(), operation);
    if (!*exists) return Outcome::ValidationError(fmt::format("Could not find resource \"{}\".", arn));
    return std::nullopt;
}

Outcome AddTags(meta::Database& database, const json& request, const RequestContext& context) {
    if (auto problem = CheckResource(database, request, context, "AddTags")) return *problem;
    auto tags = TagsOf(request);
    if (const WireError* error = std::get_if<WireError>(&tags)) return Outcome::Fail(*error);
    auto all =
        meta::Tags(database).Add(request["ResourceArn"].get<std::string>(), std::get<std::vector<meta::Tag>>(tags));
    return all ? Outcome::Ok(TagsJson(*all)) : FailWith(all.error(), "AddTags");
}

Outcome ListTags(meta::Database& database, const json& request, const RequestContext& context) {
    if (auto problem = CheckResource(database, request, context, "ListTags")) return *problem;
    // A resource has at most 50 tags and a page holds at least 50, so no token of ours is ever given out.
    if (request.contains("NextToken"))
        return Outcome::ValidationError("Invalid NextToken: it was not returned by the same request.");
    auto all = meta::Tags(database).List(request["ResourceArn"].get<std::string>());
    return all ? Outcome::Ok(TagsJson(*all)) : FailWith(all.error(), "ListTags");
}

Outcome DeleteTags(meta::Database& database, const json& request, const RequestContext& context) {
    if (auto problem = CheckResource(database, request, context, "DeleteTags")) return *problem;
    Result<void> removed = meta::Tags(database).Remove(request["ResourceArn"].get<std::string>(),
                                                       request["TagKeys"].get<std::vector<std::string>>());
    return removed ? Outcome::Empty() : FailWith(removed.error(), "DeleteTags");
}

}  // namespace

void AddTagOperations(OperationTable& table, meta::Database& database) {
    table.Add("AddTags", Bind(database, AddTags));
    table.Add("ListTags", Bind(database, ListTags));
    table.Add("DeleteTags", Bind(database, DeleteTags));
}

}  // namespace espalier::api::sagemaker
