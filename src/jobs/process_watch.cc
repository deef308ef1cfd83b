#include "jobs/process_watch.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace espalier::jobs {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::seconds;

// What one look counts at most: a watcher, or a machine, that slept itself has seen nothing.
constexpr milliseconds kLookMax{2000};

std::string For(milliseconds time) {
    return fmt::format("{} s", duration_cast<seconds>(time + milliseconds(999)).count());
}

}  // namespace

std::optional<ProcessLook> LookAtProcess(int pid) {
    std::ifstream in(fmt::format("/proc/{}/stat", pid));
    std::string text;
    if (!std::getline(in, text)) return std::nullopt;
    // pid (name) state ppid …; the name may hold blanks and parentheses.
    const std::size_t name_end = text.rfind(')');
    if (name_end == std::string::npos) return std::nullopt;
    std::istringstream fields(text.substr(name_end + 1));
    ProcessLook look;
    std::string skipped;
    fields >> look.state;
    for (int field = 4; field < 14; ++field) fields >> skipped;
    long long user_ticks = 0;
    long long system_ticks = 0;
    if (!(fields >> user_ticks >> system_ticks)) return std::nullopt;
    look.cpu_time = milliseconds((user_ticks + system_ticks) * 1000 / std::max(1L, sysconf(_SC_CLK_TCK)));
    return look;
}

std::optional<std::string> ProcessWatch::Judge(std::chrono::steady_clock::time_point now, const ProcessLook& look,
                                               const std::optional<ProgressMark::Seen>& seen) {
    const milliseconds passed =
        last_look_ ? std::min(kLookMax, duration_cast<milliseconds>(now - *last_look_)) : milliseconds(0);
    const milliseconds computed = last_look_ ? look.cpu_time - cpu_time_ : milliseconds(0);
    const bool moved = !last_look_ || !seen || seen->waits || seen->num_moves != num_moves_;
    last_look_ = now;
    cpu_time_ = look.cpu_time;
    num_moves_ = seen ? seen->num_moves : 0;

    stopped_ = look.IsStopped() ? stopped_ + passed : milliseconds(0);
    if (stopped_ > limits_.stopped) return fmt::format("was stopped for {}", For(limits_.stopped));
    if (moved) {
        asleep_ = computing_ = milliseconds(0);
        return std::nullopt;
    }
    asleep_ = look.state == 'S' && computed == milliseconds(0) ? asleep_ + passed : milliseconds(0);
    if (asleep_ > limits_.asleep) return fmt::format("slept for {} without getting on", For(limits_.asleep));
    computing_ += std::min(passed, computed);
    const milliseconds stated = seen->patience > milliseconds(0) ? seen->patience : limits_.computing;
    const milliseconds patience = std::min(stated, limits_.computing_max);
    if (computing_ <= patience) return std::nullopt;
    return fmt::format("has computed for {} of processor time without getting on", For(patience));
}

}  // namespace espalier::jobs
