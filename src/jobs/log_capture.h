// Follows the log files of a job's processes and keeps what they say: events in CloudWatch streams, metric points in
// the metrics of a training job.
//
// One stream per file; all are made at the start, because clients wait until their number reaches InstanceCount; one
// that is deleted meanwhile is made again by its next line, as is its group. Poll stores whole lines that have come
// since the last call; Finish also the last line without a line feed. Confined to the job's thread.
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
#include "meta/scope.h"

namespace espalier::jobs {

class LogCapture {
  public:
    struct Source {
        std::string path;  ///< need not exist yet
        std::string stream;
    };
    struct Options {
        meta::Logs* logs = nullptr;  ///< borrowed, as are the next two
        meta::TrainingMetrics* metrics = nullptr;
        const Clock* clock = nullptr;
        meta::Scope scope;
        std::string group;
        std::vector<Source> sources;
        std::vector<MetricDefinition> definitions = {};  ///< empty: `metrics` is not used
        std::int64_t metrics_job_id = 0;
    };
    /// Makes the streams. Appends to those of an earlier attempt of the same job.
    static Result<LogCapture> Open(Options options);

    /// Stores what is new. An error means that the database failed; what was read is then lost, and so is the job.
    Result<void> Poll();
    Result<void> Finish();
    /// The processes start again: rounds that were told already may be told again, with the same metrics. Their lines
    /// are kept, their points are the same ones.
    void StartAgain() {
        last_round_ = -1;
        pass_ = 0;
    }
    /// Adds a line of the platform's own to the first stream.
    Result<void> Say(const std::string& line);

  private:
    struct Tail {
        std::string path;
        std::string stream;
        Fd file;
        UnixMillis last_event_at = 0;  ///< events never run back in time, even when the clock does
        std::string partial;           ///< the start of a line whose end has not come yet
    };

    explicit LogCapture(Options options) : options_(std::move(options)) {}
    Result<void> PollTail(Tail& tail, bool at_end);
    void TakeMetrics(const std::string& line, UnixMillis now, std::vector<meta::MetricPoint>& points);
    void ReadNew(Tail& tail, std::vector<std::string>& lines);

    Options options_;
    std::vector<Tail> tails_;
    std::int64_t last_round_ = -1;  ///< that metrics were told of
    std::int64_t pass_ = 0;         ///< how often rounds have begun anew: with each fold of a cross-validation
};

}  // namespace espalier::jobs
