// CloudWatch log groups: made, found, how long their events are kept, deleted.
//
// A group is made by hand or with its first stream. Deleting takes the group or stream from sight in one transaction,
// however much it holds; what it held is dropped piece by piece (meta/log_sweep.h), also after a crash. Ids of groups
// and streams are never given twice, so whoever held a deleted one's finds nothing. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "meta/database.h"
#include "meta/scope.h"

namespace espalier::meta {

struct LogGroup {
    std::int64_t id = 0;
    std::string name = {};
    UnixMillis created_at = 0;
    std::int64_t retention_days = 0;  ///< 0 = for ever

    /// Events before this time have expired; nullopt where none ever do.
    std::optional<UnixMillis> OldestKept(UnixMillis now) const;
};

/// A new id of a group or a stream, inside a transaction of the caller's.
std::int64_t NextLogId(soci::session& sql);
/// The id of the group, which is made when it is new, inside a transaction of the caller's.
std::int64_t FindOrMakeLogGroup(soci::session& sql, const Scope& scope, const std::string& name, UnixMillis now);

class LogGroups {
  public:
    /// `database` is borrowed.
    explicit LogGroups(Database& database) : database_(database) {}

    /// kAlreadyExists when there is one of that name.
    Result<void> Create(const Scope& scope, const std::string& name, UnixMillis now);
    Result<std::optional<LogGroup>> Find(const Scope& scope, const std::string& name);
    /// Those whose names start with `prefix`, by name, behind `after`.
    Result<std::vector<LogGroup>> List(const Scope& scope, const std::string& prefix, const std::string& after,
                                       std::uint32_t limit);
    /// 0 days = for ever. These three: kNotFound when there is none of that name.
    Result<void> SetRetention(const Scope& scope, const std::string& name, std::int64_t days);
    /// With all its streams.
    Result<void> Delete(const Scope& scope, const std::string& name);
    Result<void> DeleteStream(const Scope& scope, const std::string& group, const std::string& name);

  private:
    Database& database_;
};

}  // namespace espalier::meta
