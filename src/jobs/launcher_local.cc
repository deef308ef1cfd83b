#include "jobs/launcher_local.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <thread>
#include <utility>

#include "base/log.h"
#include "jobs/child_process.h"

namespace espalier::jobs {
namespace {

namespace filesystem = std::filesystem;

constexpr const char* kTokenVariable = "ESPALIER_JOB_TOKEN";
constexpr const char* kRankVariable = "OMPI_COMM_WORLD_RANK";  // as mpirun sets it
constexpr int kExitInstanceLost = 75;                          // EX_TEMPFAIL, as espalier-train's header says
constexpr std::chrono::milliseconds kLookInterval{500};
constexpr std::chrono::seconds kKillTime{10};  // A killed process is gone in milliseconds unless the disk hangs.
// A runaway log or model must not fill the disk; models are far below it.
constexpr std::uint64_t kFileBytesMax = std::uint64_t{64} << 30;

std::string TokenEntry(const std::string& token) {
    return fmt::format("{}={}", kTokenVariable, token);
}

void KillMarked(const std::string& token) {
    if (token.empty()) return;
    if (!KillProcessesWithEnvironment({TokenEntry(token)}, kKillTime)) {
        LOG_ERROR("training processes do not die", {"token", token});
    }
}

void RemoveFolder(const std::string& path) {
    std::error_code error;
    filesystem::remove_all(path, error);
}

// Around each rank: mpirun does not reliably say which rank ended first, so the rank's shell notes its end in a file. A
// rank that mpirun ends because another one has failed takes its shell along (both get the signal) and notes nothing.
// SIGUSR1 goes to the whole group of a rank: the shell must outlive it (a trap that does nothing; the trainer itself
// starts with the default).
constexpr const char* kRankScript =
    R"(trap : USR1; status="$1"; shift; "$@"; code=$?; echo $code > "$status"; exit $code)";

// mpirun and each rank would look at every device of the machine, X servers of graphics cards included, and lay out
// memory for PMIx to share: more than half of the time that ranks take to start.
constexpr const char* kRankEnvironment[] = {"OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1",
                                            "HWLOC_COMPONENTS=no_os,stop", "HWLOC_PLUGINS_PATH=/dev/null",
                                            "PMIX_MCA_gds=hash"};

std::string StatusPath(const LaunchRequest::Instance& instance) {
    return instance.log_path + ".status";
}

/// How a rank's shell says that its trainer ended, as a waitpid status.
int AsWaitStatus(int shell_code) {
    return shell_code > 128 && shell_code < 128 + NSIG ? shell_code - 128 : shell_code << 8;
}

/// What the shells of the instances have noted.
struct NotedEnds {
    int culprit = 0;         ///< the instance that ended badly first, from 1
    int culprit_status = 0;  ///< as of waitpid
    std::size_t num_well = 0;
};

NotedEnds ReadNotedEnds(const std::vector<LaunchRequest::Instance>& instances) {
    NotedEnds ends;
    filesystem::file_time_type earliest;
    for (std::size_t i = 0; i < instances.size(); ++i) {
        std::ifstream in(StatusPath(instances[i]));
        int code = 0;
        std::error_code error;
        const auto time = filesystem::last_write_time(StatusPath(instances[i]), error);
        if (!(in >> code) || error) continue;
        if (code == 0) {
            ++ends.num_well;
        } else if (ends.culprit == 0 || time < earliest) {
            ends.culprit = static_cast<int>(i) + 1;
            ends.culprit_status = AsWaitStatus(code);
            earliest = time;
        }
    }
    return ends;
}

std::string MarkPath(const std::string& scratch_folder, std::size_t instance_idx) {
    return fmt::format("{}/progress-{}", scratch_folder, instance_idx + 1);
}

class LocalRun final : public TrainingRun {
  public:
    LocalRun(ChildProcess child, LaunchRequest request, std::string scratch_folder, const ProcessWatch::Limits& limits)
        : child_(std::move(child)),
          request_(std::move(request)),
          scratch_folder_(std::move(scratch_folder)),
          launcher_patience_(limits.stopped),
          child_watch_(limits),
          instance_watches_(request_.instances.size(), ProcessWatch(limits)) {}
    ~LocalRun() override {
        Kill();
        RemoveFolder(scratch_folder_);
    }

    std::optional<ExitReport> WaitFor(std::chrono::milliseconds timeout) override {
        if (report_) return report_;
        if (const std::optional<int> status = child_.WaitFor(timeout)) {
            report_ = Report(*status);
        } else if (const auto now = std::chrono::steady_clock::now(); now >= next_look_) {
            next_look_ = now + kLookInterval;
            EndStuck(now);
            if (!report_ && request_.instances.size() > 1) EndIdleLauncher(now);
        }
        return report_;
    }
    void AskToStop() override { child_.Signal(SIGUSR1); }
    void Kill() override {
        child_.Signal(SIGKILL);
        // Ranks are not mpirun's to kill once it is dead, and have process groups of their own.
        if (!swept_) KillMarked(request_.token);
        swept_ = true;
    }

