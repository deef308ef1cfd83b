// CloudWatch's metrics: values put in, statistics by period got out, whoever measured them.
//
// Nouns: MetricName (what is measured, with its dimensions), Statistic (monitor/statistic.h), Metrics.
// A value is kept in the minute, or with high resolution in the second, it belongs to (meta/metric_series.h), for
// kKeptMillis. The metrics of training jobs are read where the jobs keep them: namespace /aws/sagemaker/TrainingJobs,
// dimension TrainingJobName. Percentiles are nearest ranks (base/distribution.h). Thread-safe.
// Source: the CloudWatch API reference of PutMetricData and GetMetricStatistics; contracts/api.md 3.11.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/distribution.h"
#include "base/result.h"
#include "meta/metric_series.h"
#include "meta/metrics.h"
#include "meta/scope.h"
#include "monitor/statistic.h"

namespace espalier::monitor {

inline constexpr std::string_view kTrainingNamespace = "/aws/sagemaker/TrainingJobs";
inline constexpr std::string_view kTrainingDimension = "TrainingJobName";

struct MetricName {
    meta::Scope scope;
    std::string name_space;
    std::string name;
    std::map<std::string, std::string> dimensions;
};

/// Values that belong together: of one metric, unit and time.
struct MetricValues {
    MetricName metric;
    std::string unit = "None";
    UnixMillis time = 0;
    bool high_resolution = false;  ///< kept by the second, not by the minute
    Distribution values;
};

/// Which periods of a metric: [from, to), each period_ms long and beginning at a multiple of it.
struct PeriodQuery {
    MetricName metric;
    std::string unit = {};  ///< "" = any; values of different units are not mixed, the first unit counts
    UnixMillis from = 0;
    UnixMillis to = 0;
    UnixMillis period_ms = 60'000;
};

struct Periods {
    std::string unit = "None";
    std::map<UnixMillis, Distribution> by_begin;  ///< those with values only
};

class Metrics {
  public:
    static constexpr UnixMillis kKeptMillis = UnixMillis{15} * 24 * 3'600'000;

    explicit Metrics(meta::Database& database) : series_(database), training_(database) {}

    Result<void> Put(std::span<const MetricValues> values);
    Result<Periods> Read(const PeriodQuery& query);

    struct List {
        std::string name_space = {};
        std::string name = {};
        std::map<std::string, std::optional<std::string>> dimensions = {};  ///< has these, with that value if given
        std::optional<UnixMillis> active_since = {};
        std::optional<std::string> after = {};  ///< Page::next of the page before
        std::size_t limit = 500;
    };
    struct Page {
        std::vector<MetricName> metrics;
        std::optional<std::string> next;  ///< nullopt at the end; a page that looked long may end before it is full
    };
    /// kInvalidArgument for an `after` that is none.
    Result<Page> ListMetrics(const meta::Scope& scope, const List& list);

    /// Forgets what is older than kKeptMillis.
    Result<void> DropOld(UnixMillis now);

  private:
    Result<void> ListTraining(const meta::Scope& scope, const List& list, std::size_t looked_at, Page& page);

    meta::MetricSeries series_;
    meta::TrainingMetrics training_;
};

}  // namespace espalier::monitor
