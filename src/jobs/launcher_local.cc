#include "jobs/launcher_local.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
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
constexpr std::chrono::seconds kKillTime{10};  // A killed process is gone in milliseconds unless the disk hangs.
// A runaway log or model must not fill the disk; models are far below it.
constexpr std::uint64_t kFileBytesMax = std::uint64_t{64} << 30;

void KillMarked(const std::string& token) {
    if (token.empty()) return;
    if (!KillProcessesWithEnvironment(kTokenVariable, token, kKillTime)) {
        LOG_ERROR("training processes do not die", {"token", token});
    }
}

void RemoveFolder(const std::string& path) {
    std::error_code error;
    filesystem::remove_all(path, error);
}

/// The rank that mpirun blames for the end of its job, or -1. It says "process rank 1 with PID …" of a rank ended by a
/// signal and "Process name: [[14809,1],1]" of one that returned an exit code.
int BlamedRank(const std::string& launcher_log_path) {
    std::ifstream in(launcher_log_path, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    const auto number_after = [&](std::string_view marker, std::string_view skip_past) {
        std::size_t at = text.find(marker);
        if (at != std::string::npos && !skip_past.empty()) at = text.find(skip_past, at);
        if (at == std::string::npos) return -1;
        at += skip_past.empty() ? marker.size() : skip_past.size();
        int rank = -1;
        std::from_chars(text.data() + at, text.data() + text.size(), rank);
        return rank;
    };
    const int by_signal = number_after("process rank ", "");
    return by_signal >= 0 ? by_signal : number_after("Process name: [[", "],");
}

class LocalRun final : public TrainingRun {
  public:
    LocalRun(ChildProcess child, LaunchRequest request, std::string scratch_folder)
        : child_(std::move(child)), request_(std::move(request)), scratch_folder_(std::move(scratch_folder)) {}
    ~LocalRun() override {
        Kill();
        RemoveFolder(scratch_folder_);
    }

    std::optional<ExitReport> WaitFor(std::chrono::milliseconds timeout) override {
        if (report_) return report_;
        const std::optional<int> status = child_.WaitFor(timeout);
        if (!status) return std::nullopt;
        report_ = Report(*status);
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
        if (request_.instances.size() == 1) return {.failed_instance = 1, .how = DescribeExit(status)};
        const int rank = BlamedRank(request_.launcher_log_path);
        // mpirun's own exit code is the rank's, or 128 + the signal that ended it.
        const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
        const int described = code > 128 && code < 128 + NSIG ? code - 128 : status;
        return {.failed_instance = rank < 0 ? 0 : rank + 1, .how = DescribeExit(described)};
    }

    ChildProcess child_;
    LaunchRequest request_;
    std::string scratch_folder_;
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
            .num_cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency())),
            .data_bytes_max = num_pages * page_bytes / 10 * 9,
            .file_bytes_max = kFileBytesMax};
}

std::string LocalLauncher::ScratchFolder(const std::string& token) const {
    return fmt::format("{}/espalier-{}", options_.scratch_parent, token);
}

Result<std::unique_ptr<TrainingRun>> LocalLauncher::Launch(const LaunchRequest& request) {
    const std::string scratch_folder = ScratchFolder(request.token);
    std::error_code error;
    filesystem::create_directories(scratch_folder, error);
    if (error) return ErrnoError("make " + scratch_folder, error.value());
    filesystem::permissions(scratch_folder, filesystem::perms::owner_all, error);

    const std::size_t num_instances = request.instances.size();
    const int num_threads = std::max(1, options_.num_cores / static_cast<int>(num_instances));
    ChildOptions child = {
        .arguments = {},
        .environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "HOME=" + scratch_folder,
                        "TMPDIR=" + scratch_folder, fmt::format("{}={}", kTokenVariable, request.token)},
        .output_path = request.launcher_log_path,
        .working_folder = request.instances[0].root,
        .data_bytes_max = options_.data_bytes_max,
        .file_bytes_max = options_.file_bytes_max};
    const auto add_trainer = [&](const LaunchRequest::Instance& instance) {
        for (const std::string& argument :
             {options_.trainer_path, std::string("--root"), instance.root, std::string("--image"), request.image,
              std::string("--threads"), std::to_string(num_threads), std::string("--log"), instance.log_path}) {
            child.arguments.push_back(argument);
        }
    };
    if (num_instances == 1) {
        // What goes wrong before --log is obeyed (a missing library, say) belongs into the same log.
        child.output_path = request.instances[0].log_path;
        add_trainer(request.instances[0]);
    } else {
        child.environment.insert(child.environment.end(),
                                 {"OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"});
        child.arguments = {options_.mpirun_path, "--oversubscribe", "--bind-to", "none"};
        // yield: a rank that waits must not take a core from another job. Single copy (process_vm_readv) is refused in
        // many containers, with an error line for each message.
        const std::pair<const char*, std::string> parameters[] = {{"plm", "isolated"},
                                                                  {"oob_tcp_if_include", "lo"},
                                                                  {"pml", "ob1"},
                                                                  {"btl", "self,vader"},
                                                                  {"btl_vader_single_copy_mechanism", "none"},
                                                                  {"btl_vader_backing_directory", scratch_folder},
                                                                  {"orte_tmpdir_base", scratch_folder},
                                                                  {"mpi_yield_when_idle", "1"}};
        for (const auto& [name, value] : parameters) {
            child.arguments.insert(child.arguments.end(), {"--mca", name, value});
        }
        for (std::size_t i = 0; i < num_instances; ++i) {
            if (i > 0) child.arguments.push_back(":");
            child.arguments.insert(child.arguments.end(), {"-n", "1"});
            add_trainer(request.instances[i]);
        }
    }
    auto started = ChildProcess::Start(child);
    if (!started) {
        RemoveFolder(scratch_folder);
        return std::move(started).error();
    }
    return std::unique_ptr<TrainingRun>(
        std::make_unique<LocalRun>(std::move(started).value(), request, scratch_folder));
}

void LocalLauncher::KillLeftovers(const std::string& token) {
    if (token.empty()) return;
    KillMarked(token);
    RemoveFolder(ScratchFolder(token));
}

}  // namespace espalier::jobs
