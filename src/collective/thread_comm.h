// ThreadComm: ranks are threads of one process, for tests and for `espalier train --instances N`.
//
// Steps of a collective: every rank shows the others its span; when all have come, each rank computes its own result
// from all spans; when all have computed, they go on. Two meetings per collective; an exchange of segments lets the
// caller compute, and its second meeting is the first of the next collective.
// A rank that calls Abort(), or whose ThreadComm is destroyed, wakes the others with kUnavailable.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>

#include "collective/comm.h"

namespace espalier::collective {

class ThreadComm final : public Comm {
  public:
    struct Options {
        int size = 1;
        std::chrono::milliseconds deadline = std::chrono::minutes(10);
    };
    /// One communicator for each rank, in rank order; hand each to its thread.
    static std::vector<std::unique_ptr<ThreadComm>> CreateGroup(const Options& options);
    ~ThreadComm() override { Abort(); }

    int rank() const override { return rank_; }
    int size() const override;
    Result<void> AllReduceSum(std::span<std::int64_t> values) override;
    Result<void> AllReduceMax(std::span<double> values) override;
    Result<void> AllReduceMax(std::span<std::int64_t> values) override;
    Result<std::vector<std::span<const std::int64_t>>> ExchangeSegments(std::span<const std::int64_t> values,
                                                                        std::span<const std::size_t> counts) override;
    Result<std::vector<std::vector<std::byte>>> AllGatherV(std::span<const std::byte> bytes) override;
    Result<void> Broadcast(std::span<std::byte> bytes, int root) override;
    Result<void> Barrier() override;

    /// Ends the group: ranks that wait, now or later, get kUnavailable.
    void Abort();

  private:
    struct Shared;
    ThreadComm(std::shared_ptr<Shared> shared, int rank) : shared_(std::move(shared)), rank_(rank) {}

    /// Waits until every rank has called it as often.
    Result<void> Meet();
    /// Shows `bytes` to the others and meets; what they show is then valid until the next Meet().
    Result<void> Show(std::span<const std::byte> bytes);
    /// What `rank` shows.
    std::span<const std::byte> ShownBy(int rank) const;
    template <typename T, typename Combine>
    Result<void> AllReduce(std::span<T> values, Combine combine);

    std::shared_ptr<Shared> shared_;
    int rank_;
    std::size_t num_shows_ = 0;
};

}  // namespace espalier::collective