  private:
    ExitReport Report(int status) const {
        if (status == 0) return {.succeeded = true};
        if (request_.instances.size() == 1) return Failure(1, status);
        const NotedEnds ends = ReadNotedEnds(request_.instances);
        return Failure(ends.culprit, ends.culprit == 0 ? status : ends.culprit_status);
    }
    static ExitReport Failure(int number, int status) {
        return {.failed_instance = number,
                .how = DescribeExit(status),
                .interrupted = WIFSIGNALED(status) || WEXITSTATUS(status) == kExitInstanceLost};
    }

    /// Ends all instances when one of them does not get on any more.
    void EndStuck(std::chrono::steady_clock::time_point now) {
        for (std::size_t i = 0; i < instance_watches_.size(); ++i) {
            auto seen = ProgressMark::LookAt(MarkPath(scratch_folder_, i));
            if (seen && seen->pid == 0) seen.reset();
            const auto look = seen ? LookAtProcess(seen->pid) : LookAtStarting(i);
            if (!look) continue;  // Not there yet, or it has ended: its launcher is watched, and tells.
            if (const auto how = instance_watches_[i].Judge(now, *look, seen))
                return End(static_cast<int>(i) + 1, *how);
        }
        const auto look = LookAtProcess(child_.pid());
        if (!look) return;
        // Of several instances this is mpirun, which only waits. A single one may be stopped before it has a mark.
        const int number = request_.instances.size() == 1 ? 1 : 0;
        if (const auto how = child_watch_.Judge(now, *look, std::nullopt)) End(number, *how);
    }

    /// A rank that has no mark yet: its shell, or its trainer when that one has been stopped. Empty for a single
    /// instance, which is the child that is watched anyway.
    std::optional<ProcessLook> LookAtStarting(std::size_t instance_idx) const {
        if (request_.instances.size() == 1) return std::nullopt;
        std::optional<ProcessLook> last;
        for (const pid_t pid : ProcessesWithEnvironment(
                 {TokenEntry(request_.token), fmt::format("{}={}", kRankVariable, instance_idx)})) {
            if (const auto look = LookAtProcess(pid)) last = look;
            if (last && last->IsStopped()) break;
        }
        return last;
    }

    /// Open MPI 4.1 with PMIx 4.2: when a rank dies while it starts, mpirun now and then takes a lock twice at its own
    /// end, when no rank is left, and stays. What the ranks have noted is then the result.
    void EndIdleLauncher(std::chrono::steady_clock::time_point now) {
        const NotedEnds ends = ReadNotedEnds(request_.instances);
        const bool all_well = ends.num_well == request_.instances.size();
        if (!all_well && ends.culprit == 0) return;
        if (!ended_since_) ended_since_ = now;
        if (now - *ended_since_ <= launcher_patience_) return;
        LOG_WARN("mpirun does not end after its instances", {"token", request_.token}, {"culprit", ends.culprit});
        Kill();
        if (!child_.WaitFor(kKillTime)) return;  // The next look finds it dead.
        report_ = all_well ? ExitReport{.succeeded = true} : Failure(ends.culprit, ends.culprit_status);
    }

    void End(int number, const std::string& how) {
        LOG_WARN("instance does not get on", {"token", request_.token}, {"instance", number}, {"how", how});
        Kill();
        if (!child_.WaitFor(kKillTime)) return;  // The next look finds it dead.
        report_ = {.failed_instance = number, .how = how, .interrupted = true, .stuck = true};
    }

    ChildProcess child_;
    LaunchRequest request_;
    std::string scratch_folder_;
    const std::chrono::milliseconds launcher_patience_;
    std::optional<std::chrono::steady_clock::time_point> ended_since_;  ///< mpirun has nothing to wait for
    ProcessWatch child_watch_;
    std::vector<ProcessWatch> instance_watches_;
    std::chrono::steady_clock::time_point next_look_{};
    std::optional<ExitReport> report_;
    bool swept_ = false;
};

}  // namespace

LocalLauncher::Options LocalLauncher::ForThisMachine() {
    std::error_code error;
    const filesystem::path program = filesystem::read_symlink("/proc/self/exe", error);
    const auto num_pages = static_cast<std::uint64_t>(std::max(0L, sysconf(_SC_PHYS_PAGES)));
    const auto page_bytes = static_cast<std::uint64_t>(std::max(0L, sysconf(_SC_PAGESIZE)));
    return {.trainer_path = (program.parent_path() / "espalier-train").string(),
            .transformer_path = (program.parent_path() / "espalier-transform").string(),
            .num_cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency())),
            .data_bytes_max = num_pages * page_bytes / 10 * 9,
            .file_bytes_max = kFileBytesMax};
}

