// The folder a job works in, and the files of the /opt/ml contract in it.
//
//   <jobs folder>/<job id>/
//     algo-<n>/input/config/{hyperparameters,inputdataconfig,resourceconfig,checkpointconfig}.json
//     algo-<n>/input/data/<channel>/…      hard links to blobs of the store; never written to
//     algo-<n>/input/data/<channel>_0      in Pipe mode: the named pipe that the objects come through
//     algo-<n>/input/pipe/<channel>/…      in Pipe mode: the same hard links, for the writer of the pipe
//     algo-<n>/model/  algo-<n>/output/    written by espalier-train
//     algo-1/checkpoints/                  written by espalier-train; kept when the job starts again
//     algo-<n>.log                         standard output and error of the instance
//     mpirun.log  model.tar.gz  capsule.json
// It is made when the job starts to download and removed when the job has ended. Instances are numbered from 1, as in
// SageMaker's host names. Thread-compatible.
// Source: AWS developer guide, "How Amazon SageMaker provides training information"; contracts/xgboost.md 2.1, 3.6.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/span_file.h"
#include "jobs/job_spec.h"

namespace espalier::jobs {

class WorkFolder {
  public:
    WorkFolder(const std::string& jobs_folder, std::int64_t job_id);

    const std::string& path() const { return path_; }
    std::string InstanceRoot(int number) const;
    /// Where the channel's objects are linked.
    std::string ChannelFolder(int number, const ChannelSpec& channel) const;
    std::string PipePath(int number, const ChannelSpec& channel) const;
    std::string LogPath(int number) const;
    /// What the instance recorded of its own work (base/span_file.h).
    std::string SpansPath(int number) const { return SpansPathUnder(InstanceRoot(number)); }
    std::string LauncherLogPath() const { return path_ + "/mpirun.log"; }
    std::string ModelFolder() const { return InstanceRoot(1) + "/model"; }
    std::string OutputDataFolder() const { return InstanceRoot(1) + "/output/data"; }
    std::string CheckpointFolder() const { return InstanceRoot(1) + "/checkpoints"; }
    std::string ModelArchivePath() const { return path_ + "/model.tar.gz"; }
    std::string CapsulePath() const { return path_ + "/capsule.json"; }

    /// Removes what an earlier attempt left, but for its checkpoints, and makes the empty folders of each instance.
    Result<void> MakeEmpty(const JobSpec& spec) const;
    /// Removes the failures that instances have told.
    void ForgetFailures(const JobSpec& spec) const;
    /// Whether the trainer has something to go on from.
    bool HasCheckpoints() const;
    /// Writes the configuration files of each instance.
    Result<void> WriteConfiguration(const JobSpec& spec) const;
    /// espalier.json of the first instance: where bins are shared, and a name for each channel's data.
    Result<void> WriteSharing(const std::string& bins_folder,
                              const std::map<std::string, std::string>& identities) const;
    /// The capsule's document; what is on disk is whole.
    Result<void> WriteCapsule(const std::string& document) const;
    /// "" when there is none.
    Result<std::string> ReadCapsule() const;
    /// The text of output/failure of an instance as FitFailureReason leaves it; "" when there is none.
    std::string ReadFailure(int number) const;
    /// Removes everything. Failures are logged: the folder is swept at the next start.
    void Remove() const;

  private:
    std::string path_;
};

/// The folder in which work folders are made.
Result<void> MakeJobsFolder(const std::string& jobs_folder);
/// Removes the work folders of all jobs but these: of jobs that ended while no server was there to remove them.
void SweepWorkFolders(const std::string& jobs_folder, const std::vector<std::int64_t>& wanted);

/// The text of a file that says why something failed, as FitFailureReason leaves it; "" when there is none.
std::string ReadFailureFile(const std::string& path);

/// The text cut to what DescribeTrainingJob's FailureReason holds (1024 bytes, at a character), with bytes that are no
/// UTF-8 replaced.
std::string FitFailureReason(std::string text);

/// Whether a reason begins with SageMaker's word for whose fault it is.
bool SaysWhoseFault(const std::string& reason);

/// True when a trainer's reason names a mistake of the user's, in either style of the images (base/version_profile.h).
bool IsUsersFault(const std::string& reason);

/// The FailureReason of a job that ended with `error`. An error that does not say whose fault it is is ours: it becomes
/// an InternalServerError and a log line.
std::string FailureReasonOf(const Error& error, const std::string& job_name);

/// "algo-<number>".
std::string InstanceName(int number);

}  // namespace espalier::jobs
