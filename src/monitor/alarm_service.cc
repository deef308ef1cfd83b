#include "monitor/alarm_service.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/log.h"

namespace espalier::monitor {
namespace {

using Json = nlohmann::json;

constexpr UnixMillis kDropEveryMillis = 3'600'000;

std::string IsoTime(UnixMillis time) {
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}+0000", fmt::gmtime(static_cast<std::time_t>(time / 1000)),
                       time % 1000);
}

std::string Dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// The newest points that count, newest first, as CloudWatch words them: "9.0 (26/11/26 07:30:00)".
std::vector<std::string> PointTexts(const AlarmSpec& spec, UnixMillis range_end,
                                    const std::vector<std::optional<double>>& points) {
    std::vector<std::string> texts;
    UnixMillis begin = range_end;
    for (auto point = points.rbegin(); point != points.rend(); ++point) {
        begin -= spec.period_ms;
        if (!*point || texts.size() == static_cast<std::size_t>(spec.rule.evaluation_periods)) continue;
        texts.push_back(fmt::format("{} ({:%d/%m/%y %H:%M:%S})", Dump(Json(**point)),
                                    fmt::gmtime(static_cast<std::time_t>(begin / 1000))));
    }
    return texts;
}

std::string ReasonFor(const AlarmSpec& spec, AlarmState before, AlarmState now, UnixMillis range_end,
                      const std::vector<std::optional<double>>& points) {
    const std::vector<std::string> texts = PointTexts(spec, range_end, points);
    const int n = spec.rule.evaluation_periods;
    if (now == AlarmState::kInsufficientData)
        return fmt::format("Insufficient Data: {} datapoint{} unknown.", n, n == 1 ? " was" : "s were");
    if (texts.empty())
        return fmt::format(
            "Threshold Crossed: no datapoints were received for {} period{} and missing data were taken "
            "as {}.",
            n, n == 1 ? "" : "s", now == AlarmState::kAlarm ? "breaching" : "not breaching");
    const bool crossed = now == AlarmState::kAlarm;
    return fmt::format(
        "Threshold Crossed: {} out of the last {} datapoints [{}] {} {}{} ({}) (minimum {} datapoint{} "
        "for {} -> {} transition).",
        texts.size(), n, fmt::join(texts, ", "), texts.size() == 1 ? "was" : "were", crossed ? "" : "not ",
        InWords(spec.rule.comparison), Dump(Json(spec.rule.threshold)), spec.rule.datapoints_to_alarm,
        spec.rule.datapoints_to_alarm == 1 ? "" : "s", ToString(before), ToString(now));
}

std::string ReasonData(const AlarmSpec& spec, UnixMillis now, UnixMillis range_end,
                       const std::vector<std::optional<double>>& points) {
    Json recent = Json::array();
    for (const std::optional<double>& point : points)
        if (point) recent.push_back(*point);
    Json data = {{"version", "1.0"},
                 {"queryDate", IsoTime(now)},
                 {"startDate", IsoTime(range_end - static_cast<UnixMillis>(points.size()) * spec.period_ms)},
                 {"period", spec.period_ms / 1000},
                 {"recentDatapoints", recent},
                 {"threshold", spec.rule.threshold}};
    if (const MetricStat* watched = spec.statistic()) data["statistic"] = watched->statistic.text();
    return Dump(data);
}

Json StateJson(const meta::AlarmRecord& alarm) {
    Json state = {{"stateValue", alarm.state}, {"stateReason", alarm.state_reason}};
    const Json data = Json::parse(alarm.state_data, nullptr, /*allow_exceptions=*/false);
    if (data.is_object()) state["stateReasonData"] = data;
    return state;
}

Error NoSuchAlarm(const std::string& name) {
    return {ErrorCode::kNotFound, fmt::format("There is no alarm named {}.", name)};
}

}  // namespace

