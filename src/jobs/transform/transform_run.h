// One transform job from its start to its end, on a thread of its own.
//
//   InProgress -> Completed | Failed, with a FailureReason          a user's stop: -> Stopping -> Stopped
// The objects and the model's archive are linked into a folder, one espalier-transform works on it, and the outputs
// that are whole are stored; an object that failed leaves none. A stop kills the process; outputs it had finished are
// stored. A process that a signal ended is started again, from the beginning. After a restart of the server a job that
// was Stopping is ended; any other starts again from the beginning, at most kLaunchesMax times. Confined to its thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "jobs/job_queue.h"
#include "jobs/job_tracer.h"
#include "jobs/launcher.h"
#include "jobs/log_capture.h"
#include "jobs/transform/transform_spec.h"
#include "meta/job_rows.h"
#include "meta/logs.h"
#include "store/object_store.h"

namespace espalier::jobs {

/// What a transform job is run with. Everything is borrowed.
struct TransformTools {
    meta::JobRows* jobs = nullptr;
    meta::Logs* logs = nullptr;
    store::ObjectStore* store = nullptr;
    Launcher* launcher = nullptr;
    const Clock* clock = nullptr;
    std::string folder;  ///< where work folders are made
    int num_cores = 1;
    JobTracer* tracer = nullptr;
    std::function<void(std::int64_t job_id)> changed;  ///< after each committed change
};

class TransformRun {
  public:
    /// `job` is the row as it is now; tools and control outlive this.
    TransformRun(const TransformTools& tools, meta::Job job, JobControl& control);

    /// Returns when the job has ended or has been abandoned.
    void Execute();

  private:
    Result<void> Walk();
    Result<void> Prepare();
    Result<void> LinkModel(const TransformModel& model);
    Result<void> WritePlan(const TransformModel& model) const;
    Result<void> RunProgram();
    Result<ExitReport> RunOnce(const std::string& log_path, LogCapture& capture);
    Result<void> Judge(const ExitReport& report) const;
    Result<bool> Watch(TrainingRun& run, LogCapture& capture);
    Result<void> Upload();
    void End(Result<void> result);
    void ExportTrace();
    Result<void> Enter(meta::JobStatus status, const std::string& reason);

    std::string InputPath(std::size_t number) const;
    std::string OutputPath(std::size_t number) const;

    const TransformTools& tools_;
    meta::Job job_;
    JobControl& control_;
    TransformSpec spec_;
    std::vector<TransformInput> inputs_;
    std::string folder_;
};

}  // namespace espalier::jobs
