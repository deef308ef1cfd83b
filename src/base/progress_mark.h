// ProgressMark: where a process shows whoever watches it that it gets on.
//
//   mark.Move();                        // a task, a block, a collective is done
//   const ProgressMark::Wait wait(&mark);   // from here to the end of the scope somebody else is waited for
//
// A move is made by the thread that did the work, after the work: a thread that only keeps time would say nothing. Who
// watches must allow for the longest time between two moves, which the process states (patience): steps that move
// nothing are at most a few passes over the data. The record is 64 bytes of a file in memory (/dev/shm), made by who
// watches and mapped by who works, so moving it costs one atomic addition and looking at it costs the worker nothing.
// Without a file the record is the mark's own and nobody sees it. Thread-safe; marks are not copied or moved.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"

namespace espalier {

class ProgressMark {
  public:
    /// What is in the file.
    struct Record {
        std::atomic<std::uint64_t> num_moves{0};
        std::atomic<std::int64_t> patience_ms{0};  ///< the longest computing without a move; 0 = not stated
        std::atomic<std::int32_t> pid{0};          ///< 0 until the process has found its mark
        std::atomic<std::int32_t> num_waits{0};    ///< scopes that wait for somebody else
        char unused[40] = {};
    };
    static_assert(sizeof(Record) == 64 && std::atomic<std::uint64_t>::is_always_lock_free);

    /// What a look at the file says.
    struct Seen {
        std::uint64_t num_moves = 0;
        std::chrono::milliseconds patience{0};
        int pid = 0;
        bool waits = false;
    };

    /// Nobody watches.
    ProgressMark() : record_(&own_) {}
    ~ProgressMark();
    ProgressMark(const ProgressMark&) = delete;
    ProgressMark& operator=(const ProgressMark&) = delete;

    /// Makes the file of a mark; its space is there before it is mapped, so that a full disk is noticed here. kIo.
    static Result<void> MakeFile(const std::string& path);
    /// The mark of this process in a file that was made for it; one that nobody sees without a path. kIo.
    static Result<std::unique_ptr<ProgressMark>> InFile(const std::string& path);
    /// Nothing when there is no such file.
    static std::optional<Seen> LookAt(const std::string& path);

    void Move() { record_->num_moves.fetch_add(1, std::memory_order_relaxed); }
    void StatePatience(std::chrono::milliseconds patience) {
        record_->patience_ms.store(patience.count(), std::memory_order_relaxed);
    }

    class Wait {
      public:
        explicit Wait(ProgressMark* mark) : mark_(mark) {
            if (mark_ != nullptr) mark_->record_->num_waits.fetch_add(1, std::memory_order_relaxed);
        }
        /// The wait is over: that is a move.
        ~Wait() {
            if (mark_ == nullptr) return;
            mark_->Move();
            mark_->record_->num_waits.fetch_sub(1, std::memory_order_relaxed);
        }
        Wait(const Wait&) = delete;
        Wait& operator=(const Wait&) = delete;

      private:
        ProgressMark* mark_;
    };

  private:
    explicit ProgressMark(Record* record) : record_(record) {}

    Record own_;
    Record* record_;
};

}  // namespace espalier
