#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/sagemaker/feature_policy.h"
#include "api/sagemaker/hosting_operations.h"
#include "api/sagemaker/model_container.h"

namespace espalier::api::sagemaker {
namespace {

using nlohmann::json;

constexpr CatalogKind kModels = {
    .kind = meta::ResourceKind::kModel,
    .name_member = "ModelName",
    .arn_member = "ModelArn",
    .delete_operation = "DeleteModel",
    .list = {.operation = "ListModels", .rows_member = "Models", .default_max_results = 100}};

/// The only container of a request, as PrimaryContainer or as Containers[0]; nullptr when there is none or are both.
const json* ContainerOf(const json& request) {
    const bool in_list = request.contains("Containers") && !request["Containers"].empty();
    const bool primary = request.contains("PrimaryContainer");
    if (in_list == primary) return nullptr;
    return primary ? &request["PrimaryContainer"] : &request["Containers"][0];
}

/// What the container serves: its own image and archive, or those of the model package it names.
Result<hosting::ModelSpec> ServedBy(hosting::EndpointService& hosting, const json& container,
                                    const meta::Scope& scope) {
    if (!container.contains("ModelPackageName")) return ModelSpecOf(container);
    for (const char* member : {"Image", "ModelDataUrl", "ModelDataSource", "Mode", "MultiModelConfig"}) {
        if (member == std::string_view("Mode") && container.value(member, "") == "SingleModel") continue;
        if (container.contains(member))
            return Error(ErrorCode::kInvalidArgument,
                         fmt::format("{} can not be given beside ModelPackageName: the package names it.", member));
    }
    const meta::ResourceRecord package = TRY(hosting.registry().Find(meta::ResourceKind::kModelPackage, scope,
                                                                     container["ModelPackageName"].get<std::string>()));
    hosting::ModelSpec spec = TRY(hosting.registry().Deployable(scope, package.name));
    for (const auto& [name, value] : EnvironmentOf(container)) spec.environment[name] = value;
    spec.package_arn = ArnOf(meta::ResourceKind::kModelPackage, scope, package.name);
    return spec;
}

Outcome CreateModel(hosting::EndpointService& hosting, const json& request, const RequestContext& context) {
    if (auto refused = FindRefusedMember("CreateModel", request)) return Outcome::ValidationError(std::move(*refused));
    const json* container = ContainerOf(request);
    if (container == nullptr)
        return Outcome::ValidationError("Exactly one of PrimaryContainer and Containers must be given.");
    Result<hosting::ModelSpec> spec = ServedBy(hosting, *container, context.scope);
    if (!spec) return FailWith(spec.error(), "CreateModel");
    auto tags = TagsOf(request);
    if (const WireError* error = std::get_if<WireError>(&tags)) return Outcome::Fail(*error);
    json echo = request;
    echo.erase("Tags");
    spec->echo = echo.dump();
    const std::string name = request["ModelName"].get<std::string>();
    Result<void> created =
        hosting.catalog().CreateModel(context.scope, name, *spec, std::get<std::vector<meta::Tag>>(tags));
    if (!created) return FailWith(created.error(), "CreateModel");
    return Outcome::Ok({{"ModelArn", ArnOf(kModels.kind, context.scope, name)}});
}

/// What AWS adds to a container on the way back.
void FillContainer(json& container) {
    container.emplace("Mode", "SingleModel");
    if (container.contains("ModelDataUrl") && container["Mode"] == "SingleModel") {
        container["ModelDataSource"]["S3DataSource"] = {
            {"S3Uri", container["ModelDataUrl"]}, {"S3DataType", "S3Object"}, {"CompressionType", "Gzip"}};
    }
    container.emplace("Environment", json::object());
}

Outcome DescribeModel(hosting::EndpointService& hosting, const json& request, const RequestContext& context) {
    auto model = hosting.catalog().FindModel(context.scope, request["ModelName"].get<std::string>());
    if (!model) return FailWith(model.error(), "DescribeModel");
    json answer = json::parse(model->spec.echo);
    if (answer.contains("PrimaryContainer")) FillContainer(answer["PrimaryContainer"]);
    if (answer.contains("Containers"))
        for (json& container : answer["Containers"]) FillContainer(container);
    answer["ModelArn"] = ArnOf(kModels.kind, context.scope, model->record.name);
    answer["CreationTime"] = EpochSeconds(model->record.created_at);
    answer.emplace("EnableNetworkIsolation", false);
    return Outcome::Ok(answer);
}

Outcome DeleteModel(hosting::EndpointService& hosting, const json& request, const RequestContext& context) {
    return DeleteFromCatalog(hosting, kModels, request, context);
}

Outcome ListModels(hosting::EndpointService& hosting, const json& request, const RequestContext& context) {
    return ListCatalog(hosting, kModels, request, context);
}

}  // namespace

void AddModelOperations(OperationTable& table, hosting::EndpointService& hosting) {
    table.Add("CreateModel", Bind(hosting, CreateModel));
    table.Add("DescribeModel", Bind(hosting, DescribeModel));
    table.Add("DeleteModel", Bind(hosting, DeleteModel));
    table.Add("ListModels", Bind(hosting, ListModels));
}

}  // namespace espalier::api::sagemaker