std::string LocalLauncher::ScratchFolder(const std::string& token) const {
    return fmt::format("{}/espalier-{}", options_.scratch_parent, token);
}

std::vector<std::string> LocalLauncher::ProgramArguments(const LaunchRequest& request, std::size_t instance_idx) const {
    const LaunchRequest::Instance& instance = request.instances[instance_idx];
    const int share = std::max(1, options_.num_cores / static_cast<int>(request.instances.size()));
    const int num_threads = request.num_threads > 0 ? request.num_threads : share;
    const bool trains = request.program == Program::kTrainer;
    std::vector<std::string> arguments = {trains ? options_.trainer_path : options_.transformer_path, "--root",
                                          instance.root};
    if (trains) arguments.insert(arguments.end(), {"--image", request.image});
    arguments.insert(arguments.end(),
                     {"--threads", std::to_string(num_threads), "--progress",
                      MarkPath(ScratchFolder(request.token), instance_idx), "--log", instance.log_path});
    return arguments;
}

/// The run's own folder, with the marks of its instances.
Result<std::string> LocalLauncher::MakeScratchFolder(const LaunchRequest& request) const {
    const std::string scratch_folder = ScratchFolder(request.token);
    std::error_code error;
    filesystem::create_directories(scratch_folder, error);
    if (error) return ErrnoError("make " + scratch_folder, error.value());
    filesystem::permissions(scratch_folder, filesystem::perms::owner_all, error);
    for (std::size_t i = 0; i < request.instances.size(); ++i) {
        Result<void> made = ProgressMark::MakeFile(MarkPath(scratch_folder, i));
        if (made) continue;
        RemoveFolder(scratch_folder);
        return std::move(made).error();
    }
    return scratch_folder;
}

/// mpirun's command line for all instances.
void LocalLauncher::AddRanks(const LaunchRequest& request, std::vector<std::string>& arguments) const {
    const std::string scratch_folder = ScratchFolder(request.token);
    arguments = {options_.mpirun_path, "--oversubscribe", "--bind-to", "none"};
    // No yield: it is collective/mpi_comm that waits, and knows when to yield and when to sleep. Single copy
    // (process_vm_readv) is refused in many containers, with an error line for each message.
    const std::pair<const char*, std::string> parameters[] = {{"plm", "isolated"},
                                                              {"oob_tcp_if_include", "lo"},
                                                              {"pml", "ob1"},
                                                              {"btl", "self,vader"},
                                                              {"btl_vader_single_copy_mechanism", "none"},
                                                              {"btl_vader_backing_directory", scratch_folder},
                                                              {"orte_tmpdir_base", scratch_folder},
                                                              {"mpi_yield_when_idle", "0"}};
    for (const auto& [name, value] : parameters) arguments.insert(arguments.end(), {"--mca", name, value});
    for (std::size_t i = 0; i < request.instances.size(); ++i) {
        if (i > 0) arguments.push_back(":");
        std::error_code absent;
        filesystem::remove(StatusPath(request.instances[i]), absent);
        arguments.insert(arguments.end(),
                         {"-n", "1", "/bin/sh", "-c", kRankScript, "rank", StatusPath(request.instances[i])});
        const std::vector<std::string> program = ProgramArguments(request, i);
        arguments.insert(arguments.end(), program.begin(), program.end());
    }
}

Result<std::unique_ptr<TrainingRun>> LocalLauncher::Launch(const LaunchRequest& request) {
    const std::string scratch_folder = TRY(MakeScratchFolder(request));
    ChildOptions child = {.arguments = {},
                          .environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "HOME=" + scratch_folder,
                                          "TMPDIR=" + scratch_folder, TokenEntry(request.token)},
                          .output_path = request.launcher_log_path,
                          .working_folder = request.instances[0].root,
                          .data_bytes_max = options_.data_bytes_max,
                          .file_bytes_max = options_.file_bytes_max};
    child.environment.insert(child.environment.end(), request.environment.begin(), request.environment.end());
    if (request.instances.size() == 1) {
        // What goes wrong before --log is obeyed (a missing library, say) belongs into the same log.
        child.output_path = request.instances[0].log_path;
        child.arguments = ProgramArguments(request, 0);
    } else {
        child.environment.insert(child.environment.end(), std::begin(kRankEnvironment), std::end(kRankEnvironment));
        AddRanks(request, child.arguments);
    }
    auto started = ChildProcess::Start(child);
    if (!started) {
        RemoveFolder(scratch_folder);
        return std::move(started).error();
    }
    return std::unique_ptr<TrainingRun>(
        std::make_unique<LocalRun>(std::move(started).value(), request, scratch_folder, options_.watch));
}

void LocalLauncher::KillLeftovers(const std::string& token) {
    if (token.empty()) return;
    KillMarked(token);
    RemoveFolder(ScratchFolder(token));
}

}  // namespace espalier::jobs
