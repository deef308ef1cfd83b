#include <nlohmann/json.hpp>

#include "api/sagemaker/feature_policy.h"
#include "api/sagemaker/hosting_operations.h"

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

/// Where the container's model data lie; a sentence in `problem` when that is not said, or said twice.
std::string ModelDataUrlOf(const json& container, std::string& problem) {
    const bool by_url = container.contains("ModelDataUrl");
    const bool by_source =
        container.contains("ModelDataSource") && container["ModelDataSource"].contains("S3DataSource");
    if (by_url && by_source) {
        problem = "Only one of ModelDataUrl and ModelDataSource can be given.";
    } else if (by_url) {
        return container["ModelDataUrl"].get<std::string>();
    } else if (!by_source) {
        problem = "The container needs ModelDataUrl: the built-in algorithm serves a trained model.";
    } else if (const json& source = container["ModelDataSource"]["S3DataSource"];
               source.at("S3DataType") != "S3Object" || source.at("CompressionType") != "Gzip") {
        problem = "ModelDataSource is supported with S3DataType S3Object and CompressionType Gzip: a model.tar.gz.";
    } else {
        return source.at("S3Uri").get<std::string>();
    }
    return "";
}

Outcome CreateModel(hosting::EndpointService& hosting, const json& request, const RequestContext& context) {
    if (auto refused = FindRefusedMember("CreateModel", request)) return Outcome::ValidationError(std::move(*refused));
    const json* container = ContainerOf(request);
    if (container == nullptr)
        return Outcome::ValidationError("Exactly one of PrimaryContainer and Containers must be given.");
    if (!container->contains("Image")) return Outcome::ValidationError("The container needs Image.");
    std::string problem;
    hosting::ModelSpec spec{.image = container->at("Image").get<std::string>(),
                            .model_data_url = ModelDataUrlOf(*container, problem),
                            .environment = container->value("Environment", std::map<std::string, std::string>()),
                            .echo = ""};
    if (!problem.empty()) return Outcome::ValidationError(std::move(problem));
    auto tags = TagsOf(request);
    if (const WireError* error = std::get_if<WireError>(&tags)) return Outcome::Fail(*error);
    json echo = request;
    echo.erase("Tags");
    spec.echo = echo.dump();
    const std::string name = request["ModelName"].get<std::string>();
    Result<void> created =
        hosting.catalog().CreateModel(context.scope, name, spec, std::get<std::vector<meta::Tag>>(tags));
    if (!created) return FailWith(created.error(), "CreateModel");
    return Outcome::Ok({{"ModelArn", ArnOf(kModels.kind, context.scope, name)}});
}

/// What AWS adds to a container on the way back.
void FillContainer(json& container) {
    container.emplace("Mode", "SingleModel");
    if (container.contains("ModelDataUrl")) {
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
