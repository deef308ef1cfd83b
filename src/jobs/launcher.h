// Starts the processes of a job (the instances of a training job, a batch transform) somewhere and watches them. One
// interface, one file per place: launcher_local (processes of this machine), later Slurm.
//
// Life: Launch -> WaitFor until it gives an ExitReport -> done. AskToStop makes the trainer finish its round and write
// the model; Kill ends it at once. Destroying a TrainingRun kills what is left and waits for it.
// Every process carries `token` in its environment, so that KillLeftovers finds the processes of a server that died,
// whatever became of their parents and groups.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace espalier::jobs {

/// The mark of one launch's processes: differs between jobs (by their work folders), launches and times.
std::string NewProcessToken(const std::string& work_folder, std::int64_t num_launches, const Clock& clock);

enum class Program { kTrainer, kTransformer };

struct LaunchRequest {
    struct Instance {
        std::string root;      ///< the /opt/ml-shaped folder
        std::string log_path;  ///< standard output and error go here
    };
    Program program = Program::kTrainer;
    std::string token;                          ///< letters and digits
    std::string image = {};                     ///< kTrainer only
    std::vector<Instance> instances;            ///< in the order of their numbers, which are their ranks
    std::vector<std::string> environment = {};  ///< "NAME=value", for the programs
    std::string launcher_log_path = {};         ///< what the launcher itself says; several instances only
    int num_threads = 0;                        ///< of each instance; 0 = a share of the cores
};

struct ExitReport {
    bool succeeded = false;
    /// The instance that ended first and badly, from 1; 0 when unknown or when all is well.
    int failed_instance = 0;
    /// "ended by signal 9 (Killed)", "exit code 3": how, for a sentence about it. "" when all is well.
    std::string how = {};
    /// It could not help it: a signal ended it, it lost another instance, or it was stuck. Starting again may go well.
    bool interrupted = false;
    /// It did not get on any more and was ended for that: `how` is "was stopped for 10 s".
    bool stuck = false;
};

class TrainingRun {
  public:
    virtual ~TrainingRun() = default;
    /// Waits at most `timeout` for the end of all instances. Once given, the report stays the same.
    virtual std::optional<ExitReport> WaitFor(std::chrono::milliseconds timeout) = 0;
    /// May be said again. A trainer that is still starting up ends without a model, or does not hear it.
    virtual void AskToStop() = 0;
    virtual void Kill() = 0;
};

class Launcher {
  public:
    virtual ~Launcher() = default;
    /// Must be called, and the TrainingRun destroyed, on one thread, which outlives the instances: they die with it.
    virtual Result<std::unique_ptr<TrainingRun>> Launch(const LaunchRequest& request) = 0;
    /// Ends every process that carries the token and removes what such a run leaves behind. Returns when they are gone.
    virtual void KillLeftovers(const std::string& token) = 0;
    /// The program that trains, as a file; "" when there is none.
    virtual std::string TrainerPath() const { return ""; }
};

}  // namespace espalier::jobs
