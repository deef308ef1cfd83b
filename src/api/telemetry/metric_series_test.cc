#include "api/telemetry/metric_series.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace espalier::api {
namespace {

using VariantTotals = hosting::EndpointService::VariantTotals;

VariantTotals Totals(std::string endpoint, std::uint64_t invocations) {
    VariantTotals totals{
        .scope = {.account = "1", .region = "r"}, .endpoint = std::move(endpoint), .variant = "v", .traffic = {}};
    totals.traffic.invocations = invocations;
    totals.traffic.errors_4xx = 1;
    totals.traffic.model_latency.count = invocations;
    totals.traffic.model_latency.below.back() = invocations;
    return totals;
}

TEST(MetricSeries, LabelsAreEscaped) {
    EXPECT_EQ(EscapeLabel("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    const std::vector<VariantTotals> totals = {Totals("x\"y", 3)};
    const std::string text = VariantSeries(totals);
    EXPECT_NE(text.find("espalier_invocations_total{account=\"1\",region=\"r\",endpoint=\"x\\\"y\",variant=\"v\","
                        "status=\"2xx\"} 2\n"),
              std::string::npos)
        << text;
}

TEST(MetricSeries, VariantsBeyondTheMostAreOneSeries) {
    std::vector<VariantTotals> totals;
    for (std::size_t i = 0; i < kVariantsMax + 3; ++i) totals.push_back(Totals("e" + std::to_string(i), 5));
    const std::string text = VariantSeries(totals);
    EXPECT_EQ(text.find("endpoint=\"e500\""), std::string::npos);
    EXPECT_NE(
        text.find("espalier_invocations_total{account=\"\",region=\"\",endpoint=\"\",variant=\"\",status=\"2xx\"} 12"),
        std::string::npos)
        << "three variants of four good answers";
    EXPECT_NE(text.find("espalier_model_latency_seconds_bucket{account=\"\",region=\"\",endpoint=\"\",variant=\"\","
                        "le=\"60\"} 15"),
              std::string::npos);
}

TEST(MetricSeries, JobsAreCountedByStatus) {
    const std::vector<meta::JobCount> counts = {{.kind = "training", .status = "Failed", .count = 2}};
    EXPECT_NE(JobSeries(counts).find("espalier_jobs{kind=\"training\",status=\"Failed\"} 2\n"), std::string::npos);
}

}  // namespace
}  // namespace espalier::api
