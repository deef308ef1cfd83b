#include "learn/instance_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

namespace espalier::learn {

namespace {

using Json = nlohmann::ordered_json;

// Configurations are a few kilobytes; what is larger is not one.
constexpr std::uintmax_t kConfigBytesMax = std::uintmax_t{16} << 20;
// A petabyte: a limit beyond it is a mistake of units.
constexpr std::uint64_t kMemoryLimitMbMax = std::uint64_t{1} << 30;

/// Nothing when there is no such file.
Result<std::optional<Json>> ReadJson(const std::string& path) {
    std::error_code error;
    if (!std::filesystem::exists(path, error)) return std::optional<Json>();
    if (std::filesystem::file_size(path, error) > kConfigBytesMax || error) {
        return Error(ErrorCode::kInvalidArgument, fmt::format("{} cannot be read or is too large", path));
    }
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    if (!file) return ErrnoError("read " + path, errno);
    Json json = Json::parse(text.str(), nullptr, false);
    if (json.is_discarded()) return Error(ErrorCode::kInvalidArgument, fmt::format("{} is not JSON", path));
    if (!json.is_object()) return Error(ErrorCode::kInvalidArgument, fmt::format("{} must be a JSON object", path));
    return std::optional<Json>(std::move(json));
}

std::string TextOf(const Json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// "/opt/ml/checkpoints" seen from `root`.
Result<std::string> CheckpointFolder(const std::string& root, const Json& config) {
    constexpr std::string_view kContainerRoot = "/opt/ml/";
    const std::string path = TextOf(config, "LocalPath");
    if (path.starts_with(kContainerRoot) && path.find("/..") == std::string::npos) {
        return root + "/" + path.substr(kContainerRoot.size());
    }
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("checkpointconfig.json: LocalPath '{}' must be a folder under {}, such as "
                             "/opt/ml/checkpoints",
                             path, kContainerRoot));
}

/// What espalier.json adds. Unlike the containers' files it is ours alone, so a name that means nothing is refused.
Result<void> ReadOwnSettings(const std::string& path, InstanceConfig& config) {
    const auto settings = TRY(ReadJson(path));
    if (!settings.has_value()) return {};
    const auto refuse = [&](const std::string& name, const char* why) {
        return Error(ErrorCode::kInvalidArgument, fmt::format("{}: '{}' {}", path, name, why));
    };
    for (const auto& [name, value] : settings->items()) {
        if (name == "binned_cache_folder") {
            if (!value.is_string()) return refuse(name, "must be a string: a folder");
            config.binned_cache_folder = value.get<std::string>();
        } else if (name == "memory_limit_mb") {
            if (!value.is_number_unsigned() || value.get<std::uint64_t>() > kMemoryLimitMbMax) {
                return refuse(name, "must be a whole number of megabytes; 0 means no limit");
            }
            config.memory_limit_mb = value.get<std::size_t>();
        } else if (name == "data_identity") {
            if (!value.is_object()) return refuse(name, "must be an object: channel name to a string");
            for (const auto& [channel_name, identity] : value.items()) {
                if (!identity.is_string()) return refuse(channel_name, "must be a string");
                const auto channel = std::find_if(config.channels.begin(), config.channels.end(),
                                                  [&](const ChannelConfig& c) { return c.name == channel_name; });
                if (channel == config.channels.end()) return refuse(channel_name, "is not a channel of this job");
                channel->data_identity = identity.get<std::string>();
            }
        } else {
            return refuse(name, "is no setting; there are binned_cache_folder, data_identity and memory_limit_mb");
        }
    }
    return {};
}

}  // namespace

Result<InstanceConfig> ReadInstanceConfig(const std::string& root) {
    const std::string folder = root + "/input/config/";
    InstanceConfig config;
    const auto parameters = TRY(ReadJson(folder + "hyperparameters.json"));
    if (!parameters.has_value()) {
        return Error(ErrorCode::kInvalidArgument, fmt::format("{}hyperparameters.json does not exist", folder));
    }
    for (const auto& [name, value] : parameters->items()) {
        // SageMaker hands over strings only; a number or a boolean written by hand means its text.
        config.hyperparameters.emplace_back(name, value.is_string() ? value.get<std::string>() : value.dump());
    }
    if (const auto channels = TRY(ReadJson(folder + "inputdataconfig.json")); channels.has_value()) {
        for (const auto& [name, value] : channels->items()) {
            if (!value.is_object()) {
                return Error(ErrorCode::kInvalidArgument,
                             fmt::format("{}inputdataconfig.json: channel '{}' must be an object", folder, name));
            }
            config.channels.push_back({name, TextOf(value, "ContentType"), TextOf(value, "TrainingInputMode"),
                                       TextOf(value, "S3DistributionType"), ""});
        }
    } else {
        std::error_code error;
        for (const auto& entry : std::filesystem::directory_iterator(root + "/input/data", error)) {
            config.channels.push_back({entry.path().filename().string(), "", "", "", ""});
        }
        std::sort(config.channels.begin(), config.channels.end(),
                  [](const ChannelConfig& a, const ChannelConfig& b) { return a.name < b.name; });
    }
    if (const auto resources = TRY(ReadJson(folder + "resourceconfig.json")); resources.has_value()) {
        config.current_host = TextOf(*resources, "current_host");
        const auto hosts = resources->find("hosts");
        if (hosts != resources->end() && hosts->is_array()) {
            config.hosts.clear();
            for (const Json& host : *hosts) {
                if (host.is_string()) config.hosts.push_back(host.get<std::string>());
            }
        }
        if (config.hosts.empty()) {
            return Error(ErrorCode::kInvalidArgument, fmt::format("{}resourceconfig.json names no hosts", folder));
        }
    }
    if (const auto checkpoints = TRY(ReadJson(folder + "checkpointconfig.json")); checkpoints.has_value()) {
        config.checkpoint_folder = TRY(CheckpointFolder(root, *checkpoints));
    }
    TRY(ReadOwnSettings(folder + "espalier.json", config));
    return config;
}

}  // namespace espalier::learn
