// MpiComm: one process per rank, started by mpirun or srun; talks MPI.
//
// MPI is initialised by Create only, so that a lone instance never pays for it. Collectives are started without
// blocking and polled, so that a wait can end: at the deadline, or a moment after `*ending` became true (mpirun sends
// SIGTERM to the ranks that remain when one has died, and kills them a second later), or when a rank of the same
// machine has given no sign of life for a while. Signs of life are counters in memory that the ranks of a machine
// share, which a thread of each rank moves; so a rank that computes for long is alive and one that is stopped or
// swapped out is not. After an error the process should report and leave through Exit, because MPI_Finalize would wait
// for ranks that are gone.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/progress_mark.h"
#include "collective/comm.h"

namespace espalier::collective {

class MpiComm final : public Comm {
  public:
    struct Options {
        std::chrono::milliseconds deadline = std::chrono::minutes(30);
        std::chrono::milliseconds silence_max = std::chrono::seconds(15);
        const std::atomic<bool>* ending = nullptr;  ///< set by a signal handler; may be null; must outlive the object
        std::vector<std::string> names = {};        ///< of the ranks, for messages; may be empty
        ProgressMark* mark = nullptr;               ///< says that others are waited for; may be null; borrowed
    };
    /// True when the environment is that of a process started by mpirun, srun or another MPI launcher.
    static bool StartedByLauncher();

    /// Initialises MPI. kUnavailable with MPI's own text when it does not come up. At most once per process.
    static Result<std::unique_ptr<MpiComm>> Create(const Options& options);
    ~MpiComm() override;

    /// Leaves the process: cleanly with MPI_Finalize when `code` is 0, else by MPI_Abort, which ends all ranks.
    [[noreturn]] void Exit(int code);

    int rank() const override { return rank_; }
    int size() const override { return size_; }
    Result<void> AllReduceSum(std::span<std::int64_t> values) override;
    Result<void> AllReduceMax(std::span<double> values) override;
    Result<void> AllReduceMax(std::span<std::int64_t> values) override;
    Result<std::vector<std::span<const std::int64_t>>> ExchangeSegments(std::span<const std::int64_t> values,
                                                                        std::span<const std::size_t> counts) override;
    Result<std::vector<std::vector<std::byte>>> AllGatherV(std::span<const std::byte> bytes) override;
    Result<void> Broadcast(std::span<std::byte> bytes, int root) override;
    Result<void> Barrier() override;

  private:
    explicit MpiComm(const Options& options);
    /// Polls `request` (an MPI_Request*) to its end.
    Result<void> Wait(void* request, int started);

    /// Leaves MPI; every rank does.
    void Finalize();

    Options options_;
    std::unique_ptr<class SignsOfLife> signs_;
    int rank_ = 0;
    int size_ = 1;
    std::chrono::steady_clock::time_point crowded_until_{};  ///< waits sleep at once until then
    bool dead_ = false;
    std::vector<std::int64_t> received_;  ///< segments of the others
};

}  // namespace espalier::collective
