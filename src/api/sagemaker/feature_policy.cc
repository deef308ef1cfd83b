#include "api/sagemaker/feature_policy.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace espalier::api::sagemaker {
namespace {

constexpr RefusedMember kRefusedByCreateModel[] = {
    {"VpcConfig", "", "models run inside this server, which is in no VPC"},
    {"InferenceExecutionConfig", R"({"Mode":"Serial"})", "inference pipelines are not available"},
    {"Containers[1]", "", "inference pipelines are not available; give one container"},
    {"*.InferenceSpecificationName", "", "model packages have one inference specification here"},
    {"*.AdditionalModelDataSources", "", "the algorithm reads one model"},
    {"*.ImageConfig.RepositoryAccessMode", "\"Platform\"", "no image is pulled, the algorithm is built in"},
    {"*.ContainerMetricsConfig", "", "there is no container that publishes metrics"},
    {"*.ModelDataSource.S3DataSource.HubAccessConfig", "", "there is no model hub"},
    {"*.ModelDataSource.S3DataSource.ManifestS3Uri", "", "manifests of model data are not available"},
    {"*.ModelDataSource.S3DataSource.ManifestEtag", "", "manifests of model data are not available"},
    {"*.ModelDataSource.S3DataSource.ETag", "", "the version of model data cannot be pinned by ETag"},
};

constexpr RefusedMember kRefusedByCreateModelPackage[] = {
    {"ValidationSpecification", "",
     "packages are not validated by transform jobs; run one with a model of the package"},
    {"SourceAlgorithmSpecification", "", "there are no algorithm resources; give InferenceSpecification"},
    {"CertifyForMarketplace", "false", "there is no marketplace"},
    {"AdditionalInferenceSpecifications[0]", "", "a package has one inference specification here"},
    {"AdditionalInferenceSpecificationsToAdd[0]", "", "a package has one inference specification here"},
    {"SecurityConfig", "", "documents are not encrypted with KMS keys here; encrypt the data directory"},
    {"ManagedStorageType", "", "model archives stay where they are in S3"},
    {"InferenceSpecification.Containers[1]", "", "inference pipelines are not available; give one container"},
    {"InferenceSpecification.Containers[].ProductId", "", "there is no marketplace"},
    {"InferenceSpecification.Containers[].AdditionalModelDataSources", "", "the algorithm reads one model"},
    {"InferenceSpecification.Containers[].AdditionalS3DataSource", "", "the algorithm reads one model"},
    {"InferenceSpecification.Containers[].BaseModel", "", "there is no model hub"},
    {"InferenceSpecification.Containers[].IsCheckpoint", "false", "the algorithm serves finished models"},
};

constexpr RefusedMember kRefusedByCreateModelPackageGroup[] = {
    {"ManagedConfiguration", "", "groups are managed by their users"},
};

constexpr RefusedMember kRefusedByCreateModelCard[] = {
    {"SecurityConfig", "", "documents are not encrypted with KMS keys here; encrypt the data directory"},
};

constexpr EchoedMember kEchoedByCreateModelPackage[] = {
    {"InferenceSpecification.SupportedRealtimeInferenceInstanceTypes", "every type means this machine"},
    {"InferenceSpecification.SupportedTransformInstanceTypes", "every type means this machine"},
    {"InferenceSpecification.SupportedContentTypes", "the image decides what is read"},
    {"InferenceSpecification.SupportedResponseMIMETypes", "the image decides what is answered"},
    {"ModelMetrics", "a record for people and tools"},
    {"DriftCheckBaselines", "a record for people and tools"},
    {"MetadataProperties", "a record for people and tools"},
    {"ModelLifeCycle", "a record for people and tools"},
    {"SkipModelValidation", "the archive is loaded once in any case"},
};

constexpr EchoedMember kEchoedByCreateModel[] = {
    {"ExecutionRoleArn", "this server reads its own store; there is no role to assume"},
    {"EnableNetworkIsolation", "true by construction: the built-in algorithm opens no connection"},
    {"*.ContainerHostname", "a name for pipelines; one container has no use for it"},
    {"*.Environment",
     "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT, SAGEMAKER_INFERENCE_OUTPUT, SAGEMAKER_INFERENCE_ENSEMBLE and "
     "MAX_CONTENT_LENGTH act; script mode is refused; others are the user's own"},
};

constexpr RefusedMember kRefusedByCreateEndpointConfig[] = {
    {"AsyncInferenceConfig.OutputConfig.NotificationConfig", "{}",
     "there is no SNS here; watch the output and the failure location"},
    {"AsyncInferenceConfig.OutputConfig.KmsKeyId", "\"\"", "outputs are not encrypted with KMS keys here"},
    {"ExplainerConfig", "", "explanations are not available"},
    {"VpcConfig", "", "endpoints run inside this server, which is in no VPC"},
    {"KmsKeyId", "\"\"", "volumes are not encrypted with KMS keys here; encrypt the data directory"},
    {"CrossRegionTrafficConfig", "", "there is one server and no other region"},
    {"MetricsConfig.EnableEnhancedMetrics", "false", "metrics are kept by variant"},
    {"MetricsConfig.EnableDetailedObservability", "false", "metrics are kept by variant"},
    {"DataCaptureConfig.KmsKeyId", "\"\"", "captured objects are not encrypted with KMS keys here"},
    {"*.InstancePools", "", "instance pools are not available; give InstanceType and InitialInstanceCount"},
    {"*.CoreDumpConfig", "", "there is no container that could dump core"},
    {"*.EnableSSMAccess", "false", "there is no instance to log in to"},
    {"*.ManagedInstanceScaling", R"({"Status":"DISABLED"})", "scaling is not available; one server takes all traffic"},
    {"*.CapacityReservationConfig", "", "there is no capacity to reserve"},
    {"*.AcceleratorPartitionLayouts", "", "there are no accelerators"},
};

constexpr EchoedMember kEchoedByCreateEndpointConfig[] = {
    {"ExecutionRoleArn", "there is no role to assume"},
    {"EnableNetworkIsolation", "true by construction"},
    {"MetricsConfig.MetricPublishFrequencyInSeconds", "metrics are kept by the minute"},
    {"*.InstanceType", "every type means this machine"},
    {"*.InitialInstanceCount", "one server takes the traffic of all; the counts are shown as given"},
    {"*.ServerlessConfig.ProvisionedConcurrency", "the model is in memory at all times: no start is cold"},
    {"*.AcceleratorType", "every type means this machine"},
    {"*.VolumeSizeInGB", "model archives lie in the data directory"},
    {"*.ModelDataDownloadTimeoutInSeconds", "models are linked, not downloaded; none takes a minute"},
    {"*.ContainerStartupHealthCheckTimeoutInSeconds", "no container is started"},
    {"*.VariantInstanceProvisionTimeoutInSeconds", "no instance is provisioned"},
    {"*.InferenceAmiVersion", "no instance is started"},
    {"*.RoutingConfig", "one server takes all requests, so there is nothing to route between"},
};

constexpr EchoedMember kEchoedByDeployment[] = {
    {"DeploymentConfig.BlueGreenUpdatePolicy.TrafficRoutingConfiguration.WaitIntervalInSeconds",
     "acts between steps; ALL_AT_ONCE has one step, after which TerminationWaitInSeconds acts"},
    {"DeploymentConfig (CreateEndpoint)", "kept for an UpdateEndpoint with RetainDeploymentConfig"},
};

constexpr RefusedMember kRefusedByCreateTransformJob[] = {
    {"DataCaptureConfig", "", "inputs and outputs of a transform are not captured; they are objects already"},
    {"TransformOutput.KmsKeyId", "\"\"", "outputs are not encrypted with KMS keys here; encrypt the data directory"},
    {"TransformResources.VolumeKmsKeyId", "\"\"", "volumes are not encrypted with KMS keys here"},
    {"TransformResources.TransformAmiVersion", "", "no instance is started"},
};

constexpr EchoedMember kEchoedByCreateTransformJob[] = {
    {"TransformResources", "every type and count of instances means one process on this machine"},
    {"ModelClientConfig", "the model is in the process that asks it, so no call is retried or times out"},
    {"ExperimentConfig", "the job is not noted in an experiment"},
};

/// Appends what lies at `path` below `value`; "[]" walks a list, "[n]" takes one element, "*." tries the members that
/// hold containers and variants.
void Collect(const nlohmann::json& value, std::string_view path, std::string where,
             std::vector<std::pair<std::string, const nlohmann::json*>>& found) {
    if (path.empty()) return found.push_back({std::move(where), &value});
    if (path.starts_with("*.")) {
        for (std::string_view holder :
             {"PrimaryContainer.", "Containers[].", "ProductionVariants[].", "ShadowProductionVariants[]."})
            Collect(value, fmt::format("{}{}", holder, path.substr(2)), where, found);
        return;
    }
    const std::string_view step = path.substr(0, path.find('.'));
    const std::string_view rest = step.size() == path.size() ? "" : path.substr(step.size() + 1);
    const std::string name(step.substr(0, step.find('[')));
    if (!value.is_object() || !value.contains(name)) return;
    const nlohmann::json& member = value[name];
    const std::string prefix = where.empty() ? name : where + "." + name;
    if (name.size() == step.size()) return Collect(member, rest, prefix, found);
    const std::string_view index = step.substr(name.size() + 1, step.size() - name.size() - 2);
    for (std::size_t i = 0; i < member.size(); ++i)
        if (index.empty() || index == std::to_string(i))
            Collect(member[i], rest, fmt::format("{}[{}]", prefix, i), found);
}

}  // namespace

