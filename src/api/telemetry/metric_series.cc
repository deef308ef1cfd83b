#include "api/telemetry/metric_series.h"

#include <fmt/format.h>

#include <iterator>
#include <vector>

namespace espalier::api {
namespace {

using hosting::LatencyLadder;
using hosting::TrafficTotals;
using VariantTotals = hosting::EndpointService::VariantTotals;

void AddTo(TrafficTotals& sum, const TrafficTotals& more) {
    sum.invocations += more.invocations;
    sum.errors_4xx += more.errors_4xx;
    sum.errors_5xx += more.errors_5xx;
    for (std::size_t i = 0; i < sum.model_latency.below.size(); ++i)
        sum.model_latency.below[i] += more.model_latency.below[i];
    sum.model_latency.count += more.model_latency.count;
    sum.model_latency.sum_us += more.model_latency.sum_us;
}

struct LabelledTotals {
    std::string labels;  ///< account="…",region="…",endpoint="…",variant="…"
    TrafficTotals traffic;
};

std::vector<LabelledTotals> Label(std::span<const VariantTotals> totals) {
    std::vector<LabelledTotals> labelled;
    for (const VariantTotals& each : totals.first(std::min(totals.size(), kVariantsMax)))
        labelled.push_back({.labels = fmt::format("account=\"{}\",region=\"{}\",endpoint=\"{}\",variant=\"{}\"",
                                                  EscapeLabel(each.scope.account), EscapeLabel(each.scope.region),
                                                  EscapeLabel(each.endpoint), EscapeLabel(each.variant)),
                            .traffic = each.traffic});
    if (totals.size() <= kVariantsMax) return labelled;
    LabelledTotals rest{.labels = R"(account="",region="",endpoint="",variant="")", .traffic = {}};
    for (const VariantTotals& each : totals.subspan(kVariantsMax)) AddTo(rest.traffic, each.traffic);
    labelled.push_back(std::move(rest));
    return labelled;
}

}  // namespace

std::string EscapeLabel(std::string_view value) {
    std::string escaped;
    for (const char c : value) {
        if (c == '\\' || c == '"') escaped += '\\';
        if (c == '\n')
            escaped += "\\n";
        else
            escaped += c;
    }
    return escaped;
}

std::string VariantSeries(std::span<const VariantTotals> totals) {
    const std::vector<LabelledTotals> labelled = Label(totals);
    std::string text =
        "# HELP espalier_invocations_total Invocations of variants by class of status.\n"
        "# TYPE espalier_invocations_total counter\n";
    auto out = std::back_inserter(text);
    for (const auto& [labels, traffic] : labelled) {
        const std::uint64_t errors = traffic.errors_4xx + traffic.errors_5xx;
        const std::pair<const char*, std::uint64_t> classes[] = {
            {"2xx", traffic.invocations - std::min(errors, traffic.invocations)},
            {"4xx", traffic.errors_4xx},
            {"5xx", traffic.errors_5xx}};
        for (const auto& [status, count] : classes)
            fmt::format_to(out, "espalier_invocations_total{{{},status=\"{}\"}} {}\n", labels, status, count);
    }
    text +=
        "# HELP espalier_model_latency_seconds Decoding, prediction and encoding.\n"
        "# TYPE espalier_model_latency_seconds histogram\n";
    for (const auto& [labels, traffic] : labelled) {
        const LatencyLadder& ladder = traffic.model_latency;
        for (std::size_t i = 0; i < ladder.below.size(); ++i)
            fmt::format_to(out, "espalier_model_latency_seconds_bucket{{{},le=\"{}\"}} {}\n", labels,
                           static_cast<double>(LatencyLadder::kLimitsUs[i]) / 1e6, ladder.below[i]);
        fmt::format_to(
            out,
            "espalier_model_latency_seconds_bucket{{{0},le=\"+Inf\"}} {1}\n"
            "espalier_model_latency_seconds_sum{{{0}}} {2}\nespalier_model_latency_seconds_count{{{0}}} {1}\n",
            labels, ladder.count, static_cast<double>(ladder.sum_us) / 1e6);
    }
    return text;
}

std::string JobSeries(std::span<const meta::JobCount> counts) {
    std::string text = "# HELP espalier_jobs Jobs by status.\n# TYPE espalier_jobs gauge\n";
    for (const meta::JobCount& each : counts)
        text += fmt::format("espalier_jobs{{kind=\"{}\",status=\"{}\"}} {}\n", EscapeLabel(each.kind),
                            EscapeLabel(each.status), each.count);
    return text;
}

std::string SpanSeries(std::uint64_t num_exported, std::uint64_t num_dropped) {
    return fmt::format(
        "# HELP espalier_spans_exported_total Spans that the collector took.\n"
        "# TYPE espalier_spans_exported_total counter\nespalier_spans_exported_total {}\n"
        "# HELP espalier_spans_dropped_total Spans lost because the collector was slow or away.\n"
        "# TYPE espalier_spans_dropped_total counter\nespalier_spans_dropped_total {}\n",
        num_exported, num_dropped);
}

}  // namespace espalier::api
