// Alarms and what became of them, in SQL. What an alarm looks at is a JSON document of the caller's.
//
// The history keeps kHistoryItemsMax items of a scope, the newest. Thread-safe.
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

struct AlarmRecord {
    Scope scope;
    std::string name;
    std::string document;  ///< JSON
    std::string state;     ///< "OK", "ALARM", "INSUFFICIENT_DATA"
    std::string state_reason;
    std::string state_data;  ///< JSON or ""
    UnixMillis configured_at = 0;
    UnixMillis updated_at = 0;       ///< of the state or its reason
    UnixMillis transitioned_at = 0;  ///< of the last change from one state to another
};

struct AlarmHistoryItem {
    std::int64_t id = 0;  ///< given by the database; grows with time
    Scope scope;
    std::string name;
    UnixMillis time = 0;
    std::string kind;  ///< "ConfigurationUpdate", "StateUpdate"
    std::string summary;
    std::string data;  ///< JSON
};

struct AlarmListQuery {
    Scope scope;
    std::string name_prefix = {};
    std::string state = {};  ///< "" = any
    std::string after = {};  ///< names behind this one
    std::size_t limit = 100;
};

struct AlarmHistoryQuery {
    Scope scope;
    std::string name = {};  ///< "" = of all alarms
    std::string kind = {};  ///< "" = any
    std::optional<UnixMillis> from = {};
    std::optional<UnixMillis> to = {};  ///< exclusive
    bool newest_first = true;
    std::optional<std::int64_t> after_id = {};  ///< behind this item in the order asked for
    std::size_t limit = 100;
};

class Alarms {
  public:
    static constexpr int kHistoryItemsMax = 10'000;

    /// `database` is borrowed.
    explicit Alarms(Database& database) : database_(database) {}

    /// Makes or replaces an alarm, with an item for the history.
    Result<void> Put(const AlarmRecord& alarm, const AlarmHistoryItem& item);
    /// Changes the state only when the alarm still has `configured_at` and `updated_at` as in `alarm_before`; false
    /// when somebody else was first or the alarm is gone. `item` is noted when given.
    Result<bool> SetState(const AlarmRecord& alarm_before, const AlarmRecord& alarm,
                          const std::optional<AlarmHistoryItem>& item);
    /// False when there is none of that name.
    Result<bool> Delete(const Scope& scope, const std::string& name, const AlarmHistoryItem& item);
    Result<std::optional<AlarmRecord>> Find(const Scope& scope, const std::string& name);
    /// By name.
    Result<std::vector<AlarmRecord>> List(const AlarmListQuery& query);
    /// Of every scope.
    Result<std::vector<AlarmRecord>> All();
    Result<std::vector<AlarmHistoryItem>> History(const AlarmHistoryQuery& query);

  private:
    Database& database_;
};

}  // namespace espalier::meta
