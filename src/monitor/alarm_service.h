// Alarms over metrics: kept, evaluated, told of.
//
// A thread looks at every alarm about once a second. An alarm is judged anew when one of its periods has ended or when
// values came into the periods it looks at; between that a state given by SetState stands. Only whole periods count.
// State, reason and history are one committed change. Alarms call nothing: who wants to know asks.
// Thread-safe. Source: the CloudWatch API reference; alarm_rule.h.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "meta/alarms.h"
#include "monitor/alarm_spec.h"
#include "monitor/metrics.h"

namespace espalier::monitor {

class AlarmService {
  public:
    struct Options {
        meta::Database* database = nullptr;  ///< borrowed, as all of these
        Metrics* metrics = nullptr;
        const Clock* clock = nullptr;
        /// How often the thread looks; 0 = there is no thread, EvaluateAll is the caller's to call.
        std::chrono::milliseconds tick{1000};
    };
    explicit AlarmService(const Options& options);

    /// Makes or replaces the alarm that `request` (PutMetricAlarm) describes; a replaced one keeps its state.
    /// kInvalidArgument as ParseAlarmSpec.
    Result<void> Put(const meta::Scope& scope, const std::string& name, const nlohmann::json& request);
    /// kNotFound.
    Result<void> SetState(const meta::Scope& scope, const std::string& name, AlarmState state,
                          const std::string& reason, const std::string& reason_data);
    /// Those that are there; others are passed over. False when one of the names is of no alarm: nothing is deleted.
    Result<bool> Delete(const meta::Scope& scope, const std::vector<std::string>& names);
    Result<std::optional<meta::AlarmRecord>> Find(const meta::Scope& scope, const std::string& name) const;
    Result<std::vector<meta::AlarmRecord>> List(const meta::AlarmListQuery& query) const;
    Result<std::vector<meta::AlarmHistoryItem>> History(const meta::AlarmHistoryQuery& query) const;

    /// One look at every alarm.
    void EvaluateAll();

  private:
    /// What an alarm was judged by.
    struct Judged {
        UnixMillis configured_at = 0;
        UnixMillis range_end = 0;
        std::vector<std::optional<double>> points;
        bool operator==(const Judged&) const = default;
    };
    using AlarmId = std::pair<meta::Scope, std::string>;

    Result<void> EvaluateOne(const meta::AlarmRecord& alarm);
    Result<Judged> PointsOf(const AlarmSpec& spec, const meta::AlarmRecord& alarm, UnixMillis now) const;
    Result<bool> Change(const meta::AlarmRecord& alarm, AlarmState state, const std::string& reason,
                        const std::string& reason_data);
    void Run(const std::stop_token& stop);

    const Options options_;
    mutable meta::Alarms alarms_;

    std::mutex mutex_;  // one look at a time
    std::condition_variable_any wake_;
    std::map<AlarmId, Judged> judged_;  // guarded by mutex_
    UnixMillis dropped_at_ = 0;         // guarded by mutex_: when old metrics were last dropped
    std::jthread thread_;
};

}  // namespace espalier::monitor
