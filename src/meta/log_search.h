// Events of all streams of a group together, by time. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "meta/database.h"
#include "meta/logs.h"
#include "meta/scope.h"

namespace espalier::meta {

/// An event and the stream it is of.
struct FoundLogEvent {
    std::int64_t stream_id = 0;
    std::string stream;
    LogEvent event;
};

/// Where a search stands: behind this event.
struct LogPlace {
    UnixMillis time = 0;
    std::int64_t stream_id = 0;
    std::int64_t position = 0;
};

struct FoundLogEvents {
    std::vector<FoundLogEvent> events;
    std::optional<LogPlace> next = {};  ///< set when there may be more events
};

struct LogSearchQuery {
    Scope scope;
    std::string group;
    std::vector<std::string> streams = {};      ///< empty = all
    std::string stream_prefix = {};             ///< of the names; "" = any
    std::optional<UnixMillis> start_time = {};  ///< inclusive
    std::optional<UnixMillis> end_time = {};    ///< inclusive
    std::optional<LogPlace> after = {};
    std::uint32_t limit = 10'000;
};

inline constexpr std::size_t kMergedStreamsMax = 100;

class LogSearch {
  public:
    /// `database` is borrowed.
    explicit LogSearch(Database& database) : database_(database) {}

    /// Oldest first. Up to kMergedStreamsMax streams are merged, of more the whole group is followed; both read some
    /// `limit` events, so that an answer may hold fewer than there are, even none.
    Result<FoundLogEvents> Find(const LogSearchQuery& query);

  private:
    Database& database_;
};

}  // namespace espalier::meta
