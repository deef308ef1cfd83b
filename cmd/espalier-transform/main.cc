// One batch transform, started by the server with a folder that says what to do (src/transform/transform_plan.h).
//
//   espalier-transform --root DIR [--threads N] [--progress FILE] [--log FILE]
//
// Exit code 0: every object has its output; 1: not, and DIR/output/failure says why; 2: wrong usage.
// SIGTERM or SIGUSR1: end after the payloads at hand; outputs that are whole stay.
// FILE of --progress is a mark (base/progress_mark.h) that whoever started it watches.
#include <signal.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "base/process_output.h"
#include "base/progress_mark.h"
#include "transform/transform_instance.h"

namespace {

using namespace espalier;

std::atomic<bool> stop_flag{false};

void OnStop(int) {
    stop_flag.store(true, std::memory_order_relaxed);
}

void InstallSignals() {
    struct sigaction action {};
    action.sa_flags = SA_RESTART;
    action.sa_handler = OnStop;
    sigaction(SIGUSR1, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("One batch transform, started by the server.", "espalier-transform");
    app.set_version_flag("--version", "espalier-transform 0.1.0");
    std::string root;
    std::string log_path;
    std::string progress_path;
    int num_threads = 1;
    app.add_option("--root", root, "folder with transform.json, model.tar.gz and input/; output/ is written there")
        ->required();
    app.add_option("--threads", num_threads, "payloads at work at a time")->check(CLI::Range(1, 256));
    app.add_option("--progress", progress_path, "mark of progress, made by the program that watches it");
    app.add_option("--log", log_path, "file that takes standard output and standard error");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    if (Result<void> sent = SendOutputTo(log_path); !sent) {
        std::fprintf(stderr, "%s\n", sent.error().ToString().c_str());
        return 2;
    }
    InstallSignals();
    const auto run = [&]() -> Result<void> {
        const std::unique_ptr<ProgressMark> mark = TRY(ProgressMark::InFile(progress_path));
        const char* trace_parent = std::getenv("TRACEPARENT");
        return transform::RunTransform(root, num_threads, trace_parent == nullptr ? "" : trace_parent, stop_flag,
                                       *mark);
    };
    const Result<void> result = run();
    if (result) return 0;
    const std::string reason = result.error().ToString();
    std::fprintf(stderr, "%s\n", reason.c_str());
    transform::WriteFailure(root, reason);
    return 1;
}
