// The metric points of training jobs, as picked from their logs. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "meta/database.h"
#include "meta/scope.h"

namespace espalier::meta {

struct MetricPoint {
    std::string name;  ///< "validation:merror"
    double value = 0;
    UnixMillis time = 0;
    std::int64_t step = 0;  ///< the round, or whatever else no other point of the metric in this job has
};

class TrainingMetrics {
  public:
    /// `database` is borrowed.
    explicit TrainingMetrics(Database& database) : database_(database) {}

    /// A point whose step the metric has already is the same point told again, by a training that goes on from a
    /// checkpoint; the first one stays.
    Result<void> Append(std::int64_t job_id, std::span<const MetricPoint> points);
    /// Forgets the points of a job, whose training starts again.
    Result<void> Clear(std::int64_t job_id);
    /// The last point of each metric, sorted by name.
    Result<std::vector<MetricPoint>> Final(std::int64_t job_id);
    /// The points of one metric of the job of that name with from <= time < to, in the order written. Empty when there
    /// is no such job or metric.
    Result<std::vector<MetricPoint>> Points(const Scope& scope, const std::string& job_name,
                                            const std::string& metric_name, UnixMillis from, UnixMillis to);

    /// A metric that some job has.
    struct Name {
        std::string job;
        std::string metric;
        UnixMillis last_at = 0;  ///< of its newest point
    };
    struct NameQuery {
        Scope scope;
        Name after = {};  ///< those behind this one
        std::size_t limit = 500;
    };
    /// In the order of jobs' names, then of the metrics'.
    Result<std::vector<Name>> Names(const NameQuery& query);

  private:
    Database& database_;
};

}  // namespace espalier::meta
