#include "jobs/work_folder.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include "base/log.h"
#include "jobs/text_file.h"

namespace espalier::jobs {
namespace {

using nlohmann::json;
namespace filesystem = std::filesystem;

constexpr std::size_t kFailureBytesMax = 1024;  // DescribeTrainingJob.FailureReason

Error FileError(const std::string& what, const std::error_code& error) {
    return ErrnoError(what, error.value());
}

Result<void> MakeFolders(const std::string& path) {
    std::error_code error;
    filesystem::create_directories(path, error);
    if (error) return FileError("make " + path, error);
    return {};
}

Result<void> WriteJson(const std::string& path, const json& document) {
    return WriteTextFile(path, document.dump(-1, ' ', false, json::error_handler_t::replace));
}

json InputDataConfig(const JobSpec& spec) {
    json channels = json::object();
    for (const ChannelSpec& channel : spec.channels) {
        json entry = {{"TrainingInputMode", channel.pipe ? "Pipe" : "File"},
                      {"S3DistributionType", channel.sharded ? "ShardedByS3Key" : "FullyReplicated"},
                      {"RecordWrapperType", channel.record_wrapper}};
        if (!channel.content_type.empty()) entry["ContentType"] = channel.content_type;
        channels[channel.name] = std::move(entry);
    }
    return channels;
}

json ResourceConfig(const JobSpec& spec, int number) {
    json hosts = json::array();
    for (int host = 1; host <= spec.num_instances; ++host) hosts.push_back(InstanceName(host));
    return {{"current_host", InstanceName(number)},
            {"current_instance_type", spec.instance_type},
            {"current_group_name", "homogeneousCluster"},
            {"hosts", hosts},
            {"instance_groups", json::array({{{"instance_group_name", "homogeneousCluster"},
                                              {"instance_type", spec.instance_type},
                                              {"hosts", hosts}}})},
            {"network_interface_name", "lo"}};
}

// In front of what else is told, as the end may be cut off. Processes say it in words only.
std::string WithMending(std::string reason) {
    const bool is_full = reason.find(std::strerror(ENOSPC)) != std::string::npos ||
                         reason.find("database or disk is full") != std::string::npos;
    if (!is_full) return reason;
    constexpr std::string_view kMending =
        "The disk of the server's data directory is full. Free some space there, by deleting objects for example, and "
        "create the job again. ";
    const std::size_t colon = reason.find(": ");
    return reason.insert(colon == std::string::npos ? 0 : colon + 2, kMending);
}

}  // namespace

std::string FitFailureReason(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    if (text.size() > kFailureBytesMax) {
        std::size_t end = kFailureBytesMax;
        while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
        text.resize(end);
    }
    const std::string quoted = json(text).dump(-1, ' ', false, json::error_handler_t::replace);
    return json::parse(quoted, nullptr, false).get<std::string>();
}

bool SaysWhoseFault(const std::string& reason) {
    return reason.starts_with("ClientError") || reason.starts_with("AlgorithmError") ||
           reason.starts_with("InternalServerError");
}

bool IsUsersFault(const std::string& reason) {
    return reason.starts_with("ClientError") || reason.starts_with("AlgorithmError: framework error");
}

std::string FailureReasonOf(const Error& error, const std::string& job_name) {
    std::string reason = error.ToString();
    if (!SaysWhoseFault(reason)) {
        LOG_ERROR("job failed inside", {"job", job_name}, {"error", reason});
        reason = "InternalServerError: " + reason;
    }
    return FitFailureReason(WithMending(std::move(reason)));
}

Result<void> MakeJobsFolder(const std::string& jobs_folder) {
    return MakeFolders(jobs_folder);
}

void SweepWorkFolders(const std::string& jobs_folder, const std::vector<std::int64_t>& wanted) {
    std::set<std::string> names;
    for (const std::int64_t id : wanted) names.insert(std::to_string(id));
    std::error_code error;
    for (const auto& entry : filesystem::directory_iterator(jobs_folder, error)) {
        if (names.contains(entry.path().filename().string())) continue;
        std::error_code remove_error;
        filesystem::remove_all(entry.path(), remove_error);
        if (remove_error) {
            LOG_WARN("job folder not removed", {"path", entry.path().string()}, {"error", remove_error.message()});
        }
    }
}

std::string InstanceName(int number) {
    return fmt::format("algo-{}", number);
}

WorkFolder::WorkFolder(const std::string& jobs_folder, std::int64_t job_id)
    : path_(fmt::format("{}/{}", jobs_folder, job_id)) {}

std::string WorkFolder::InstanceRoot(int number) const {
    return fmt::format("{}/{}", path_, InstanceName(number));
}
std::string WorkFolder::ChannelFolder(int number, const ChannelSpec& channel) const {
    return fmt::format("{}/input/{}/{}", InstanceRoot(number), channel.pipe ? "pipe" : "data", channel.name);
}
std::string WorkFolder::PipePath(int number, const ChannelSpec& channel) const {
    return fmt::format("{}/input/data/{}_0", InstanceRoot(number), channel.name);
}
std::string WorkFolder::LogPath(int number) const {
    return fmt::format("{}/{}.log", path_, InstanceName(number));
}

Result<void> WorkFolder::MakeEmpty(const JobSpec& spec) const {
    std::error_code error;
    const filesystem::path checkpoints = CheckpointFolder();
    for (const filesystem::path& folder : {checkpoints.parent_path(), filesystem::path(path_)}) {
        if (!filesystem::exists(folder, error)) continue;
        for (const auto& entry : filesystem::directory_iterator(folder, error)) {
            if (entry.path() == checkpoints || entry.path() == checkpoints.parent_path()) continue;
            filesystem::remove_all(entry.path(), error);
            if (error) return FileError("remove " + entry.path().string(), error);
        }
        if (error) return FileError("read " + folder.string(), error);
    }
    for (int number = 1; number <= spec.num_instances; ++number) {
        for (const char* folder : {"input/config", "input/data", "model", "output/data", "checkpoints"}) {
            TRY(MakeFolders(fmt::format("{}/{}", InstanceRoot(number), folder)));
        }
        for (const ChannelSpec& channel : spec.channels) TRY(MakeFolders(ChannelFolder(number, channel)));
    }
    // Data of one account are no business of other users of the machine.
    filesystem::permissions(path_, filesystem::perms::owner_all, error);
    if (error) return FileError("chmod " + path_, error);
    return {};
}

Result<void> WorkFolder::WriteSharing(const std::string& bins_folder,
                                      const std::map<std::string, std::string>& identities) const {
    return WriteJson(InstanceRoot(1) + "/input/config/espalier.json",
                     {{"binned_cache_folder", bins_folder}, {"data_identity", identities}});
}

Result<void> WorkFolder::WriteCapsule(const std::string& document) const {
    const std::string incoming = CapsulePath() + ".incoming";
    TRY(WriteTextFile(incoming, document));
    std::error_code error;
    filesystem::rename(incoming, CapsulePath(), error);
    if (error) return FileError("rename " + incoming, error);
    return {};
}

Result<std::string> WorkFolder::ReadCapsule() const {
    std::ifstream in(CapsulePath(), std::ios::binary);
    if (!in.is_open()) return std::string();
    std::string document(std::istreambuf_iterator<char>(in), {});
    if (in.bad()) return Error(ErrorCode::kIo, "cannot read " + CapsulePath());
    return document;
}

Result<void> WorkFolder::WriteConfiguration(const JobSpec& spec) const {
    for (int number = 1; number <= spec.num_instances; ++number) {
        const std::string folder = InstanceRoot(number) + "/input/config/";
        TRY(WriteJson(folder + "hyperparameters.json", json(spec.hyperparameters)));
        TRY(WriteJson(folder + "inputdataconfig.json", InputDataConfig(spec)));
        TRY(WriteJson(folder + "resourceconfig.json", ResourceConfig(spec, number)));
        TRY(WriteJson(folder + "checkpointconfig.json", json{{"LocalPath", kContainerCheckpointFolder}}));
    }
    return {};
}

void WorkFolder::ForgetFailures(const JobSpec& spec) const {
    std::error_code error;
    for (int number = 1; number <= spec.num_instances; ++number) {
        filesystem::remove(InstanceRoot(number) + "/output/failure", error);
    }
}

bool WorkFolder::HasCheckpoints() const {
    std::error_code error;
    return filesystem::directory_iterator(CheckpointFolder(), error) != filesystem::directory_iterator();
}

std::string WorkFolder::ReadFailure(int number) const {
    return ReadFailureFile(InstanceRoot(number) + "/output/failure");
}

std::string ReadFailureFile(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) return "";
    std::string text(kFailureBytesMax * 4, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    return FitFailureReason(std::move(text));
}

void WorkFolder::Remove() const {
    std::error_code error;
    filesystem::remove_all(path_, error);
    if (error) LOG_WARN("job folder not removed", {"path", path_}, {"error", error.message()});
}

}  // namespace espalier::jobs
