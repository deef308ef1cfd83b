// The thread that frees what log groups no longer keep: of what was deleted within a second, of what has expired within
// a minute. Reads leave both out before that.
//
// A crash costs nothing: what is left is dropped by the next server. Thread-safe.
#pragma once

#include <chrono>
#include <stop_token>
#include <thread>

#include "base/clock.h"
#include "meta/log_sweep.h"

namespace espalier::monitor {

class LogSweeper {
  public:
    static constexpr std::chrono::seconds kTick{1};
    static constexpr UnixMillis kExpireEveryMillis = 60'000;
    static constexpr std::int64_t kEventsPerTransaction = 5'000;

    /// Both borrowed. Starts the thread.
    LogSweeper(meta::Database& database, const Clock& clock);

  private:
    void Run(const std::stop_token& stop);

    meta::LogSweep sweep_;
    const Clock& clock_;
    std::jthread thread_;
};

}  // namespace espalier::monitor
