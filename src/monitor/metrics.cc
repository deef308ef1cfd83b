#include "monitor/metrics.h"

#include <nlohmann/json.hpp>

namespace espalier::monitor {
namespace {

using Json = nlohmann::json;

constexpr UnixMillis kMinuteMillis = 60'000;
constexpr UnixMillis kSecondMillis = 1'000;
constexpr std::size_t kLookedAtMax = 20'000;  // metrics, for one page of a list

UnixMillis FloorTo(UnixMillis time, UnixMillis step) {
    const UnixMillis remainder = time % step;
    return time - (remainder < 0 ? remainder + step : remainder);
}

std::string DimensionsText(const std::map<std::string, std::string>& dimensions) {
    return Json(dimensions).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::map<std::string, std::string> ParseDimensions(const std::string& text) {
    const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    std::map<std::string, std::string> dimensions;
    if (!json.is_object()) return dimensions;
    for (const auto& [name, value] : json.items())
        if (value.is_string()) dimensions[name] = value.get<std::string>();
    return dimensions;
}

meta::MetricId IdOf(const MetricName& metric) {
    return {.scope = metric.scope,
            .name_space = metric.name_space,
            .name = metric.name,
            .dimensions = DimensionsText(metric.dimensions)};
}

bool HasDimensions(const MetricName& metric, const std::map<std::string, std::optional<std::string>>& wanted) {
    for (const auto& [name, value] : wanted) {
        const auto found = metric.dimensions.find(name);
        if (found == metric.dimensions.end() || (value && *value != found->second)) return false;
    }
    return true;
}

/// Where a page ended: in the kept series, or among the training jobs' metrics, which come behind them.
struct Place {
    bool training = false;
    std::vector<std::string> key;
};

std::string ToToken(bool training, std::vector<std::string> key) {
    return Json({{"training", training}, {"key", std::move(key)}}).dump();
}

Result<Place> ParseToken(const std::string& token) {
    const Json json = Json::parse(token, nullptr, /*allow_exceptions=*/false);
    Place place;
    const bool well_formed = json.is_object() && json.contains("training") && json["training"].is_boolean() &&
                             json.contains("key") && json["key"].is_array();
    if (!well_formed) return Error(ErrorCode::kInvalidArgument, "the place in the list of metrics is none");
    place.training = json["training"].get<bool>();
    for (const Json& part : json["key"])
        if (part.is_string()) place.key.push_back(part.get<std::string>());
    const std::size_t parts = place.training ? 2 : 3;
    if (place.key.size() != parts)
        return Error(ErrorCode::kInvalidArgument, "the place in the list of metrics is none");
    return place;
}

}  // namespace

Result<void> Metrics::Put(std::span<const MetricValues> values) {
    std::vector<meta::MetricSample> samples;
    samples.reserve(values.size());
    for (const MetricValues& each : values) {
        const UnixMillis slot = FloorTo(each.time, each.high_resolution ? kSecondMillis : kMinuteMillis);
        samples.push_back({.id = IdOf(each.metric), .slot = {.time = slot, .unit = each.unit, .values = each.values}});
    }
    return series_.Add(samples);
}

Result<Periods> Metrics::Read(const PeriodQuery& query) {
    Periods periods;
    const auto add = [&](UnixMillis time, const Distribution& values) {
        periods.by_begin[FloorTo(time, query.period_ms)].Merge(values);
    };
    if (query.metric.name_space == kTrainingNamespace && query.metric.dimensions.size() == 1 &&
        query.metric.dimensions.contains(std::string(kTrainingDimension)) &&
        (query.unit.empty() || query.unit == "None")) {
        const std::string& job = query.metric.dimensions.begin()->second;
        const std::vector<meta::MetricPoint> points =
            TRY(training_.Points(query.metric.scope, job, query.metric.name, query.from, query.to));
        for (const meta::MetricPoint& point : points) {
            Distribution one;
            one.Add(point.value);
            add(point.time, one);
        }
    }
    const std::vector<meta::MetricSlot> slots = TRY(series_.Read(IdOf(query.metric), query.unit, query.from, query.to));
    if (!slots.empty() && periods.by_begin.empty()) periods.unit = slots[0].unit;
    for (const meta::MetricSlot& slot : slots)
        if (slot.unit == periods.unit) add(slot.time, slot.values);
    return periods;
}

Result<Metrics::Page> Metrics::ListMetrics(const meta::Scope& scope, const List& list) {
    Place place;
    if (list.after) place = TRY(ParseToken(*list.after));
    Page page;
    std::size_t looked_at = 0;
    meta::MetricListQuery query{
        .scope = scope, .name_space = list.name_space, .name = list.name, .after = std::nullopt, .limit = list.limit};
    if (list.after && !place.training)
        query.after = {.scope = scope, .name_space = place.key[0], .name = place.key[1], .dimensions = place.key[2]};
    while (!place.training) {
        const std::vector<meta::MetricSeries::Listed> found = TRY(series_.List(query));
        for (const auto& [id, last_at] : found) {
            MetricName metric{scope, id.name_space, id.name, ParseDimensions(id.dimensions)};
            const bool active = !list.active_since || last_at >= *list.active_since;
            if (active && HasDimensions(metric, list.dimensions)) page.metrics.push_back(std::move(metric));
            if (++looked_at < kLookedAtMax && page.metrics.size() < list.limit) continue;
            page.next = ToToken(false, {id.name_space, id.name, id.dimensions});
            return page;
        }
        if (found.size() < query.limit) break;
        query.after = found.back().id;
    }
    List rest = list;
    if (!place.training) rest.after = std::nullopt;
    TRY(ListTraining(scope, rest, looked_at, page));
    return page;
}

Result<void> Metrics::ListTraining(const meta::Scope& scope, const List& list, std::size_t looked_at, Page& page) {
    if (!list.name_space.empty() && list.name_space != kTrainingNamespace) return {};
    meta::TrainingMetrics::NameQuery query{.scope = scope, .after = {}, .limit = list.limit};
    // The metrics of one job lie together.
    const auto dimension = list.dimensions.find(std::string(kTrainingDimension));
    const std::optional<std::string> job = dimension == list.dimensions.end() ? std::nullopt : dimension->second;
    if (job) query.after.job = *job;
    if (list.after) {
        const Place place = TRY(ParseToken(*list.after));
        query.after = {.job = place.key[0], .metric = place.key[1]};
    }
    while (true) {
        const std::vector<meta::TrainingMetrics::Name> found = TRY(training_.Names(query));
        for (const meta::TrainingMetrics::Name& each : found) {
            if (job && each.job != *job) return {};
            MetricName metric{
                scope, std::string(kTrainingNamespace), each.metric, {{std::string(kTrainingDimension), each.job}}};
            const bool wanted = (list.name.empty() || each.metric == list.name) &&
                                (!list.active_since || each.last_at >= *list.active_since);
            if (wanted && HasDimensions(metric, list.dimensions)) page.metrics.push_back(std::move(metric));
            if (++looked_at < kLookedAtMax && page.metrics.size() < list.limit) continue;
            page.next = ToToken(true, {each.job, each.metric});
            return {};
        }
        if (found.size() < query.limit) return {};
        query.after = found.back();
    }
}

Result<void> Metrics::DropOld(UnixMillis now) {
    return series_.DropBefore(now - kKeptMillis);
}

}  // namespace espalier::monitor
