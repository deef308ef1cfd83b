// One tuning job on its way: what its trials have come to, what to start, what to stop, when it is over.
//
//   InProgress -> Completed | Failed, with a FailureReason         a user's stop, MaxRuntimeInSeconds: -> Stopped
// Advance looks at everything once and does what is due; it waits for nothing. All state is in rows, a trial's before
// its training job is made, so a restart goes on where the server ended. With a RandomSeed, trial n is proposed from
// the results of trials 1..n - MaxParallelTrainingJobs and no others, so that the same trials come whatever ends first.
// Confined to one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "jobs/job_service.h"
#include "jobs/job_tracer.h"
#include "jobs/tuning/early_stopping.h"
#include "jobs/tuning/proposals.h"
#include "jobs/tuning/tuning_spec.h"
#include "meta/job_rows.h"
#include "meta/tuning_trials.h"

namespace espalier::jobs {

/// What a tuning job is run with. Everything is borrowed.
struct TuningTools {
    meta::JobRows* jobs = nullptr;
    meta::TuningTrials* trials = nullptr;
    JobService* training = nullptr;
    const Clock* clock = nullptr;
    JobTracer* tracer = nullptr;
    std::function<void(std::int64_t job_id)> changed;  ///< after each committed change
};

class TuningRun {
  public:
    /// Reads the trials there are. `job` is the row as it is now; tools outlive this.
    static Result<TuningRun> TakeUp(const TuningTools& tools, meta::Job job);

    /// True when the tuning job has ended.
    Result<bool> Advance();
    /// Whether trials are stopped by their rounds, so that Advance is wanted often.
    bool watches_rounds() const { return spec_.stops_by_median || spec_.strategy == TuningStrategy::kHyperband; }

  private:
    struct Ending {
        meta::JobStatus status = meta::JobStatus::kCompleted;
        std::string failure_reason = {};
    };

    TuningRun(const TuningTools& tools, meta::Job job, TuningSpec spec);
    Result<void> ReadParents();
    Result<void> ReadRounds();
    Result<void> Refresh();
    Result<void> RefreshTrial(meta::TuningTrial& trial);
    Result<void> NoteEnd(meta::TuningTrial& trial, const meta::TrainingJob& job);
    Result<void> CreateTraining(meta::TuningTrial& trial);
    Result<void> StopTrial(const meta::TuningTrial& trial);
    Result<void> StopHopeless();
    bool IsHopeless(const meta::TuningTrial& trial) const;
    Result<std::optional<Ending>> FindEnding();
    std::optional<Ending> FindFailure() const;
    bool ReachesTarget() const;
    bool HasStoppedImproving() const;
    bool HasConverged() const;
    Result<void> Launch();
    bool MayPropose(std::int64_t number) const;
    CubePoint Propose(std::int64_t number) const;
    TrialHistory HistoryFor(const TuningDefinition& definition, std::int64_t known_until) const;
    std::string JobName(std::int64_t number) const;
    std::uint64_t seed() const;
    std::size_t num_running() const;

    TuningTools tools_;
    meta::Job job_;
    TuningSpec spec_;
    std::vector<meta::TuningTrial> trials_;         ///< by number
    std::map<std::int64_t, RoundValues> rounds_;    ///< by number; kept when watches_rounds
    std::vector<std::vector<TrialValue>> parents_;  ///< for each definition, what its parents' trials gave
};

}  // namespace espalier::jobs
