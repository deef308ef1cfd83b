// Comm: how the training instances of one job talk. Every call is collective: all ranks call the same functions in the
// same order with the same shapes; the result is the same bytes on every rank.
//
// Nouns: rank (0 … size-1, one per training instance), collective (one call, made by all).
// Implementations: SelfComm (one rank, does nothing), ThreadComm (ranks are threads of this process), MpiComm.
//
// Failure, said honestly: there is no recovery. A rank that errs before a collective leaves the others waiting; they
// give up with kUnavailable after Options::deadline, or at once when the implementation can see that a rank is gone
// (ThreadComm: Abort() or a destroyed rank; MpiComm: mpirun ends the job, and a rank that is told to end while it waits
// gives up after a moment). After any error the communicator is dead and every later call returns kUnavailable.
// Sums are of integers, hence exact and independent of the order in which ranks are added.
// Confined to the rank's main thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"

namespace espalier::collective {

class Comm {
  public:
    virtual ~Comm() = default;

    virtual int rank() const = 0;
    virtual int size() const = 0;

    /// values[i] becomes the sum over ranks, modulo 2^64; callers prove that it does not overflow.
    virtual Result<void> AllReduceSum(std::span<std::int64_t> values) = 0;
    /// values[i] becomes the greatest over ranks. No NaN.
    virtual Result<void> AllReduceMax(std::span<double> values) = 0;
    virtual Result<void> AllReduceMax(std::span<std::int64_t> values) = 0;

    /// Segment rank() of every rank's `values`, in rank order, where segment r has counts[r] values and they lie one
    /// after another: a reduce-scatter that leaves adding up to the caller, who does it where he needs the sums. Half
    /// the traffic of an AllReduceSum. What is returned is valid until this rank's next call, and nobody changes
    /// `values` before that has returned.
    virtual Result<std::vector<std::span<const std::int64_t>>> ExchangeSegments(
        std::span<const std::int64_t> values, std::span<const std::size_t> counts) = 0;

    /// Everybody's bytes, in rank order. Lengths may differ and may be 0.
    virtual Result<std::vector<std::vector<std::byte>>> AllGatherV(std::span<const std::byte> bytes) = 0;

    /// `bytes` of rank `root` on every rank; the length is the same everywhere.
    virtual Result<void> Broadcast(std::span<std::byte> bytes, int root) = 0;

    virtual Result<void> Barrier() = 0;

    /// Bytes this rank has handed to others so far, counted as a ring would send them: an all-reduce of n bytes among R
    /// ranks is 2 n (R-1)/R, an exchange of segments or an all-gather half of that.
    std::uint64_t bytes_sent() const { return bytes_sent_; }

  protected:
    std::uint64_t bytes_sent_ = 0;
};

}  // namespace espalier::collective
