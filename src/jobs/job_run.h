// One training job from Starting to its end: the state machine, run on a thread of its own.
//
//   Starting -> Downloading -> Training -> Uploading -> Completed
//   any of them -> Failed, with a FailureReason          a user's stop:        -> Stopping -> Stopped
//                                                        MaxRuntimeInSeconds:  -> Stopping -> MaxRuntimeExceeded
// Each state is a committed row before it is acted on. Beside its model a job leaves a capsule (jobs/capsule.h), and
// what it made of what is noted as lineage (meta/lineage.h). A stop lets the trainer finish its round and write the
// model so far, which is uploaded; kStopGrace later everything is killed. A trainer that is interrupted (killed, or one
// of its instances hangs) is launched again, with a transition Restarting, and goes on from its last checkpoint; so
// does a job after a restart of the server (the row says what was under way): leftover processes are killed by their
// mark; one that was Uploading goes on with its packed model; one that was Stopping is ended. There are at most
// kLaunchesMax launches, so that a job that takes the server down with it cannot do so for ever. Training is
// deterministic: the model is that of a job that was never interrupted. Confined to its thread; JobControl is
// thread-safe.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "jobs/capsule.h"
#include "jobs/channels.h"
#include "jobs/checkpoint_sync.h"
#include "jobs/content_digests.h"
#include "jobs/job_queue.h"
#include "jobs/job_spec.h"
#include "jobs/job_tracer.h"
#include "jobs/launcher.h"
#include "jobs/log_capture.h"
#include "jobs/pipe_feed.h"
#include "jobs/work_folder.h"
#include "meta/lineage.h"
#include "meta/logs.h"
#include "meta/metrics.h"
#include "meta/training_jobs.h"
#include "store/object_store.h"

namespace espalier::jobs {

inline constexpr std::chrono::seconds kStopGrace{120};  // as SageMaker's containers have
inline constexpr std::int64_t kLaunchesMax = 3;
inline constexpr const char* kTrainingLogGroup = "/aws/sagemaker/TrainingJobs";

/// What a job is run with. Everything is borrowed.
struct JobTools {
    meta::TrainingJobs* jobs = nullptr;
    meta::Logs* logs = nullptr;
    meta::TrainingMetrics* metrics = nullptr;
    meta::Lineage* lineage = nullptr;
    ContentDigests* digests = nullptr;
    store::ObjectStore* store = nullptr;
    Launcher* launcher = nullptr;
    const Clock* clock = nullptr;
    std::string folder;  ///< where work folders are made
    int num_cores = 1;   ///< of this machine, for the status message
    JobTracer* tracer = nullptr;
    std::function<void(std::int64_t job_id)> changed;  ///< after each committed change
};

class JobRun {
  public:
    /// `job` is the row as it is now; tools and control outlive this.
    JobRun(const JobTools& tools, meta::TrainingJob job, JobControl& control);

    /// Returns when the job has ended or has been abandoned.
    void Execute();

  private:
    enum class StopCause { kNone, kUser, kMaxRuntime };

    Result<void> Walk();
    Result<void> Prepare();
    Result<void> Download();
    void PlanPipes(const ChannelSpec& channel, const ChannelPlan& plan);
    Result<void> Train();
    Result<void> Upload();
    Result<void> StoreModel();
    Result<void> StoreCapsule();
    Result<void> NoteInputs(std::vector<CapsuleChannel> channels, const std::string& noted_before);
    Result<LogCapture> OpenCapture();
    LaunchRequest MakeLaunchRequest() const;
    Result<ExitReport> RunOnce(LogCapture& capture);
    Result<ExitReport> WatchTraining(TrainingRun& run, LogCapture& capture);
    Result<void> Restart(const ExitReport& report, LogCapture& capture);
    void StoreCheckpoints();
    Result<void> JudgeTraining(const ExitReport& report) const;
    Result<void> Stop();
    Result<void> Complete();
    Result<void> Fail(const Error& error);
    void End(Result<void> result);

    Result<void> Enter(meta::JobStage stage, std::string message);
    Result<void> EnterStopping();
    StopCause WantsStop() const;
    Error StopRequested() const { return Error(ErrorCode::kCancelled, "the job is being stopped"); }
    std::string FailureOfTrainer(const ExitReport& report) const;
    std::string InterruptionOf(const ExitReport& report) const;

    const JobTools& tools_;
    meta::TrainingJob job_;
    JobControl& control_;
    JobSpec spec_;
    WorkFolder folder_;
    std::optional<InputDigests> input_digests_;  ///< from the end of the download on
    std::vector<PipeFeed::Source> pipes_;        ///< of the channels in Pipe mode, for all instances
    std::optional<CheckpointSync> checkpoints_;  ///< once the specification is read
    std::chrono::steady_clock::time_point deadline_;
    bool model_is_whole_ = false;  ///< the trainer ended well after writing its model
};

}  // namespace espalier::jobs
