#include "learn/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string_view>

#include "base/digest.h"
#include "base/encoding.h"
#include "learn/model_rounds.h"
#include "learn/published_file.h"
#include "model/open_model.h"

namespace espalier::learn {

namespace {

namespace filesystem = std::filesystem;

constexpr std::string_view kPrefix = "xgboost-checkpoint.";
constexpr std::string_view kStagingSuffix = ".sagemaker-ignore";
constexpr const char* kSeal = "espalier_seal";
constexpr int kRestPerWork = 9;

std::string SealOf(const model::TreeEnsemble& model) {
    return HexEncode(Sha256::Of(model::WriteModel(model, model::ModelFormat::kUbjson)));
}

/// The round of a checkpoint's file name; nothing for other files.
std::optional<int> RoundOf(const std::string& name) {
    if (!name.starts_with(kPrefix)) return std::nullopt;
    const char* const begin = name.data() + kPrefix.size();
    const char* const end = name.data() + name.size();
    int round = 0;
    const auto [stopped, error] = std::from_chars(begin, end, round);
    if (error != std::errc() || stopped != end || round < 0) return std::nullopt;
    return round;
}

/// Rounds of the checkpoints in a folder, the greatest first.
std::vector<int> RoundsIn(const std::string& folder) {
    std::vector<int> rounds;
    std::error_code error;
    for (const auto& entry : filesystem::directory_iterator(folder, error)) {
        if (const auto round = RoundOf(entry.path().filename().string()); round.has_value()) rounds.push_back(*round);
    }
    std::sort(rounds.rbegin(), rounds.rend());
    return rounds;
}

std::string PathOf(const std::string& folder, int round) {
    return fmt::format("{}/{}{}", folder, kPrefix, round);
}

Result<Checkpoint> ReadCheckpoint(const std::string& folder, int round) {
    Checkpoint checkpoint{.model = {}, .round = round, .path = PathOf(folder, round)};
    checkpoint.model = TRY(model::OpenModel(checkpoint.path)).ensemble;
    const auto seal = checkpoint.model.attributes.find(kSeal);
    if (seal != checkpoint.model.attributes.end()) {
        const std::string told = seal->second;
        checkpoint.model.attributes.erase(seal);
        if (told != SealOf(checkpoint.model)) {
            return Error(ErrorCode::kCorruptData, fmt::format("{}: its checksum is wrong", checkpoint.path));
        }
    }
    if (RoundsOf(checkpoint.model) <= static_cast<std::size_t>(round)) {
        return Error(ErrorCode::kCorruptData, fmt::format("{}: it has {} rounds, its name says {}", checkpoint.path,
                                                          RoundsOf(checkpoint.model), round + 1));
    }
    return checkpoint;
}

/// Removes what a writer that was killed has left half written; best effort.
void RemoveStaging(const std::string& folder) {
    std::vector<filesystem::path> left;
    std::error_code error;
    for (const auto& entry : filesystem::directory_iterator(folder, error)) {
        const std::string name = entry.path().filename().string();
        if (!name.ends_with(kStagingSuffix)) continue;
        if (RoundOf(name.substr(0, name.size() - kStagingSuffix.size())).has_value()) left.push_back(entry.path());
    }
    for (const filesystem::path& path : left) filesystem::remove(path, error);
}

/// Removes all but the newest; best effort.
void RemoveOld(const std::string& folder) {
    const std::vector<int> rounds = RoundsIn(folder);
    std::error_code error;
    for (std::size_t i = kCheckpointsKept; i < rounds.size(); ++i) {
        const std::string path = PathOf(folder, rounds[i]);
        const bool uploads = filesystem::exists(path + ".sagemaker-uploading", error) &&
                             !filesystem::exists(path + ".sagemaker-uploaded", error);
        if (!uploads) filesystem::remove(path, error);
    }
}

}  // namespace

std::string WriteCheckpoint(const model::TreeEnsemble& model) {
    model::TreeEnsemble sealed = model;
    sealed.attributes[kSeal] = SealOf(model);
    return model::WriteModel(sealed, model::ModelFormat::kUbjson);
}

std::optional<Checkpoint> ReadNewestCheckpoint(const std::string& folder, std::vector<std::string>& warnings) {
    for (const int round : RoundsIn(folder)) {
        auto checkpoint = ReadCheckpoint(folder, round);
        if (checkpoint.has_value()) return std::move(checkpoint).value();
        warnings.push_back(
            fmt::format("The checkpoint of round {} is passed over: {}", round, checkpoint.error().ToString()));
    }
    return std::nullopt;
}

CheckpointWriter::CheckpointWriter(std::string folder, std::string model_path, ModelRelease release)
    : folder_(std::move(folder)), model_path_(std::move(model_path)), model_release_(release) {
    if (!folder_.empty()) RemoveStaging(folder_);
    thread_ = std::jthread([this] { Work(); });
}

CheckpointWriter::~CheckpointWriter() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    wake_.notify_one();
}

void CheckpointWriter::Offer(int round, const model::TreeEnsemble& model) {
    {
        const std::lock_guard lock(mutex_);
        if (busy_ || Clock::now() < rests_until_) return;
    }
    Take(round, model);
}

void CheckpointWriter::Insist(int round, const model::TreeEnsemble& model) {
    {
        std::unique_lock lock(mutex_);
        idle_.wait(lock, [this] { return !busy_; });
    }
    Take(round, model);
}

void CheckpointWriter::Take(int round, const model::TreeEnsemble& model) {
    {
        const std::lock_guard lock(mutex_);
        busy_ = true;
        job_ = Job{round, model};
    }
    wake_.notify_one();
}

std::optional<Error> CheckpointWriter::TakeError() {
    const std::lock_guard lock(mutex_);
    return std::exchange(error_, std::nullopt);
}

void CheckpointWriter::Work() {
    std::unique_lock lock(mutex_);
    while (true) {
        wake_.wait(lock, [this] { return job_.has_value() || ending_; });
        if (!job_.has_value()) return;
        const Job job = std::move(*job_);
        job_.reset();
        lock.unlock();
        const auto begin = Clock::now();
        Result<void> written = Write(job);
        const auto end = Clock::now();
        lock.lock();
        busy_ = false;
        idle_.notify_one();
        rests_until_ = end + kRestPerWork * (end - begin);
        if (!written.has_value() && !error_.has_value()) error_ = std::move(written).error();
    }
}

Result<void> CheckpointWriter::Write(const Job& job) const {
    if (!folder_.empty()) {
        const std::string path = PathOf(folder_, job.round);
        TRY_MSG(PublishFile(WriteCheckpoint(job.model), path + std::string(kStagingSuffix), path),
                "write a checkpoint");
        RemoveOld(folder_);
    }
    if (!model_path_.empty()) TRY(PublishModel(job.model, model_release_, model_path_));
    return {};
}

}  // namespace espalier::learn
