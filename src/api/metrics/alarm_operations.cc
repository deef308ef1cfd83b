#include "api/metrics/alarm_operations.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "api/list_token.h"
#include "api/metrics/metric_reading.h"
#include "meta/arn.h"

namespace espalier::api::metrics {
namespace {

using nlohmann::json;

constexpr std::size_t kRecordsMax = 100;  // of one DescribeAlarms or DescribeAlarmHistory

json AlarmJson(const meta::AlarmRecord& alarm) {
    json entry = json::parse(alarm.document);
    entry.erase("Tags");
    for (const char* actions : {"OKActions", "AlarmActions", "InsufficientDataActions", "Dimensions"})
        entry.emplace(actions, json::array());
    entry.emplace("ActionsEnabled", true);
    entry.emplace("TreatMissingData", "missing");
    entry["AlarmArn"] = AlarmArn(alarm.scope, alarm.name);
    entry["AlarmConfigurationUpdatedTimestamp"] = EpochSeconds(alarm.configured_at);
    entry["StateValue"] = alarm.state;
    entry["StateReason"] = alarm.state_reason;
    if (!alarm.state_data.empty()) entry["StateReasonData"] = alarm.state_data;
    entry["StateUpdatedTimestamp"] = EpochSeconds(alarm.updated_at);
    entry["StateTransitionedTimestamp"] = EpochSeconds(alarm.transitioned_at);
    return entry;
}

Outcome NoSuchAlarm() {
    return Outcome::Fail({.type = "ResourceNotFound", .message = "Alarm does not exist.", .status = 404});
}

Outcome PutMetricAlarm(monitor::AlarmService& alarms, const json& request, const meta::Scope& scope) {
    if (request.contains("Tags") && !request["Tags"].empty())
        return Outcome::Fail(InvalidValue("Tags is not supported: alarms have no tags."));
    Result<void> put = alarms.Put(scope, request["AlarmName"].get<std::string>(), request);
    if (put) return Outcome::Empty();
    if (put.error().code() == ErrorCode::kInvalidArgument) return Outcome::Fail(InvalidValue(put.error().message()));
    return Outcome::Internal(put.error(), "PutMetricAlarm");
}

/// The alarms a DescribeAlarms asks for by name, in the order of names.
Result<std::vector<meta::AlarmRecord>> FindNamed(monitor::AlarmService& alarms, const json& request,
                                                 const meta::Scope& scope) {
    std::vector<meta::AlarmRecord> found;
    for (const json& name : request["AlarmNames"]) {
        std::optional<meta::AlarmRecord> alarm = TRY(alarms.Find(scope, name.get<std::string>()));
        const std::string state = request.value("StateValue", "");
        if (alarm && (state.empty() || state == alarm->state)) found.push_back(std::move(*alarm));
    }
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return found;
}

/// Where to go on; an empty place at the beginning, nullopt for a token that is none of this list.
std::optional<ListPlace> PlaceOf(std::string_view operation, const json& request, const meta::Scope& scope) {
    if (!request.contains("NextToken")) return ListPlace();
    return ReadListToken(request["NextToken"].get<std::string>(), operation, scope, request);
}

Outcome BadToken() {
    return Outcome::Fail({.type = "InvalidNextToken", .message = "The NextToken is not one of this operation."});
}

Outcome DescribeAlarms(monitor::AlarmService& alarms, const json& request, const meta::Scope& scope) {
    const json types = request.value("AlarmTypes", json::array({"MetricAlarm"}));
    json answer = {{"MetricAlarms", json::array()}, {"CompositeAlarms", json::array()}};
    const bool named = request.contains("AlarmNames") && !request["AlarmNames"].empty();
    if (named && request.contains("AlarmNamePrefix"))
        return Outcome::Fail(BadCombination("Give AlarmNames or AlarmNamePrefix, not both."));
    // No alarm here has actions, parents or children, and none is composite.
    const bool of_others = request.contains("ChildrenOfAlarmName") || request.contains("ParentsOfAlarmName") ||
                           request.contains("ActionPrefix") ||
                           std::find(types.begin(), types.end(), "MetricAlarm") == types.end();
    if (of_others) return Outcome::Ok(answer);
    const std::size_t limit = request.value("MaxRecords", kRecordsMax);
    const auto place = PlaceOf("DescribeAlarms", request, scope);
    if (!place) return BadToken();
    auto found = named ? FindNamed(alarms, request, scope)
                       : alarms.List({.scope = scope,
                                      .name_prefix = request.value("AlarmNamePrefix", ""),
                                      .state = request.value("StateValue", ""),
                                      .after = place->row,
                                      .limit = limit + 1});
    if (!found) return Outcome::Internal(found.error(), "DescribeAlarms");
    if (found->size() > limit && !named)
        answer["NextToken"] =
            MakeListToken("DescribeAlarms", scope, request, {.sort_value = "", .row = (*found)[limit - 1].name});
    for (std::size_t i = 0; i < found->size() && (named || i < limit); ++i)
        answer["MetricAlarms"].push_back(AlarmJson((*found)[i]));
    return Outcome::Ok(answer);
}

/// Whether the alarm's document has the values of those members that `request` gives.
bool IsFor(const json& alarm, const json& request, const std::map<std::string, std::string>& dimensions) {
    for (const char* member : {"Namespace", "MetricName", "Statistic", "ExtendedStatistic", "Period", "Unit"})
        if (request.contains(member) && alarm.value(member, json()) != request[member]) return false;
    const auto own = DimensionsOf(alarm);
    const auto* known = std::get_if<std::map<std::string, std::string>>(&own);
    return known != nullptr && *known == dimensions;
}

Outcome DescribeAlarmsForMetric(monitor::AlarmService& alarms, const json& request, const meta::Scope& scope) {
    const auto dimensions = DimensionsOf(request);
    if (const auto* error = std::get_if<WireError>(&dimensions)) return Outcome::Fail(*error);
    json answer = {{"MetricAlarms", json::array()}};
    meta::AlarmListQuery query{.scope = scope};
    while (true) {
        auto page = alarms.List(query);
        if (!page) return Outcome::Internal(page.error(), "DescribeAlarmsForMetric");
        for (const meta::AlarmRecord& alarm : *page)
            if (IsFor(json::parse(alarm.document), request, std::get<std::map<std::string, std::string>>(dimensions)))
                answer["MetricAlarms"].push_back(AlarmJson(alarm));
        if (page->size() < query.limit) return Outcome::Ok(answer);
        query.after = page->back().name;
    }
}

Outcome SetAlarmState(monitor::AlarmService& alarms, const json& request, const meta::Scope& scope) {
    const std::string data = request.value("StateReasonData", "");
    if (!data.empty() && json::parse(data, nullptr, /*allow_exceptions=*/false).is_discarded())
        return Outcome::Fail({.type = "InvalidFormat", .message = "StateReasonData was not valid JSON."});
    // The published shape has made sure that the state is one of the three.
    const auto state = monitor::AlarmStateOf(request["StateValue"].get<std::string>());
    Result<void> set = alarms.SetState(scope, request["AlarmName"].get<std::string>(),
                                       state.value_or(monitor::AlarmState::kInsufficientData),
                                       request["StateReason"].get<std::string>(), data);
    if (set) return Outcome::Empty();
    return set.error().code() == ErrorCode::kNotFound ? NoSuchAlarm() : Outcome::Internal(set.error(), "SetAlarmState");
}

Outcome DeleteAlarms(monitor::AlarmService& alarms, const json& request, const meta::Scope& scope) {
    Result<bool> deleted = alarms.Delete(scope, request["AlarmNames"].get<std::vector<std::string>>());
    if (!deleted) return Outcome::Internal(deleted.error(), "DeleteAlarms");
    return *deleted ? Outcome::Empty() : NoSuchAlarm();
}

Outcome DescribeAlarmHistory(monitor::AlarmService& alarms, const json& request, const meta::Scope& scope) {
    const std::size_t limit = request.value("MaxRecords", kRecordsMax);
    meta::AlarmHistoryQuery query{
        .scope = scope,
        .name = request.value("AlarmName", ""),
        .kind = request.value("HistoryItemType", ""),
        .newest_first = request.value("ScanBy", "TimestampDescending") == "TimestampDescending",
        .limit = limit + 1};
    if (request.contains("StartDate")) query.from = MillisOf(request["StartDate"]);
    if (request.contains("EndDate")) query.to = MillisOf(request["EndDate"]);
    const auto place = PlaceOf("DescribeAlarmHistory", request, scope);
    if (!place) return BadToken();
    if (!place->row.empty()) query.after_id = NumberOf(place->row);
    auto items = alarms.History(query);
    if (!items) return Outcome::Internal(items.error(), "DescribeAlarmHistory");
    json answer = {{"AlarmHistoryItems", json::array()}};
    for (std::size_t i = 0; i < std::min(items->size(), limit); ++i) {
        const meta::AlarmHistoryItem& item = (*items)[i];
        answer["AlarmHistoryItems"].push_back({{"AlarmName", item.name},
                                               {"AlarmType", "MetricAlarm"},
                                               {"Timestamp", EpochSeconds(item.time)},
                                               {"HistoryItemType", item.kind},
                                               {"HistorySummary", item.summary},
                                               {"HistoryData", item.data}});
    }
    if (items->size() > limit) {
        answer["NextToken"] = MakeListToken("DescribeAlarmHistory", scope, request,
                                            {.sort_value = "", .row = std::to_string((*items)[limit - 1].id)});
    }
    return Outcome::Ok(answer);
}

}  // namespace

std::string AlarmArn(const meta::Scope& scope, const std::string& name) {
    return fmt::format("arn:{}:cloudwatch:{}:{}:alarm:{}", meta::PartitionOf(scope.region), scope.region, scope.account,
                       name);
}

void AddAlarmOperations(MetricsOperations& operations, monitor::AlarmService& alarms) {
    const auto add = [&](const char* name,
                         Outcome (*operation)(monitor::AlarmService&, const json&, const meta::Scope&)) {
        operations[name] = [&alarms, operation](const json& request, const meta::Scope& scope) {
            return operation(alarms, request, scope);
        };
    };
    add("PutMetricAlarm", PutMetricAlarm);
    add("DescribeAlarms", DescribeAlarms);
    add("DescribeAlarmsForMetric", DescribeAlarmsForMetric);
    add("SetAlarmState", SetAlarmState);
    add("DeleteAlarms", DeleteAlarms);
    add("DescribeAlarmHistory", DescribeAlarmHistory);
}

}  // namespace espalier::api::metrics
