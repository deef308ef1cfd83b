#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "api/sagemaker/feature_policy.h"
#include "api/sagemaker/hosting_operations.h"
#include "api/sagemaker/model_container.h"
#include "api/sagemaker/model_registry_operations.h"

namespace espalier::api::sagemaker {
namespace {

using nlohmann::json;

constexpr auto kKind = meta::ResourceKind::kModelPackage;
constexpr std::size_t kPropertiesMax = 50;  // CustomerMetadataMap's maximum
constexpr ListShape kList = {.operation = "ListModelPackages",
                             .rows_member = "ModelPackageSummaryList",
                             .default_max_results = 100,
                             .default_order = "Ascending"};
/// What of a request is given back as it came.
constexpr std::array kEchoed = {"ModelPackageDescription",
                                "ModelPackageRegistrationType",
                                "InferenceSpecification",
                                "MetadataProperties",
                                "ModelMetrics",
                                "Domain",
                                "Task",
                                "SamplePayloadUrl",
                                "CustomerMetadataProperties",
                                "DriftCheckBaselines",
                                "SkipModelValidation",
                                "SourceUri",
                                "ModelCard",
                                "ModelLifeCycle",
                                "ApprovalDescription"};

json Echo(const json& request) {
    json echo = json::object();
    for (const char* member : kEchoed)
        if (request.contains(member)) echo[member] = request[member];
    return echo;
}

/// The container of the request's InferenceSpecification.
Result<hosting::ModelSpec> ContainerOf(const json& request) {
    if (!request.contains("InferenceSpecification") || request["InferenceSpecification"]["Containers"].empty())
        return Error(ErrorCode::kInvalidArgument,
                     "InferenceSpecification with one container must be given: a package registers a trained model.");
    return ModelSpecOf(request["InferenceSpecification"]["Containers"][0]);
}

/// The name in the request, of the package or of its group; a sentence when it has none or both.
Result<hosting::ModelRegistry::NewPackage> NamedBy(hosting::EndpointService& hosting, const json& request,
                                                   const meta::Scope& scope) {
    const bool is_version = request.contains("ModelPackageGroupName");
    if (is_version == request.contains("ModelPackageName"))
        return Error(ErrorCode::kInvalidArgument,
                     "Exactly one of ModelPackageName and ModelPackageGroupName must be given.");
    hosting::ModelRegistry::NewPackage package = {.is_version = is_version};
    if (is_version) {
        const meta::ResourceRecord group = TRY(hosting.registry().Find(
            meta::ResourceKind::kModelPackageGroup, scope, request["ModelPackageGroupName"].get<std::string>()));
        package.name = group.name;
        package.approval = request.value("ModelApprovalStatus", hosting::kPendingApproval);
    } else {
        package.name = request["ModelPackageName"].get<std::string>();
        if (request.contains("ModelApprovalStatus"))
            return Error(ErrorCode::kInvalidArgument, "ModelApprovalStatus is for packages of a group only.");
    }
    return package;
}

Outcome Create(hosting::EndpointService& hosting, const json& request, const RequestContext& context) {
    if (auto refused = FindRefusedMember("CreateModelPackage", request))
        return Outcome::ValidationError(std::move(*refused));
    auto tags = TagsOf(request);
    if (const WireError* error = std::get_if<WireError>(&tags)) return Outcome::Fail(*error);
    auto create = [&]() -> Result<std::string> {
        hosting::ModelRegistry::NewPackage package = TRY(NamedBy(hosting, request, context.scope));
        package.container = TRY(ContainerOf(request));
        package.echo = Echo(request).dump(-1, ' ', false, json::error_handler_t::replace);
        package.created_by_arn = context.caller_arn;
        return hosting.registry().CreatePackage(context.scope, package, std::get<std::vector<meta::Tag>>(tags));
    };
    Result<std::string> name = create();
    if (!name) return FailWith(name.error(), "CreateModelPackage");
    return Outcome::Ok({{"ModelPackageArn", ArnOf(kKind, context.scope, *name)}});
}

Result<hosting::ModelRegistry::Package> FindPackage(hosting::EndpointService& hosting, const meta::Scope& scope,
                                                    const std::string& name_or_arn) {
    return hosting::ModelRegistry::ParsePackage(TRY(hosting.registry().Find(kKind, scope, name_or_arn)));
}

Outcome Describe(hosting::EndpointService& hosting, const json& request, const RequestContext& context) {
    auto package = FindPackage(hosting, context.scope, request["ModelPackageName"].get<std::string>());
    if (!package) return FailWith(package.error(), "DescribeModelPackage");
    json document = DescribePackageDocument(*package);
    if (request.value("IncludedData", "") == "MetadataOnly" && document.contains("ModelCard"))
        document["ModelCard"].erase("ModelCardContent");
    return Outcome::Ok(document);
}

Outcome Delete(hosting::EndpointService& hosting, const json& request, const RequestContext& context) {
    auto remove = [&]() -> Result<void> {
        const meta::ResourceRecord package =
            TRY(hosting.registry().Find(kKind, context.scope, request["ModelPackageName"].get<std::string>()));
        return hosting.registry().DeletePackage(context.scope, package.name);
    };
    Result<void> deleted = remove();
    return deleted ? Outcome::Empty() : FailWith(deleted.error(), "DeleteModelPackage");
}

/// CustomerMetadataProperties of the update put over those that are there, less those to remove.
Result<void> UpdateProperties(const json& request, json& echo) {
    json properties = echo.value("CustomerMetadataProperties", json::object());
    properties.update(request.value("CustomerMetadataProperties", json::object()));
    for (const json& name : request.value("CustomerMetadataPropertiesToRemove", json::array()))
        properties.erase(name.get<std::string>());
    if (properties.size() > kPropertiesMax)
        return Error(ErrorCode::kResourceLimit,
                     fmt::format("A model package can have at most {} customer metadata properties.", kPropertiesMax));
    if (!properties.empty() || echo.contains("CustomerMetadataProperties"))
        echo["CustomerMetadataProperties"] = std::move(properties);
    return {};
}

Result<std::string> UpdatePackage(hosting::EndpointService& hosting, const json& request, const meta::Scope& scope) {
    hosting::ModelRegistry::Package package =
        TRY(FindPackage(hosting, scope, request["ModelPackageArn"].get<std::string>()));
    json echo = json::parse(package.echo);
    if (request.contains("ModelApprovalStatus")) {
        if (package.record.status.empty())
            return Error(ErrorCode::kInvalidArgument, "ModelApprovalStatus is for packages of a group only.");
        package.record.status = request["ModelApprovalStatus"].get<std::string>();
    }
    if (request.contains("InferenceSpecification"))
        TRY(hosting.registry().Register(package, TRY(ContainerOf(request))));
    json update = Echo(request);
    update.erase("CustomerMetadataProperties");
    echo.update(update);
    TRY(UpdateProperties(request, echo));
    package.echo = echo.dump(-1, ' ', false, json::error_handler_t::replace);
    TRY(hosting.registry().UpdatePackage(package));
    return package.record.name;
}

Outcome Update(hosting::EndpointService& hosting, const json& request, const RequestContext& context) {
    if (auto refused = FindRefusedMember("UpdateModelPackage", request))
        return Outcome::ValidationError(std::move(*refused));
    Result<std::string> name = UpdatePackage(hosting, request, context.scope);
    if (!name) return FailWith(name.error(), "UpdateModelPackage");
    return Outcome::Ok({{"ModelPackageArn", ArnOf(kKind, context.scope, *name)}});
}

/// The members of `document` that have these names.
json Pick(const json& document, std::initializer_list<const char*> names) {
    json picked = json::object();
    for (const char* name : names)
        if (document.contains(name)) picked[name] = document[name];
    return picked;
}

json Summary(const meta::ResourceRecord& row) {
    const auto package = hosting::ModelRegistry::ParsePackage(row);
    if (!package) return json::object();
    return Pick(DescribePackageDocument(*package),
                {"ModelPackageName", "ModelPackageGroupName", "ModelPackageVersion", "ModelPackageArn",
                 "ModelPackageDescription", "CreationTime", "ModelPackageStatus", "ModelApprovalStatus",
                 "ModelLifeCycle", "ModelPackageRegistrationType"});
}

Outcome List(hosting::EndpointService& hosting, const json& request, const RequestContext& context) {
    std::string group = request.value("ModelPackageGroupName", "");
    if (!group.empty()) {
        const auto found = hosting.registry().Find(meta::ResourceKind::kModelPackageGroup, context.scope, group);
        if (!found) return FailWith(found.error(), kList.operation);
        group = found->name;
    }
    const std::string type = request.value("ModelPackageType", group.empty() ? "Unversioned" : "Versioned");
    return ListResources(
        kList, request, context,
        [&](meta::ListQuery query) {
            query.status = request.value("ModelApprovalStatus", "");
            if (!group.empty()) query.parent = group;
            if (group.empty() && type == "Unversioned") query.parent = "";
            query.only_with_parent = group.empty() && type == "Versioned";
            // No version of a group is unversioned.
            if (!group.empty() && type == "Unversioned") return Result<meta::ResourcePage>({});
            return hosting.registry().List(kKind, query);
        },
        Summary);
}

Outcome BatchDescribe(hosting::EndpointService& hosting, const json& request, const RequestContext& context) {
    json answer = {{"ModelPackageSummaries", json::object()}, {"BatchDescribeModelPackageErrorMap", json::object()}};
    for (const json& arn : request["ModelPackageArnList"]) {
        const auto& text = arn.get_ref<const std::string&>();
        auto package = FindPackage(hosting, context.scope, text);
        if (package) {
            json summary = Pick(DescribePackageDocument(*package),
                                {"ModelPackageGroupName", "ModelPackageVersion", "ModelPackageArn",
                                 "ModelPackageDescription", "CreationTime", "InferenceSpecification",
                                 "ModelPackageStatus", "ModelApprovalStatus", "ModelPackageRegistrationType"});
            summary.emplace("ModelPackageGroupName", "");
            answer["ModelPackageSummaries"][text] = std::move(summary);
        } else if (package.error().code() == ErrorCode::kNotFound) {
            answer["BatchDescribeModelPackageErrorMap"][text] = {{"ErrorCode", "ResourceNotFound"},
                                                                 {"ErrorResponse", package.error().ToString()}};
        } else {
            return FailWith(package.error(), "BatchDescribeModelPackage");
        }
    }
    return Outcome::Ok(answer);
}

}  // namespace

json DescribePackageDocument(const hosting::ModelRegistry::Package& package) {
    const meta::ResourceRecord& record = package.record;
    json document = json::parse(package.echo);
    const meta::NumberedName name = meta::SplitNumberedName(record.name);
    document["ModelPackageName"] = name.parent;
    if (name.number != 0) {
        document["ModelPackageGroupName"] = name.parent;
        document["ModelPackageVersion"] = name.number;
        document["ModelApprovalStatus"] = record.status;
    }
    document["ModelPackageArn"] = ArnOf(kKind, record.scope, record.name);
    document["CreationTime"] = EpochSeconds(record.created_at);
    document["LastModifiedTime"] = EpochSeconds(record.modified_at);
    document["CreatedBy"] = UserContextOf(package.created_by_arn);
    document["ModelPackageStatus"] = "Completed";
    document["ModelPackageStatusDetails"] = {{"ValidationStatuses", json::array()},
                                             {"ImageScanStatuses", json::array()}};
    document["CertifyForMarketplace"] = false;
    return document;
}

void AddModelPackageOperations(OperationTable& table, hosting::EndpointService& hosting) {
    table.Add("CreateModelPackage", Bind(hosting, Create));
    table.Add("DescribeModelPackage", Bind(hosting, Describe));
    table.Add("UpdateModelPackage", Bind(hosting, Update));
    table.Add("DeleteModelPackage", Bind(hosting, Delete));
    table.Add("ListModelPackages", Bind(hosting, List));
    table.Add("BatchDescribeModelPackage", Bind(hosting, BatchDescribe));
}

}  // namespace espalier::api::sagemaker
