// Follows the log files of a job's instances and keeps what they say: events in CloudWatch streams, metric points in
// the job's metrics.
//
// One stream per instance, "<job>/algo-<n>-<epoch second>" in the group /aws/sagemaker/TrainingJobs; all streams are
// made at the start, because clients wait until their number reaches InstanceCount. Poll stores whole lines that have
// come since the last call; Finish also the last line without a line feed. Confined to the job's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fs.h"
#include "base/result.h"
#include "jobs/log_line.h"
#include "meta/logs.h"
#include "meta/metrics.h"
#include "meta/training_jobs.h"

namespace espalier::jobs {

inline constexpr const char* kTrainingLogGroup = "/aws/sagemaker/TrainingJobs";

class LogCapture {
  public:
    struct Options {
        meta::Logs* logs = nullptr;  ///< borrowed, as are the next two
        meta::TrainingMetrics* metrics = nullptr;
        const Clock* clock = nullptr;
        std::vector<std::string> paths;  ///< one per instance, in order; need not exist yet
        std::vector<MetricDefinition> definitions;
    };
    /// Makes the streams. Appends to those of an earlier attempt of the same job.
    static Result<LogCapture> Open(const meta::TrainingJob& job, Options options);

    /// Stores what is new. An error means that the database failed; what was read is then lost, and so is the job.
    Result<void> Poll();
    Result<void> Finish();
    /// Adds a line of the platform's own to the first instance's stream.
    Result<void> Say(const std::string& line);

  private:
    struct Tail {
        std::string path;
        std::int64_t stream_id = 0;
        Fd file;
        UnixMillis last_event_at = 0;  ///< events never run back in time, even when the clock does
        std::string partial;           ///< the start of a line whose end has not come yet
    };

    LogCapture(std::int64_t job_id, Options options) : job_id_(job_id), options_(std::move(options)) {}
    Result<void> PollTail(Tail& tail, bool at_end);
    void ReadNew(Tail& tail, std::vector<std::string>& lines);

    std::int64_t job_id_;
    Options options_;
    std::vector<Tail> tails_;
};

/// "<job>/algo-<number>-<epoch second of creation>".
std::string LogStreamName(const meta::TrainingJob& job, int number);

}  // namespace espalier::jobs
