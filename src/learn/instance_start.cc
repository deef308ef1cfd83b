#include "learn/instance_start.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
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

}  // namespace

Result<std::optional<TrainingStart>> ReadStart(const std::string& root, const InstanceConfig& config,
                                               TrainingLog& log) {
    if (!config.checkpoint_folder.empty()) {
        std::vector<std::string> warnings;
        std::optional<Checkpoint> checkpoint = ReadNewestCheckpoint(config.checkpoint_folder, warnings);
        for (const std::string& warning : warnings) log.Warning(warning);
        if (checkpoint.has_value()) {
            log.Info(fmt::format("Checkpoint loaded from {}", checkpoint->path));
            log.Info(fmt::format("Resuming from iteration {}", checkpoint->round + 1));
            const int rounds_before = static_cast<int>(RoundsOf(checkpoint->model)) - (checkpoint->round + 1);
            return std::optional(TrainingStart{std::move(checkpoint->model), rounds_before});
        }
    }
    const bool has_channel = std::any_of(config.channels.begin(), config.channels.end(),
                                         [](const ChannelConfig& channel) { return channel.name == kModelChannel; });
    if (!has_channel) return std::optional<TrainingStart>();
    const std::string path = TRY(FindModelFile(fmt::format("{}/input/data/{}", root, kModelChannel)));
    model::OpenedModel opened = TRY_MSG(model::OpenModel(path), "read the model of channel 'model'");
    const int num_rounds = static_cast<int>(RoundsOf(opened.ensemble));
    log.Info(fmt::format("Training goes on from the model of channel 'model', which has {} rounds.", num_rounds));
    return std::optional(TrainingStart{std::move(opened.ensemble), num_rounds});
}

Result<void> ShareStart(std::optional<TrainingStart>& start, collective::Comm& comm) {
    if (comm.size() == 1) return {};
    std::string message;
    if (comm.rank() == 0 && start.has_value()) {
        message =
            fmt::format("{} ", start->rounds_before) + model::WriteModel(start->model, model::ModelFormat::kUbjson);
    }
    const auto all = TRY(comm.AllGatherV(std::as_bytes(std::span(message.data(), message.size()))));
    start.reset();
    if (all[0].empty()) return {};
    const std::string_view told(reinterpret_cast<const char*>(all[0].data()), all[0].size());
    const std::size_t space = told.find(' ');
    start = TrainingStart{TRY(model::ReadModel(told.substr(space + 1))), std::stoi(std::string(told.substr(0, space)))};
    return {};
}

}  // namespace espalier::learn
