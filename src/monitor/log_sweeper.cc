#include "monitor/log_sweeper.h"

#include <condition_variable>
#include <mutex>

#include "base/log.h"

namespace espalier::monitor {
namespace {

/// Calls `drop` until it says that nothing is left.
template <typename Drop>
void DropAll(const std::stop_token& stop, const Drop& drop) {
    while (!stop.stop_requested()) {
        const Result<bool> more = drop();
        if (!more) LOG_ERROR("log events cannot be dropped", {"error", more.error().ToString()});
        if (!more || !*more) return;
    }
}

}  // namespace

LogSweeper::LogSweeper(meta::Database& database, const Clock& clock)
    : sweep_(database), clock_(clock), thread_([this](const std::stop_token& stop) { Run(stop); }) {}

void LogSweeper::Run(const std::stop_token& stop) {
    std::mutex waiting;
    std::unique_lock lock(waiting);
    std::condition_variable_any wake;
    UnixMillis expired_at = 0;
    while (!stop.stop_requested()) {
        DropAll(stop, [&] { return sweep_.DropDeleted(kEventsPerTransaction); });
        const UnixMillis now = clock_.WallMillis();
        if (now - expired_at >= kExpireEveryMillis) {
            expired_at = now;
            DropAll(stop, [&] { return sweep_.DropExpired(now, kEventsPerTransaction); });
        }
        wake.wait_for(lock, stop, kTick, [] { return false; });
    }
}

}  // namespace espalier::monitor
