#include "learn/instance_start.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "learn/checkpoint.h"
#include "learn/model_rounds.h"
#include "model/model_file.h"
#include "model/open_model.h"

namespace espalier::learn {

namespace {

namespace filesystem = std::filesystem;

/// xgboost-model, else model.tar.gz, else the only file.
Result<std::string> FindModelFile(const std::string& folder) {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : filesystem::directory_iterator(folder, error)) {
        if (entry.is_regular_file(error)) names.push_back(entry.path().filename().string());
    }
    for (const std::string& wanted : {std::string(model::kModelFileName), std::string("model.tar.gz")}) {
        if (std::find(names.begin(), names.end(), wanted) != names.end()) return folder + "/" + wanted;
    }
    if (names.size() == 1) return folder + "/" + names[0];
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format("The channel 'model' holds {} files and none is called xgboost-model or model.tar.gz. Give "
                    "it the S3 URI of one model.",
                    names.size()));
}

/// The model of the channel 'model'; nothing when there is no such channel.
Result<std::optional<model::TreeEnsemble>> ReadModelChannel(const std::string& root, const InstanceConfig& config) {
    const bool has_channel = std::any_of(config.channels.begin(), config.channels.end(),
                                         [](const ChannelConfig& channel) { return channel.name == kModelChannel; });
    if (!has_channel) return std::optional<model::TreeEnsemble>();
    const std::string path = TRY(FindModelFile(fmt::format("{}/input/data/{}", root, kModelChannel)));
    model::OpenedModel opened = TRY_MSG(model::OpenModel(path), "read the model of channel 'model'");
    return std::optional(std::move(opened.ensemble));
}

std::optional<Checkpoint> FindCheckpoint(const InstanceConfig& config, TrainingLog& log) {
    if (config.checkpoint_folder.empty()) return {};
    std::vector<std::string> warnings;
    std::optional<Checkpoint> checkpoint = ReadNewestCheckpoint(config.checkpoint_folder, warnings);
    for (const std::string& warning : warnings) log.Warning(warning);
    if (checkpoint.has_value()) {
        log.Info(fmt::format("Checkpoint loaded from {}", checkpoint->path));
        log.Info(fmt::format("Resuming from iteration {}", checkpoint->round + 1));
    }
    return checkpoint;
}

Result<model::TreeEnsemble> TakeModel(std::string_view& told) {
    const std::size_t space = told.find(' ');
    const auto size = static_cast<std::size_t>(std::stoull(std::string(told.substr(0, space))));
    const std::string_view bytes = told.substr(space + 1, size);
    told.remove_prefix(space + 1 + size);
    return model::ReadModel(bytes);
}

void TellModel(const model::TreeEnsemble& ensemble, std::string& message) {
    const std::string bytes = model::WriteModel(ensemble, model::ModelFormat::kUbjson);
    message += fmt::format("{} ", bytes.size()) + bytes;
}

}  // namespace

Result<std::optional<TrainingStart>> ReadStart(const std::string& root, const InstanceConfig& config, bool updates,
                                               TrainingLog& log) {
    std::optional<Checkpoint> checkpoint = FindCheckpoint(config, log);
    std::optional<TrainingStart> start;
    if (checkpoint.has_value()) {
        const int rounds_before = static_cast<int>(RoundsOf(checkpoint->model)) - (checkpoint->round + 1);
        start = TrainingStart{.model = std::move(checkpoint->model), .rounds_before = rounds_before};
        if (!updates) return start;
    }
    std::optional<model::TreeEnsemble> imported = TRY(ReadModelChannel(root, config));
    if (!imported.has_value()) return start;
    const std::size_t num_rounds = RoundsOf(*imported);
    if (start.has_value()) {
        start->updated = std::move(imported);
        return start;
    }
    log.Info(fmt::format("{} the model of channel 'model', which has {} rounds.",
                         updates ? "Training updates" : "Training goes on from", num_rounds));
    return std::optional(StartFrom(std::move(*imported), updates));
}

Result<void> ShareStart(std::optional<TrainingStart>& start, collective::Comm& comm) {
    if (comm.size() == 1) return {};
    std::string message;
    if (comm.rank() == 0 && start.has_value()) {
        message = fmt::format("{} ", start->rounds_before);
        TellModel(start->model, message);
        if (start->updated.has_value()) TellModel(*start->updated, message);
    }
    const auto all = TRY(comm.AllGatherV(std::as_bytes(std::span(message.data(), message.size()))));
    start.reset();
    if (all[0].empty()) return {};
    std::string_view told(reinterpret_cast<const char*>(all[0].data()), all[0].size());
    const std::size_t space = told.find(' ');
    const int rounds_before = std::stoi(std::string(told.substr(0, space)));
    told.remove_prefix(space + 1);
    start = TrainingStart{.model = TRY(TakeModel(told)), .rounds_before = rounds_before};
    if (!told.empty()) start->updated = TRY(TakeModel(told));
    return {};
}

}  // namespace espalier::learn
