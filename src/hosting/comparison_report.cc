#include "hosting/comparison_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "hosting/confidence_sequence.h"
#include "hosting/endpoint_metrics.h"

namespace espalier::hosting {
namespace {

using Json = nlohmann::json;

constexpr UnixMillis kMinuteMillis = 60'000;
constexpr UnixMillis kDayMillis = 86'400'000;

double Seconds(UnixMillis time) {
    return static_cast<double>(time) / 1000.0;
}

class Reader {
  public:
    Reader(monitor::Metrics& metrics, const EndpointVariant& which, UnixMillis from, UnixMillis to)
        : metrics_(metrics), which_(which), from_(from), to_(to) {}

    /// All values of one metric of the variant.
    Result<Distribution> All(std::string_view name_space, std::string_view metric) const {
        monitor::MetricName name = EndpointMetric(which_, metric);
        name.name_space = name_space;
        const monitor::Periods periods = TRY(
            metrics_.Read({.metric = std::move(name), .unit = "", .from = from_, .to = to_, .period_ms = kDayMillis}));
        Distribution all;
        for (const auto& [begin, values] : periods.by_begin) all.Merge(values);
        return all;
    }

  private:
    monitor::Metrics& metrics_;
    const EndpointVariant which_;
    const UnixMillis from_;
    const UnixMillis to_;
};

Json SpreadJson(const Distribution& values) {
    if (values.empty()) return Json::object();
    Json spread = {
        {"Average", values.average()}, {"Minimum", values.summary().minimum}, {"Maximum", values.summary().maximum}};
    for (const auto& [name, percent] : {std::pair("p50", 50.0), std::pair("p90", 90.0), std::pair("p99", 99.0)})
        if (const std::optional<double> value = values.Percentile(percent)) spread[name] = *value;
    return spread;
}

Json RecentJson(const std::vector<ShadowDifference>& recent) {
    Json list = Json::array();
    for (const ShadowDifference& each : recent) {
        Json entry = {{"Time", Seconds(each.time)},
                      {"ProductionVariant", each.production_variant},
                      {"Comparable", each.comparable},
                      {"ProductionLatencyMicroseconds", each.production_latency_us},
                      {"ShadowLatencyMicroseconds", each.shadow_latency_us}};
        if (!each.inference_id.empty()) entry["InferenceId"] = each.inference_id;
        if (each.comparable) {
            entry["Rows"] = each.num_rows;
            entry["LargestMarginDistance"] = each.largest_distance;
        }
        if (each.has_labels) entry["LabelFlips"] = each.num_label_flips;
        list.push_back(std::move(entry));
    }
    return list;
}

Result<Json> ShadowJson(const Reader& reader, const std::string& variant, const std::vector<ShadowDifference>& recent) {
    const Distribution requests = TRY(reader.All(kComparisonNamespace, "ShadowRequests"));
    const Distribution incomparable = TRY(reader.All(kComparisonNamespace, "ShadowIncomparable"));
    const Distribution flips = TRY(reader.All(kComparisonNamespace, "ShadowLabelFlips"));
    const Distribution distances = TRY(reader.All(kComparisonNamespace, "ShadowMarginDistance"));
    const Distribution latency = TRY(reader.All(kComparisonNamespace, "ShadowLatencyDifference"));
    return Json({{"VariantName", variant},
                 {"Requests", requests.summary().sum},
                 {"IncomparableRequests", incomparable.summary().sum},
                 {"Rows", distances.summary().count},
                 {"RowsWithLabels", flips.summary().count},
                 {"LabelFlips", flips.summary().sum},
                 {"MarginDistance", SpreadJson(distances)},
                 {"LatencyDifferenceMicroseconds", SpreadJson(latency)},
                 {"RecentRequests", RecentJson(recent)}});
}

/// When the newest of the production variants began to take traffic. Metrics are kept by the minute, so that minute
/// counts only when the whole endpoint began in it.
UnixMillis TestBegin(const EndpointService::Endpoint& endpoint, UnixMillis now) {
    UnixMillis newest = endpoint.record.created_at;
    for (const DeployedVariant& variant : endpoint.spec.production) newest = std::max(newest, variant.resolved_at);
    const UnixMillis minute = newest / kMinuteMillis * kMinuteMillis;
    const bool from_the_start = endpoint.record.created_at / kMinuteMillis * kMinuteMillis == minute;
    const UnixMillis begin = from_the_start ? minute : minute + kMinuteMillis;
    return std::max(begin, now - monitor::Metrics::kKeptMillis);
}

struct Signal {
    const char* name;
    bool higher_is_better;
    std::string_view name_space;
    const char* metric;
};
constexpr Signal kSignals[] = {{"ModelErrors", false, kEndpointNamespace, "InvocationModelErrors"},
                               {"Outcome", true, kComparisonNamespace, "Outcome"}};

Result<Json> TestJson(const Signal& signal, monitor::Metrics& metrics, const meta::Scope& scope,
                      const EndpointService::Endpoint& endpoint, UnixMillis begin, UnixMillis end) {
    std::vector<Outcomes> each;
    Json variants = Json::array();
    const auto num_variants = static_cast<double>(endpoint.spec.production.size());
    for (const DeployedVariant& variant : endpoint.spec.production) {
        const Reader reader(metrics, {scope, endpoint.record.name, variant.spec.name}, begin, end);
        const Distribution values = TRY(reader.All(signal.name_space, signal.metric));
        const Distribution::Summary& summary = values.summary();
        // What is outside [0, 1] is no outcome, and a test on it would say nothing.
        const bool usable = summary.minimum >= 0 && summary.maximum <= 1;
        each.push_back(usable ? Outcomes{.count = summary.count, .sum = std::clamp(summary.sum, 0.0, summary.count)}
                              : Outcomes{});
        const Interval interval = ConfidenceSequence(each.back(), kComparisonAlpha / num_variants);
        variants.push_back({{"VariantName", variant.spec.name},
                            {"Count", each.back().count},
                            {"Lower", interval.lower},
                            {"Upper", interval.upper}});
        if (each.back().count > 0) variants.back()["Mean"] = each.back().sum / each.back().count;
    }
    Json test = {{"Signal", signal.name},
                 {"HigherIsBetter", signal.higher_is_better},
                 {"Since", Seconds(begin)},
                 {"Variants", std::move(variants)},
                 {"Decided", false}};
    if (const int best = KnownBest(each, kComparisonAlpha, signal.higher_is_better); best >= 0) {
        test["Decided"] = true;
        test["BetterVariant"] = endpoint.spec.production[static_cast<std::size_t>(best)].spec.name;
    }
    return test;
}

}  // namespace

Result<std::string> ComparisonReport(EndpointService& service, monitor::Metrics& metrics, const meta::Scope& scope,
                                     const std::string& name, UnixMillis now) {
    const EndpointService::Endpoint endpoint = TRY(service.Find(scope, name));
    service.BookTraffic();
    const UnixMillis end = now + kMinuteMillis;
    Json report = {{"EndpointName", name},
                   {"GeneratedAt", Seconds(now)},
                   {"Shadows", Json::array()},
                   {"SequentialTests", Json::array()},
                   {"Alpha", kComparisonAlpha}};
    for (const DeployedVariant& variant : endpoint.spec.shadow) {
        const Reader reader(metrics, {scope, name, variant.spec.name}, now - monitor::Metrics::kKeptMillis, end);
        report["Shadows"].push_back(
            TRY(ShadowJson(reader, variant.spec.name, service.RecentDifferences(scope, name, variant.spec.name))));
    }
    const UnixMillis begin = TestBegin(endpoint, now);
    for (const Signal& signal : kSignals)
        report["SequentialTests"].push_back(TRY(TestJson(signal, metrics, scope, endpoint, begin, end)));
    return report.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace espalier::hosting
