#include "jobs/process_watch.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace espalier::jobs {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Seen = ProgressMark::Seen;

constexpr ProcessWatch::Limits kLimits = {
    .stopped = seconds(10), .asleep = seconds(60), .computing = seconds(60), .computing_max = seconds(200)};

/// Looks once a second at a process that a test describes.
class Watched {
  public:
    /// The second in which it was found to be stuck; 0 when it never was.
    template <typename Second>
    int StuckAfter(int num_seconds, const Second& second) {
        for (int i = 0; i <= num_seconds; ++i) {
            second(i);
            verdict = watch.Judge(now, look, seen);
            if (verdict) return i;
            now += step;
        }
        return 0;
    }

    ProcessWatch watch{kLimits};
    std::chrono::steady_clock::time_point now{seconds(1000)};
    milliseconds step = seconds(1);
    ProcessLook look;
    std::optional<Seen> seen = Seen{.num_moves = 1, .patience = milliseconds(0), .pid = 1, .waits = false};
    std::optional<std::string> verdict;
};

TEST(ProcessWatchTest, OneThatIsStoppedIsNoticedInSecondsAlsoWhileItWaits) {
    for (const char state : {'T', 't', 'Z'}) {
        for (const bool waits : {false, true}) {
            Watched watched;
            watched.look.state = state;
            watched.seen->waits = waits;
            EXPECT_EQ(watched.StuckAfter(100, [](int) {}), 11) << state;
            EXPECT_EQ(watched.verdict, "was stopped for 10 s");
        }
    }
    Watched without_mark;
    without_mark.look.state = 'T';
    without_mark.seen.reset();
    EXPECT_EQ(without_mark.StuckAfter(100, [](int) {}), 11);
    Watched goes_on;
    EXPECT_EQ(goes_on.StuckAfter(300, [&](int i) { goes_on.look.state = i % 9 == 0 ? 'R' : 'T'; }), 0)
        << "stopped again and again, but never for long";
}

TEST(ProcessWatchTest, OneThatComputesForEverIsNoticedByItsProcessorTime) {
    Watched watched;
    EXPECT_EQ(watched.StuckAfter(500, [&](int i) { watched.look.cpu_time = seconds(i); }), 61);
    EXPECT_EQ(watched.verdict, "has computed for 60 s of processor time without getting on");
    Watched many_threads;
    EXPECT_EQ(many_threads.StuckAfter(500, [&](int i) { many_threads.look.cpu_time = seconds(64 * i); }), 61)
        << "it is the time that counts, not the number of threads";
    Watched half;
    EXPECT_EQ(half.StuckAfter(500, [&](int i) { half.look.cpu_time = milliseconds(500 * i); }), 121)
        << "on a busy machine it has not computed while others did";
    Watched patient;
    patient.seen->patience = seconds(100);
    EXPECT_EQ(patient.StuckAfter(500, [&](int i) { patient.look.cpu_time = seconds(i); }), 101);
    Watched boundless;
    boundless.seen->patience = seconds(100000);
    EXPECT_EQ(boundless.StuckAfter(500, [&](int i) { boundless.look.cpu_time = seconds(i); }), 201);
}

TEST(ProcessWatchTest, OneThatSleepsForEverIsNoticed) {
    Watched watched;
    watched.look.state = 'S';
    EXPECT_EQ(watched.StuckAfter(500, [](int) {}), 61);
    EXPECT_EQ(watched.verdict, "slept for 60 s without getting on");
}

TEST(ProcessWatchTest, NobodyElseIsDisturbed) {
    Watched moves;
    EXPECT_EQ(moves.StuckAfter(5000,
                               [&](int i) {
                                   moves.look.cpu_time = seconds(i);
                                   moves.seen->num_moves = static_cast<std::uint64_t>(i / 59);
                               }),
              0);
    Watched waits;
    waits.look.state = 'S';
    waits.seen->waits = true;
    EXPECT_EQ(waits.StuckAfter(5000, [&](int i) { waits.look.cpu_time = seconds(i); }), 0);
    Watched disk;
    disk.look.state = 'D';
    EXPECT_EQ(disk.StuckAfter(5000, [](int) {}), 0);
    Watched starved;
    EXPECT_EQ(starved.StuckAfter(5000, [](int) {}), 0) << "ready to run, but it gets no processor";
    Watched slept;  // The machine slept: each look comes an hour after the last, and counts two seconds.
    slept.step = std::chrono::hours(1);
    slept.look.state = 'S';
    EXPECT_EQ(slept.StuckAfter(29, [](int) {}), 0);
}

TEST(ProcessWatchTest, TheKernelTellsStateAndProcessorTime) {
    const auto own = LookAtProcess(getpid());
    ASSERT_TRUE(own);
    EXPECT_EQ(own->state, 'R');
    const pid_t child = fork();
    if (child == 0) {
        raise(SIGSTOP);
        _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, WUNTRACED), child);
    EXPECT_EQ(LookAtProcess(child)->state, 'T');
    kill(child, SIGKILL);
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_FALSE(LookAtProcess(child));
}

}  // namespace
}  // namespace espalier::jobs
