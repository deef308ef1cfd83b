// Series of /metrics that are about what is hosted and run, in Prometheus' text format 0.0.4.
//
// Label values are escaped; variants beyond kVariantsMax are one series with endpoint="" and variant="", so that a
// scrape stays small however many endpoints come and go. Source: Prometheus exposition formats. Thread-safe: pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "hosting/endpoint_service.h"
#include "meta/job_counts.h"

namespace espalier::api {

inline constexpr std::size_t kVariantsMax = 500;

/// Backslash, quote and line feed escaped, as the format wants.
std::string EscapeLabel(std::string_view value);

/// espalier_invocations_total by endpoint, variant and class of status, espalier_model_latency_seconds as a histogram.
std::string VariantSeries(std::span<const hosting::EndpointService::VariantTotals> totals);
/// espalier_jobs by kind and status.
std::string JobSeries(std::span<const meta::JobCount> counts);
/// espalier_spans_exported_total and espalier_spans_dropped_total.
std::string SpanSeries(std::uint64_t num_exported, std::uint64_t num_dropped);

}  // namespace espalier::api
