// Drops log events that nobody can read any more: those of deleted streams and groups, those whose retention is over.
//
// Each call is one transaction of at most `events_max` events, so that others who write wait for no more than that.
// Freed pages of the database are used again; its file does not shrink. Thread-safe.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "base/result.h"
#include "meta/database.h"

namespace espalier::meta {

class LogSweep {
  public:
    /// `database` is borrowed.
    explicit LogSweep(Database& database) : database_(database) {}

    /// Of deleted streams, and the streams themselves. False when there is nothing left of that kind, as below.
    Result<bool> DropDeleted(std::int64_t events_max);
    /// Those that are too old at `now` for their groups' retention. Streams stay, also without events.
    Result<bool> DropExpired(UnixMillis now, std::int64_t events_max);

  private:
    Database& database_;
};

}  // namespace espalier::meta
