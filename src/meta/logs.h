// CloudWatch log streams: named sequences of events inside groups, kept in the order they were written.
//
// An event's place in its stream (from 0, without gaps) is its identity and the cursor clients read by, so a cursor
// stays valid for ever, also when events have expired. Appends to one stream come from one writer at a time.
// Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "meta/database.h"
#include "meta/scope.h"

namespace espalier::meta {

struct LogEvent {
    std::int64_t position = 0;  ///< given by Append
    UnixMillis time = 0;
    UnixMillis ingested_at = 0;
    std::string message;
};

struct LogStream {
    std::int64_t id = 0;
    std::string group;
    std::string name;
    UnixMillis created_at = 0;
    UnixMillis first_event_at = 0;  ///< of those that have not expired; 0 without any
    UnixMillis last_event_at = 0;   ///< 0 without events, as is the next one
    UnixMillis last_ingested_at = 0;
    std::int64_t end_position = 0;  ///< one past that of the last event, expired or not
};

/// Where a page of streams ended.
struct LogStreamPlace {
    UnixMillis last_event_at = 0;  ///< read when streams are listed by it
    std::string name;
};

struct LogStreamQuery {
    Scope scope;
    std::string group;
    std::string name_prefix = {};
    bool by_last_event = false;  ///< else by name
    bool descending = false;
    std::uint32_t limit = 50;
    std::optional<LogStreamPlace> after = {};
};

struct LogEventQuery {
    std::int64_t stream_id = 0;
    std::optional<UnixMillis> start_time = {};  ///< inclusive
    std::optional<UnixMillis> end_time = {};    ///< exclusive
    std::optional<std::int64_t> from = {};      ///< positions at or after this one
    std::optional<std::int64_t> before = {};    ///< positions before this one
    bool newest_first = false;                  ///< which end the limit cuts; the result is oldest first in any case
    std::uint32_t limit = 10000;
};

class Logs {
  public:
    /// `database` is borrowed.
    explicit Logs(Database& database) : database_(database) {}

    /// The id of the stream, made when it is new.
    Result<std::int64_t> OpenStream(const Scope& scope, const std::string& group, const std::string& name,
                                    UnixMillis now);
    /// Adds events at the end, in one transaction. Their `position` is not read. kNotFound when the stream is deleted.
    Result<void> Append(std::int64_t stream_id, std::span<const LogEvent> events);
    /// As both together, and in one transaction; without events nothing is made.
    Result<void> Append(const Scope& scope, const std::string& group, const std::string& name,
                        std::span<const LogEvent> events);

    /// kNotFound when the scope has no stream of that name.
    Result<LogStream> FindStream(const Scope& scope, const std::string& group, const std::string& name);
    /// At most limit streams.
    Result<std::vector<LogStream>> Streams(const LogStreamQuery& query);
    Result<std::vector<LogEvent>> Events(const LogEventQuery& query);

  private:
    Database& database_;
};

}  // namespace espalier::meta
