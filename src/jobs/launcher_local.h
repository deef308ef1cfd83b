// Instances as processes of this machine: one instance is one `espalier-train`, several are one `mpirun` with one rank
// per instance (rank order = instance order).
//
// mpirun is told to stay on this machine: no remote launcher, control messages over the loopback interface, data
// through shared memory, so that it works without a network. Its temporary files lie in a folder of the run, removed at
// its end. SIGUSR1 asks the trainers to stop; mpirun forwards it to all ranks. Each instance gets a mark of progress in
// the run's folder; one that is stopped, or does not get on, is ended with all others (jobs/process_watch).
// Thread-safe. Source: mpirun(1) of Open MPI 4.1 (MPMD form, signal propagation).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "jobs/launcher.h"
#include "jobs/process_watch.h"

namespace espalier::jobs {

class LocalLauncher final : public Launcher {
  public:
    struct Options {
        std::string trainer_path;           ///< espalier-train; tests give a script with the same contract
        std::string transformer_path = {};  ///< espalier-transform
        std::string mpirun_path = "/usr/bin/mpirun";
        std::string scratch_parent = "/dev/shm";  ///< where each run gets a folder of its own
        int num_cores = 1;                        ///< shared out among the instances of a job as --threads
        std::uint64_t data_bytes_max = 0;         ///< memory limit of each process; 0 = none
        std::uint64_t file_bytes_max = 0;         ///< size limit of each file they write; 0 = none
        ProcessWatch::Limits watch = {};          ///< how long an instance may not get on
    };
    explicit LocalLauncher(Options options) : options_(std::move(options)) {}

    /// The options of a server: the programs beside the running one, this machine's cores, nine tenths of its
    /// memory.
    static Options ForThisMachine();

    Result<std::unique_ptr<TrainingRun>> Launch(const LaunchRequest& request) override;
    void KillLeftovers(const std::string& token) override;
    std::string TrainerPath() const override { return options_.trainer_path; }

  private:
    std::string ScratchFolder(const std::string& token) const;
    Result<std::string> MakeScratchFolder(const LaunchRequest& request) const;
    std::vector<std::string> ProgramArguments(const LaunchRequest& request, std::size_t instance_idx) const;
    void AddRanks(const LaunchRequest& request, std::vector<std::string>& arguments) const;

    Options options_;
};

}  // namespace espalier::jobs
