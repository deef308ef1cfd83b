// The trials of tuning jobs: one row for each training job that a tuning job has started, with what it was given and
// what came of it.
//
// A row is there before its training job is, so that a restart finds every trial; it keeps the outcome, so that the
// training job may be deleted. Numbers begin at 1 and are given in order. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "meta/database.h"
#include "meta/job_query.h"

namespace espalier::meta {

struct TuningTrial {
    std::int64_t tuning_id = 0;
    std::int64_t number = 0;
    std::string job_name;
    std::int64_t definition_idx = 0;  ///< which of the tuning job's definitions, from 0
    std::string values;               ///< the tuned hyperparameters, a JSON object of strings
    UnixMillis created_at = 0;
    JobStatus status = JobStatus::kInProgress;  ///< of the training job, as last seen
    std::string failure_reason = {};
    std::optional<double> objective = {};
    UnixMillis started_at = 0;  ///< 0 until it has
    UnixMillis ended_at = 0;
};

enum class TrialSort { kName, kCreationTime, kStatus, kObjective };

struct TrialQuery {
    std::int64_t tuning_id = 0;
    std::optional<JobStatus> status = {};
    TrialSort sort = TrialSort::kName;  ///< kObjective leaves out trials without one
    bool descending = false;
    std::uint32_t limit = 100;
    std::optional<JobCursor> after = {};  ///< `id` is the trial's number
};

/// How many trials are in which state.
struct TrialCounts {
    std::int64_t completed = 0;
    std::int64_t in_progress = 0;
    std::int64_t failed = 0;
    std::int64_t stopped = 0;
    std::int64_t with_objective = 0;
    std::int64_t ended_without = 0;
};

class TuningTrials {
  public:
    /// `database` is borrowed.
    explicit TuningTrials(Database& database) : database_(database) {}

    Result<void> Insert(const TuningTrial& trial);
    /// Replaces what may change: status, reason, objective, times.
    Result<void> Update(const TuningTrial& trial);
    /// All trials of a tuning job, by number.
    Result<std::vector<TuningTrial>> All(std::int64_t tuning_id);
    /// kNotFound.
    Result<TuningTrial> Find(std::int64_t tuning_id, std::int64_t number);
    /// The trial with the smallest (or greatest) objective, the earliest of equals.
    Result<std::optional<TuningTrial>> Best(std::int64_t tuning_id, bool greatest);
    Result<TrialCounts> Counts(std::int64_t tuning_id);
    Result<JobPage<TuningTrial>> List(const TrialQuery& query);

  private:
    Database& database_;
};

}  // namespace espalier::meta
