// Runs a load on several threads: pieces are read one after another, made into something at the same time, and taken in
// the order they were read. The first error in that order wins, so errors do not depend on the number of threads
// either.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/result.h"
#include "data/text_blocks.h"

namespace espalier::data {

/// Confined to one call of Run.
template <typename Made>
class BlockPipeline {
  public:
    struct Steps {
        std::function<Result<bool>(TextBlock&)> read;  ///< false: there is none left
        std::function<Result<Made>(const TextBlock&, int worker)> make;
        std::function<Result<void>(Made&&, const TextBlock&)> take;
    };

    explicit BlockPipeline(Steps steps) : steps_(std::move(steps)) {}

    /// num_threads: at least 1, the caller's included.
    Result<void> Run(int num_threads) {
        {
            std::vector<std::jthread> threads;
            for (int worker = 1; worker < num_threads; ++worker) threads.emplace_back([this, worker] { Work(worker); });
            Work(0);
        }
        if (error_) return std::move(*error_);
        return {};
    }

  private:
    void Work(int worker) {
        TextBlock block;
        for (;;) {
            std::uint64_t number = 0;
            std::optional<Result<Made>> made;
            {
                std::lock_guard lock(read_mutex_);
                if (reading_done_) return;
                Result<bool> more = steps_.read(block);
                reading_done_ = !more || !*more;
                // A failed read is a block too: its turn decides which error is the first.
                if (!more)
                    made = std::move(more).error();
                else if (!*more)
                    return;
                number = num_read_++;
            }
            if (!made) made = steps_.make(block, worker);
            if (!Deliver(number, std::move(*made), block)) return;
        }
    }

    // False when the load has ended with an error.
    bool Deliver(std::uint64_t number, Result<Made> made, const TextBlock& block) {
        std::unique_lock lock(deliver_mutex_);
        turn_.wait(lock, [&] { return error_.has_value() || num_delivered_ == number; });
        if (error_) return false;
        Result<void> taken = made ? steps_.take(std::move(*made), block) : Result<void>(std::move(made).error());
        if (!taken) {
            error_ = std::move(taken).error();
            std::lock_guard read_lock(read_mutex_);
            reading_done_ = true;
        }
        ++num_delivered_;
        turn_.notify_all();
        return !error_;
    }

    const Steps steps_;
    std::mutex read_mutex_;  // may be taken while deliver_mutex_ is held, never the other way round
    bool reading_done_ = false;
    std::uint64_t num_read_ = 0;
    std::mutex deliver_mutex_;
    std::condition_variable turn_;
    std::uint64_t num_delivered_ = 0;
    std::optional<Error> error_;
};

}  // namespace espalier::data