std::span<const RefusedMember> RefusedMembersOf(std::string_view operation) {
    if (operation == "CreateModel") return kRefusedByCreateModel;
    if (operation == "CreateEndpointConfig") return kRefusedByCreateEndpointConfig;
    if (operation == "CreateTransformJob") return kRefusedByCreateTransformJob;
    if (operation == "CreateModelPackage" || operation == "UpdateModelPackage") return kRefusedByCreateModelPackage;
    if (operation == "CreateModelPackageGroup") return kRefusedByCreateModelPackageGroup;
    if (operation == "CreateModelCard") return kRefusedByCreateModelCard;
    return {};
}

std::span<const EchoedMember> EchoedMembersOf(std::string_view operation) {
    if (operation == "CreateModel") return kEchoedByCreateModel;
    if (operation == "CreateEndpointConfig") return kEchoedByCreateEndpointConfig;
    if (operation == "CreateEndpoint" || operation == "UpdateEndpoint") return kEchoedByDeployment;
    if (operation == "CreateTransformJob") return kEchoedByCreateTransformJob;
    if (operation == "CreateModelPackage" || operation == "UpdateModelPackage") return kEchoedByCreateModelPackage;
    return {};
}

std::optional<std::string> FindRefusedMember(std::string_view operation, const nlohmann::json& request) {
    for (const RefusedMember& refused : RefusedMembersOf(operation)) {
        std::vector<std::pair<std::string, const nlohmann::json*>> found;
        Collect(request, refused.path, "", found);
        for (const auto& [where, value] : found) {
            if (!refused.harmless_value.empty() && *value == nlohmann::json::parse(refused.harmless_value)) continue;
            return fmt::format("{} is not supported: {}.", where, refused.why);
        }
    }
    return std::nullopt;
}

}  // namespace espalier::api::sagemaker