AlarmService::AlarmService(const Options& options) : options_(options), alarms_(*options.database) {
    if (options_.tick.count() > 0) thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

Result<void> AlarmService::Put(const meta::Scope& scope, const std::string& name, const Json& request) {
    TRY(ParseAlarmSpec(scope, request));
    const UnixMillis now = options_.clock->WallMillis();
    std::optional<meta::AlarmRecord> known = TRY(alarms_.Find(scope, name));
    meta::AlarmRecord alarm = known.value_or(meta::AlarmRecord{
        .scope = scope,
        .name = name,
        .document = {},
        .state = std::string(ToString(AlarmState::kInsufficientData)),
        .state_reason = "Unchecked: Initial alarm creation",
        .state_data = "",
        .configured_at = now,
        .updated_at = now,
        .transitioned_at = now,
    });
    // Strictly later, so that a judgement of the old configuration cannot be taken for one of the new.
    alarm.configured_at = std::max(now, alarm.configured_at + (known ? 1 : 0));
    alarm.document = Dump(request);
    const Json data = {
        {"version", "1.0"}, {"type", known ? "Update" : "Create"}, {known ? "updatedAlarm" : "createdAlarm", request}};
    return alarms_.Put(alarm, {.scope = scope,
                               .name = name,
                               .time = now,
                               .kind = "ConfigurationUpdate",
                               .summary = fmt::format("Alarm \"{}\" {}", name, known ? "updated" : "created"),
                               .data = Dump(data)});
}

Result<bool> AlarmService::Change(const meta::AlarmRecord& alarm, AlarmState state, const std::string& reason,
                                  const std::string& reason_data) {
    meta::AlarmRecord changed = alarm;
    const UnixMillis now = std::max(options_.clock->WallMillis(), alarm.updated_at + 1);
    changed.state = ToString(state);
    changed.state_reason = reason;
    changed.state_data = reason_data;
    changed.updated_at = now;
    if (changed.state != alarm.state) changed.transitioned_at = now;
    std::optional<meta::AlarmHistoryItem> item;
    if (changed.state != alarm.state) {
        const Json data = {{"version", "1.0"}, {"oldState", StateJson(alarm)}, {"newState", StateJson(changed)}};
        item = {.scope = alarm.scope,
                .name = alarm.name,
                .time = now,
                .kind = "StateUpdate",
                .summary = fmt::format("Alarm updated from {} to {}", alarm.state, changed.state),
                .data = Dump(data)};
        LOG_INFO("alarm changed", {"alarm", alarm.name}, {"from", alarm.state}, {"to", changed.state});
    }
    return alarms_.SetState(alarm, changed, item);
}

Result<void> AlarmService::SetState(const meta::Scope& scope, const std::string& name, AlarmState state,
                                    const std::string& reason, const std::string& reason_data) {
    while (true) {
        std::optional<meta::AlarmRecord> alarm = TRY(alarms_.Find(scope, name));
        if (!alarm) return NoSuchAlarm(name);
        const bool changed = TRY(Change(*alarm, state, reason, reason_data));
        if (changed) return {};
    }
}

Result<bool> AlarmService::Delete(const meta::Scope& scope, const std::vector<std::string>& names) {
    for (const std::string& name : names) {
        const std::optional<meta::AlarmRecord> alarm = TRY(alarms_.Find(scope, name));
        if (!alarm) return false;
    }
    for (const std::string& name : names) {
        TRY(alarms_.Delete(scope, name,
                           {.scope = scope,
                            .name = name,
                            .time = options_.clock->WallMillis(),
                            .kind = "ConfigurationUpdate",
                            .summary = fmt::format("Alarm \"{}\" deleted", name),
                            .data = Dump({{"version", "1.0"}, {"type", "Delete"}})}));
    }
    return true;
}

Result<std::optional<meta::AlarmRecord>> AlarmService::Find(const meta::Scope& scope, const std::string& name) const {
    return alarms_.Find(scope, name);
}

Result<std::vector<meta::AlarmRecord>> AlarmService::List(const meta::AlarmListQuery& query) const {
    return alarms_.List(query);
}

Result<std::vector<meta::AlarmHistoryItem>> AlarmService::History(const meta::AlarmHistoryQuery& query) const {
    return alarms_.History(query);
}

Result<AlarmService::Judged> AlarmService::PointsOf(const AlarmSpec& spec, const meta::AlarmRecord& alarm,
                                                    UnixMillis now) const {
    const UnixMillis range_end = now - now % spec.period_ms;
    auto points = TRY(ReadAlarmPoints(*options_.metrics, spec, range_end, spec.rule.range()));
    return Judged{.configured_at = alarm.configured_at, .range_end = range_end, .points = std::move(points)};
}

Result<void> AlarmService::EvaluateOne(const meta::AlarmRecord& alarm) {
    const Json request = Json::parse(alarm.document, nullptr, /*allow_exceptions=*/false);
    const AlarmSpec spec = TRY(ParseAlarmSpec(alarm.scope, request));
    const UnixMillis now = options_.clock->WallMillis();
    Judged judged = TRY(PointsOf(spec, alarm, now));
    Judged& last = judged_[{alarm.scope, alarm.name}];
    if (judged == last) return {};
    last = judged;
    const AlarmState before = AlarmStateOf(alarm.state).value_or(AlarmState::kInsufficientData);
    const std::optional<AlarmState> state = Evaluate(spec.rule, judged.points);
    if (!state || *state == before) return {};
    const bool changed = TRY(Change(alarm, *state, ReasonFor(spec, before, *state, judged.range_end, judged.points),
                                    ReasonData(spec, now, judged.range_end, judged.points)));
    // Somebody else changed it meanwhile: look again.
    if (!changed) judged_.erase({alarm.scope, alarm.name});
    return {};
}

void AlarmService::EvaluateAll() {
    std::lock_guard lock(mutex_);
    Result<std::vector<meta::AlarmRecord>> alarms = alarms_.All();
    if (!alarms) {
        LOG_ERROR("alarms cannot be read", {"error", alarms.error().ToString()});
        return;
    }
    std::set<AlarmId> known;
    for (const meta::AlarmRecord& alarm : *alarms) {
        known.insert({alarm.scope, alarm.name});
        if (Result<void> done = EvaluateOne(alarm); !done)
            LOG_ERROR("an alarm cannot be evaluated", {"alarm", alarm.name}, {"error", done.error().ToString()});
    }
    std::erase_if(judged_, [&](const auto& each) { return !known.contains(each.first); });
    const UnixMillis now = options_.clock->WallMillis();
    if (now - dropped_at_ < kDropEveryMillis) return;
    dropped_at_ = now;
    if (Result<void> dropped = options_.metrics->DropOld(now); !dropped)
        LOG_ERROR("old metrics cannot be dropped", {"error", dropped.error().ToString()});
}

void AlarmService::Run(const std::stop_token& stop) {
    std::mutex waiting;
    std::unique_lock lock(waiting);
    while (!stop.stop_requested()) {
        EvaluateAll();
        wake_.wait_for(lock, stop, options_.tick, [] { return false; });
    }
}

}  // namespace espalier::monitor
