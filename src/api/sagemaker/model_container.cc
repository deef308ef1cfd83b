#include "api/sagemaker/model_container.h"

#include <nlohmann/json.hpp>

namespace espalier::api::sagemaker {
namespace {

using nlohmann::json;

Error Refuse(std::string sentence) {
    return {ErrorCode::kInvalidArgument, std::move(sentence)};
}

bool IsMultiModel(const json& container) {
    return container.value("Mode", "SingleModel") == "MultiModel";
}

/// Where the container's model data lie.
Result<std::string> ModelDataUrlOf(const json& container) {
    const bool by_url = container.contains("ModelDataUrl");
    const bool by_source =
        container.contains("ModelDataSource") && container["ModelDataSource"].contains("S3DataSource");
    if (by_source && IsMultiModel(container))
        return Refuse("ModelDataSource is not supported with Mode MultiModel; give the prefix as ModelDataUrl.");
    if (by_url && by_source) return Refuse("Only one of ModelDataUrl and ModelDataSource can be given.");
    if (by_url) return container["ModelDataUrl"].get<std::string>();
    if (!by_source) return Refuse("The container needs ModelDataUrl: the built-in algorithm serves a trained model.");
    const json& source = container["ModelDataSource"]["S3DataSource"];
    if (source.at("S3DataType") != "S3Object" || source.at("CompressionType") != "Gzip")
        return Refuse(
            "ModelDataSource is supported with S3DataType S3Object and CompressionType Gzip: a model.tar.gz.");
    return source.at("S3Uri").get<std::string>();
}

}  // namespace

std::map<std::string, std::string> EnvironmentOf(const json& container) {
    return container.value("Environment", std::map<std::string, std::string>());
}

Result<hosting::ModelSpec> ModelSpecOf(const json& container) {
    if (!container.contains("Image")) return Refuse("The container needs Image.");
    hosting::ModelSpec spec{.image = container["Image"].get<std::string>(),
                            .model_data_url = TRY(ModelDataUrlOf(container)),
                            .environment = EnvironmentOf(container)};
    const bool has_config = container.contains("MultiModelConfig");
    if (IsMultiModel(container))
        spec.multi_model =
            hosting::MultiModelSpec{.keeps_models = !has_config || container["MultiModelConfig"].value(
                                                                       "ModelCacheSetting", "Enabled") == "Enabled"};
    else if (has_config)
        return Refuse("MultiModelConfig needs Mode MultiModel.");
    return spec;
}

}  // namespace espalier::api::sagemaker
