#include "jobs/job_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "store/names.h"

namespace espalier::jobs {
namespace {

using nlohmann::json;

Error Refuse(std::string sentence) {
    return Error(ErrorCode::kInvalidArgument, std::move(sentence));
}

std::string Text(const json& object, const char* name, std::string fallback = "") {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : fallback;
}

std::int64_t Integer(const json& object, const char* name, std::int64_t fallback) {
    const auto found = object.find(name);
    return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : fallback;
}

/// The member, or an empty object.
const json& Object(const json& object, const char* name) {
    static const json empty = json::object();
    const auto found = object.find(name);
    return found != object.end() && found->is_object() ? *found : empty;
}

bool IsPresent(const json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && !found->is_null() && !(found->is_structured() && found->empty()) &&
           *found != json(false);
}

Result<store::S3Location> Locate(const std::string& uri, std::string_view member) {
    auto location = store::ParseS3Location(uri);
    if (!location)
        return Refuse(fmt::format("{}: {} is not an S3 location ({}).", member, uri, location.error().message()));
    if (!store::BucketName::Parse(location->bucket)) {
        return Refuse(
            fmt::format("{}: {} names the bucket '{}', which is no valid bucket name.", member, uri, location->bucket));
    }
    return location;
}

Result<ChannelSpec> ParseChannel(const json& channel, const std::string& default_input_mode) {
    ChannelSpec spec;
    spec.name = Text(channel, "ChannelName");
    spec.pipe = Text(channel, "InputMode", default_input_mode) == "Pipe";
    const json& source = Object(Object(channel, "DataSource"), "S3DataSource");
    if (source.empty()) {
        return Refuse(
            fmt::format("Channel '{}': its DataSource must be an S3DataSource; file systems and data sets are "
                        "not supported. Upload the data to S3.",
                        spec.name));
    }
    const std::string type = Text(source, "S3DataType");
    if (type != "S3Prefix") {
        return Refuse(
            fmt::format("Channel '{}': S3DataType {} is not supported. Use S3Prefix with the common prefix of "
                        "the files.",
                        spec.name, type));
    }
    spec.s3_uri = Text(source, "S3Uri");
    spec.location = TRY(Locate(spec.s3_uri, fmt::format("Channel '{}', S3Uri", spec.name)));
    spec.sharded = Text(source, "S3DataDistributionType") == "ShardedByS3Key";
    spec.gzip = Text(channel, "CompressionType") == "Gzip";
    spec.content_type = Text(channel, "ContentType");
    spec.record_wrapper = Text(channel, "RecordWrapperType", "None");
    if (spec.record_wrapper != "None") {
        return Refuse(fmt::format("Channel '{}': RecordWrapperType {} is not supported. Use None.", spec.name,
                                  spec.record_wrapper));
    }
    if (IsPresent(channel, "ShuffleConfig")) {
        return Refuse(fmt::format(
            "Channel '{}': ShuffleConfig is not supported: objects come in the order of their keys.", spec.name));
    }
    return spec;
}

Result<void> ParseAlgorithm(const json& request, JobSpec& spec) {
    const json& algorithm = Object(request, "AlgorithmSpecification");
    if (IsPresent(algorithm, "AlgorithmName")) {
        return Refuse(
            "AlgorithmSpecification.AlgorithmName is not supported: there is no marketplace here. Give "
            "TrainingImage, the URI of a built-in XGBoost image.");
    }
    spec.image = Text(algorithm, "TrainingImage");
    if (spec.image.empty()) return Refuse("AlgorithmSpecification must have a TrainingImage.");
    spec.version = TRY(RecogniseAlgorithmImage(spec.image));
    if (IsPresent(algorithm, "MetricDefinitions")) {
        return Refuse(
            "You can't override the metric definitions for Amazon SageMaker algorithms. Please retry your "
            "request without specifying metric definitions.");
    }
    for (const char* member : {"ContainerEntrypoint", "ContainerArguments"}) {
        if (IsPresent(algorithm, member)) {
            return Refuse(
                fmt::format("AlgorithmSpecification.{} is not supported: this server runs the built-in "
                            "algorithm, not a container.",
                            member));
        }
    }
    return {};
}

Result<void> ParseHyperparameters(const json& request, JobSpec& spec) {
    for (const auto& [name, value] : Object(request, "HyperParameters").items()) {
        if (value.is_string()) spec.hyperparameters[name] = value.get<std::string>();
    }
    for (const char* name : {"sagemaker_program", "sagemaker_submit_directory"}) {
        if (spec.hyperparameters.contains(name)) {
            return Refuse(
                fmt::format("Script mode is not supported: the hyperparameter {} asks for a training script of "
                            "your own. Use the image's built-in algorithm, without an entry point.",
                            name));
        }
    }
    return {};
}

Result<void> ParseChannels(const json& request, JobSpec& spec) {
    const auto channels = request.find("InputDataConfig");
    if (channels == request.end()) return {};
    const std::string mode = Text(Object(request, "AlgorithmSpecification"), "TrainingInputMode", "File");
    std::set<std::string> names;
    for (const json& channel : *channels) {
        spec.channels.push_back(TRY(ParseChannel(channel, mode)));
        if (!names.insert(spec.channels.back().name).second) {
            return Refuse(fmt::format("InputDataConfig has two channels called '{}'. Channel names must be unique.",
                                      spec.channels.back().name));
        }
        // "." and ".." satisfy the published pattern but are no names for a folder.
        if (spec.channels.back().name.find_first_not_of('.') == std::string::npos) {
            return Refuse(fmt::format("'{}' cannot be the name of a channel.", spec.channels.back().name));
        }
    }
    return {};
}

/// What no later look could make good; the other images' rules are the trainer's, as on AWS.
Result<void> CheckPipes(const JobSpec& spec) {
    for (const ChannelSpec& channel : spec.channels) {
        if (!channel.pipe || spec.version != AlgorithmVersion::kLegacy) continue;
        return Refuse(
            fmt::format("Channel '{}': Pipe input mode is not supported by the image {}. Use File or FastFile.",
                        channel.name, spec.image));
    }
    return {};
}

Result<void> ParseResources(const json& request, JobSpec& spec) {
    const json& resources = Object(request, "ResourceConfig");
    if (IsPresent(resources, "InstanceGroups")) {
        return Refuse("ResourceConfig.InstanceGroups is not supported. Give InstanceType and InstanceCount.");
    }
    spec.instance_type = Text(resources, "InstanceType");
    if (spec.instance_type.empty()) return Refuse("ResourceConfig must have an InstanceType.");
    const std::int64_t count = Integer(resources, "InstanceCount", 0);
    if (count < 1) return Refuse("ResourceConfig.InstanceCount must be at least 1.");
    if (count > kInstancesMax) {
        return Error(
            ErrorCode::kResourceLimit,
            fmt::format("The account-level service limit '{} for training job usage' is {} Instances, with "
                        "current utilization of 0 Instances and a request delta of {} Instances. Each instance "
                        "is a process on this machine; use fewer.",
                        spec.instance_type, kInstancesMax, count));
    }
    spec.num_instances = static_cast<int>(count);
    return {};
}

Result<void> ParseStopping(const json& request, JobSpec& spec) {
    const json& stopping = Object(request, "StoppingCondition");
    spec.max_runtime_seconds = Integer(stopping, "MaxRuntimeInSeconds", kDefaultMaxRuntimeSeconds);
    const bool spot = request.value("EnableManagedSpotTraining", false);
    const std::int64_t max_wait = Integer(stopping, "MaxWaitTimeInSeconds", -1);
    if (max_wait >= 0 && !spot) {
        return Refuse(
            "MaxWaitTimeInSeconds above 0 is not supported when EnableManagedSpotTraining is false or unset.");
    }
    if (spot && max_wait < spec.max_runtime_seconds) {
        return Refuse(
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to "
            "MaxRuntimeInSeconds");
    }
    return {};
}

Result<void> ParseCheckpoints(const json& request, JobSpec& spec) {
    const json& config = Object(request, "CheckpointConfig");
    if (config.empty()) return {};
    std::string local_path = Text(config, "LocalPath", kContainerCheckpointFolder);
    while (local_path.ends_with('/')) local_path.pop_back();
    if (local_path != kContainerCheckpointFolder) {
        return Refuse(
            fmt::format("CheckpointConfig.LocalPath '{}' is not supported. Leave it out: the built-in "
                        "algorithm writes to {}.",
                        local_path, kContainerCheckpointFolder));
    }
    spec.checkpoints = TRY(Locate(Text(config, "S3Uri"), "CheckpointConfig.S3Uri"));
    return {};
}

/// Members that have no effect on one's own machine. They are accepted and echoed, because SDKs send them without being
/// asked, and the job's log says that nothing comes of them.
constexpr std::array<std::pair<const char*, const char*>, 13> kUnusedMembers = {{
    {"DebugHookConfig", "no tensors are saved"},
    {"DebugRuleConfigurations", "no rules are evaluated"},
    {"EnableInterContainerTrafficEncryption", "the instances speak through this machine's memory"},
    {"EnableNetworkIsolation", "the built-in algorithm opens no connections"},
    {"Environment", "the built-in algorithm reads no variables"},
    {"ExperimentConfig", "the job is not noted in an experiment"},
    {"InfraCheckConfig", "there are no health checks of instances"},
    {"ProfilerConfig", "nothing is profiled"},
    {"ProfilerRuleConfigurations", "no rules are evaluated"},
    {"RemoteDebugConfig", "there is no remote access to the instances"},
    {"RetryStrategy", "a job whose processes die is taken up again at its last checkpoint, up to two times"},
    {"TensorBoardOutputConfig", "no TensorBoard data are written"},
    {"VpcConfig", "the instances are processes of this machine"},
}};

}  // namespace

std::string JobSpec::ModelArtifactsUri() const {
    return fmt::format("{}/{}/output/{}", output_uri, name, gzip_output ? "model.tar.gz" : "model/");
}

store::S3Location JobSpec::ModelArtifacts() const {
    return output.Join(fmt::format("{}/output/{}", name, gzip_output ? "model.tar.gz" : "model/"));
}

Result<JobSpec> ParseJobSpec(const std::string& request_text) {
    const json request = json::parse(request_text, nullptr, /*allow_exceptions=*/false);
    if (!request.is_object()) return Refuse("The training job's request is no JSON object.");
    JobSpec spec;
    spec.name = Text(request, "TrainingJobName");
    spec.role_arn = Text(request, "RoleArn");
    TRY(ParseAlgorithm(request, spec));
    TRY(ParseHyperparameters(request, spec));
    TRY(ParseChannels(request, spec));
    TRY(CheckPipes(spec));
    const json& output = Object(request, "OutputDataConfig");
    spec.output_uri = Text(output, "S3OutputPath");
    while (spec.output_uri.ends_with('/')) spec.output_uri.pop_back();
    spec.output = TRY(Locate(spec.output_uri, "OutputDataConfig.S3OutputPath"));
    spec.gzip_output = Text(output, "CompressionType", "GZIP") == "GZIP";
    TRY(ParseResources(request, spec));
    TRY(ParseStopping(request, spec));
    TRY(ParseCheckpoints(request, spec));
    for (const char* member : {"ServerlessJobConfig", "MlflowConfig", "ModelPackageConfig", "SessionChainingConfig"}) {
        if (IsPresent(request, member)) return Refuse(fmt::format("{} is not supported.", member));
    }
    for (const auto& [member, consequence] : kUnusedMembers) {
        if (IsPresent(request, member)) spec.unused_members.push_back(fmt::format("{}: {}", member, consequence));
    }
    return spec;
}

}  // namespace espalier::jobs
