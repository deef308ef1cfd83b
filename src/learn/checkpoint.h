// Checkpoints: models of the rounds so far, from which a job goes on as if it had never ended.
//
// Nouns: checkpoint (<folder>/xgboost-checkpoint.N: a plain model file after round N, counted from 0 over the job's
// own rounds), seal (an attribute of it: the SHA-256 of the same file without the seal; a checkpoint of another program
// has none and is believed).
// What is needed to go on exactly is in the model: margins are predicted from it, random numbers are keyed by round,
// early stopping keeps its best round in the attributes.
// Writing is done by a thread of its own, from a copy. While it works, and for nine times as long after it, rounds are
// not taken, so that it costs training at most a tenth of one core; then the newest is. The last round's is always
// taken. The last kCheckpointsKept stay; one that is being uploaded (a file <name>.sagemaker-uploading beside it, none
// with .sagemaker-uploaded) stays longer. Source: contracts/xgboost.md 3.4
// (sagemaker_xgboost_container/checkpointing.py).
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/version_profile.h"
#include "model/tree_ensemble.h"

namespace espalier::learn {

inline constexpr int kCheckpointsKept = 5;

struct Checkpoint {
    model::TreeEnsemble model;
    int round = 0;  ///< the last one the model has
    std::string path;
};

/// The file's bytes, sealed.
std::string WriteCheckpoint(const model::TreeEnsemble& model);

/// The checkpoint of the greatest round that is whole; nothing when there is none. Damaged ones are told in `warnings`
/// and passed over.
std::optional<Checkpoint> ReadNewestCheckpoint(const std::string& folder, std::vector<std::string>& warnings);

/// Thread-compatible; it has a thread of its own.
class CheckpointWriter {
  public:
    /// `folder` exists, or is empty: no checkpoints; half written ones of a process that was killed are removed from
    /// it. model_path, if not empty, is overwritten by each model too.
    CheckpointWriter(std::string folder, std::string model_path, ModelRelease release = ModelRelease::k3_2);
    /// Finishes the write under way.
    ~CheckpointWriter();

    /// Takes a copy of the model after `round`, or passes it over. Never waits.
    void Offer(int round, const model::TreeEnsemble& model);
    /// Takes it for sure; waits for the write under way.
    void Insist(int round, const model::TreeEnsemble& model);

    /// The first failure to write since the last call, if any; writing goes on with later rounds.
    std::optional<Error> TakeError();

  private:
    using Clock = std::chrono::steady_clock;
    struct Job {
        int round = 0;
        model::TreeEnsemble model;
    };
    void Take(int round, const model::TreeEnsemble& model);
    void Work();
    Result<void> Write(const Job& job) const;

    const std::string folder_;
    const std::string model_path_;
    const ModelRelease model_release_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable idle_;
    std::optional<Job> job_;  ///< taken, not yet written
    bool busy_ = false;
    bool ending_ = false;
    Clock::time_point rests_until_{};
    std::optional<Error> error_;
    std::jthread thread_;
};

}  // namespace espalier::learn
