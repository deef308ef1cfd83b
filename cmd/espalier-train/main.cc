// One training instance under the /opt/ml directory contract.
//
//   espalier-train --root DIR [--image IMAGE_URI] [--threads N] [--progress FILE] [--log FILE]
//   mpirun -n 1 espalier-train --root R/algo-1 : -n 1 espalier-train --root R/algo-2
//
// Exit code 0: the model is written; 1: it is not, and DIR/output/failure says why; 2: wrong usage; 75: another
// instance was lost, starting all of them again may go well. SIGTERM or SIGUSR1: finish the round, write the model so
// far. Under mpirun only SIGUSR1 stops the job in good order: mpirun sends SIGTERM to the ranks that remain when one
// has died. FILE of --progress is a mark (base/progress_mark.h) that whoever started it watches.
#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "base/algorithm_image.h"
#include "base/process_output.h"
#include "base/progress_mark.h"
#include "collective/mpi_comm.h"
#include "collective/self_comm.h"
#include "kernels/simd_targets.h"
#include "learn/training_instance.h"

namespace {

using namespace espalier;

constexpr int kExitInstanceLost = 75;  // EX_TEMPFAIL

std::atomic<bool> stop_flag{false};
std::atomic<bool> ending_flag{false};
std::string out_of_memory_root;

void OnStop(int) {
    stop_flag.store(true, std::memory_order_relaxed);
}
void OnEnd(int) {
    stop_flag.store(true, std::memory_order_relaxed);
    ending_flag.store(true, std::memory_order_relaxed);
}

void InstallSignals() {
    struct sigaction action {};
    action.sa_flags = SA_RESTART;
    action.sa_handler = OnStop;
    sigaction(SIGUSR1, &action, nullptr);
    action.sa_handler = OnEnd;
    sigaction(SIGTERM, &action, nullptr);
}

[[noreturn]] void OnOutOfMemory() {
    std::set_new_handler(nullptr);
    constexpr const char* kReason =
        "ClientError: Out of Memory. Please use a larger instance and/or reduce the values of other parameters (e.g. "
        "num_class, max_bin, max_depth) if applicable.";
    std::fprintf(stderr, "%s\n", kReason);
    learn::WriteFailure(out_of_memory_root, kReason);
    std::_Exit(1);
}

Result<void> Run(const learn::InstanceOptions& options, std::unique_ptr<collective::MpiComm>& mpi) {
    const auto config = TRY(learn::ReadInstanceConfig(options.root));
    const SystemClock clock;
    const bool launched = collective::MpiComm::StartedByLauncher();
    if (config.hosts.size() > 1 && !launched) {
        return Error(
            ErrorCode::kInvalidArgument,
            fmt::format("resourceconfig.json lists {} hosts, but this instance was not started by mpirun. Start "
                        "all of them together: mpirun -n 1 espalier-train --root R/algo-1 : -n 1 espalier-train "
                        "--root R/algo-2",
                        config.hosts.size()));
    }
    if (config.hosts.size() == 1) {
        collective::SelfComm self;
        return RunInstance(options, config, clock, self);
    }
    mpi = TRY(collective::MpiComm::Create({.ending = &ending_flag, .names = config.hosts, .mark = options.mark}));
    return RunInstance(options, config, clock, *mpi);
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("One training instance under the /opt/ml directory contract.", "espalier-train");
    app.set_version_flag("--version", "espalier-train 0.1.0");
    learn::InstanceOptions options;
    std::string image;
    std::string log_path;
    std::string progress_path;
    app.add_option("--root", options.root,
                   "folder with input/config and input/data; model/ and output/ are written there")
        ->required();
    app.add_option("--image", image, "URI of the built-in image whose rules and texts count (default: the newest)");
    app.add_option("--threads", options.num_threads, "threads of this instance (default: all cores)")
        ->check(CLI::Range(1, 256));
    app.add_option("--progress", progress_path, "mark of progress, made by the program that watches it");
    app.add_option("--log", log_path, "file that takes standard output and standard error");
    app.footer(
        "Example:\n"
        "  mkdir -p job/input/config job/input/data/train\n"
        "  echo '{\"objective\": \"reg:squarederror\", \"num_round\": \"10\"}' > "
        "job/input/config/hyperparameters.json\n"
        "  cp my-data.libsvm job/input/data/train/\n"
        "  espalier-train --root job        # prints a line per round; the model is job/model/xgboost-model");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    if (Result<void> sent = SendOutputTo(log_path); !sent) {
        std::fprintf(stderr, "%s\n", sent.error().ToString().c_str());
        return 2;
    }
    const auto mark = ProgressMark::InFile(progress_path);
    options.mark = mark ? mark->get() : nullptr;
    options.stop = &stop_flag;
    if (const char* trace_parent = std::getenv("TRACEPARENT"); trace_parent != nullptr)
        options.trace_parent = trace_parent;
    out_of_memory_root = options.root;
    std::set_new_handler(OnOutOfMemory);
    InstallSignals();

    std::unique_ptr<collective::MpiComm> mpi;
    Result<void> result = kernels::ApplySimdEnvironment();
    if (!mark) result = Error(ErrorCode::kIo, mark.error().ToString());
    AlgorithmVersion version = AlgorithmVersion::k3_2_0;
    if (!image.empty()) {
        auto recognised = RecogniseAlgorithmImage(image);
        if (recognised.has_value()) {
            version = *recognised;
        } else {
            result = std::move(recognised).error();
        }
    }
    options.profile = ProfileOf(version);
    if (result.has_value()) result = Run(options, mpi);
    int code = 0;
    if (!result.has_value()) {
        const std::string reason = learn::FailureReason(result.error(), options.profile.error_style);
        std::fflush(stdout);
        std::fprintf(stderr, "%s\n", reason.c_str());
        learn::WriteFailure(options.root, reason);
        code = result.error().code() == ErrorCode::kUnavailable ? kExitInstanceLost : 1;
    }
    std::fflush(nullptr);
    if (mpi != nullptr) mpi->Exit(code);
    return code;
}
