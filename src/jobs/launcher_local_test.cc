#include "jobs/launcher_local.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "jobs/child_process.h"

namespace espalier::jobs {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Runs small shell scripts in the place of espalier-train.
class LocalLauncherTest : public testing::Test {
  protected:
    void SetUp() override {
        char pattern[] = "/tmp/espalier-launch-XXXXXX";
        ASSERT_NE(mkdtemp(pattern), nullptr);
        folder_ = pattern;
        token_ = folder_.substr(folder_.rfind('-') + 1);
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    /// $1… are the trainer's arguments; "$log" is the log file, "$rank" the instance's number.
    std::unique_ptr<TrainingRun> Launch(const std::string& script, int num_instances,
                                        const ProcessWatch::Limits& watch = {}, const std::string& mpirun = "") {
        const std::string path = folder_ + "/trainer.sh";
        std::ofstream(path) << "#!/bin/bash\nlog=\"${@: -1}\"\nrank=\"${log//[^0-9]/}\"; rank=\"${rank: -1}\"\n"
                            << "exec >> \"$log\" 2>&1\n"
                            << script << "\n";
        chmod(path.c_str(), 0755);
        LaunchRequest request = {
            .token = token_, .image = "xgboost:1", .instances = {}, .launcher_log_path = folder_ + "/mpirun.log"};
        for (int number = 1; number <= num_instances; ++number) {
            const std::string root = fmt::format("{}/algo-{}", folder_, number);
            std::filesystem::create_directories(root);
            request.instances.push_back({.root = root, .log_path = fmt::format("{}/log-{}", folder_, number)});
        }
        LocalLauncher::Options options = {.trainer_path = path, .num_cores = 4, .watch = watch};
        if (!mpirun.empty()) options.mpirun_path = mpirun;
        auto run = LocalLauncher(options).Launch(request);
        EXPECT_TRUE(run) << run.error().ToString();
        return run ? std::move(run).value() : nullptr;
    }
    ExitReport End(TrainingRun& run) {
        const auto deadline = std::chrono::steady_clock::now() + seconds(20);
        while (std::chrono::steady_clock::now() < deadline) {
            if (const auto report = run.WaitFor(milliseconds(100))) return *report;
        }
        ADD_FAILURE() << "the run did not end";
        return {};
    }
    std::string Read(const std::string& name) {
        std::ifstream in(folder_ + "/" + name);
        return std::string((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    }
    bool WaitForText(const std::string& name, const std::string& text) {
        const auto deadline = std::chrono::steady_clock::now() + seconds(10);
        while (Read(name).find(text) == std::string::npos) {
            if (std::chrono::steady_clock::now() > deadline) return false;
            std::this_thread::sleep_for(milliseconds(5));
        }
        return true;
    }
    std::vector<pid_t> Marked() { return ProcessesWithEnvironment({"ESPALIER_JOB_TOKEN=" + token_}); }

    std::string folder_;
    std::string token_;
};

TEST_F(LocalLauncherTest, OneInstanceGetsItsArgumentsAndACleanEnvironment) {
    setenv("ESPALIER_ROOT_SECRET_ACCESS_KEY", "planted", 1);
    const auto run = Launch("echo \"args $*\"; env; ls -l /proc/self/fd | wc -l; ulimit -c; pwd", 1);
    EXPECT_TRUE(End(*run).succeeded);
    unsetenv("ESPALIER_ROOT_SECRET_ACCESS_KEY");
    const std::string log = Read("log-1");
    EXPECT_NE(log.find(fmt::format("args --root {}/algo-1 --image xgboost:1 --threads 4 --progress "
                                   "/dev/shm/espalier-{}/progress-1 --log",
                                   folder_, token_)),
              std::string::npos)
        << log;
    EXPECT_EQ(log.find("planted"), std::string::npos) << "secrets of the server stay in the server";
    EXPECT_EQ(log.find("OMPI"), std::string::npos);
}

TEST_F(LocalLauncherTest, TellsHowAnInstanceEnded) {
    EXPECT_EQ(End(*Launch("exit 3", 1)).how, "exit code 3");
    const ExitReport killed = End(*Launch("kill -9 $$", 1));
    EXPECT_EQ(killed.how, "ended by signal 9 (Killed)");
    EXPECT_EQ(killed.failed_instance, 1);
    EXPECT_TRUE(killed.interrupted);
    EXPECT_TRUE(End(*Launch("exit 75", 1)).interrupted) << "another instance was lost";
}

TEST_F(LocalLauncherTest, AnMpirunThatOutlivesItsRanksIsEndedAndTheirEndsCount) {
    const ProcessWatch::Limits limits = {.stopped = milliseconds(300)};
    const std::string mpirun = folder_ + "/mpirun";
    const auto end_of = [&](int first, int second) {
        std::ofstream(mpirun) << fmt::format("#!/bin/sh\necho {} > {}/log-1.status\necho {} > {}/log-2.status\n", first,
                                             folder_, second, folder_)
                              << "exec sleep 600\n";
        chmod(mpirun.c_str(), 0755);
        return End(*Launch("", 2, limits, mpirun));
    };
    const ExitReport killed = end_of(0, 137);
    EXPECT_EQ(killed.failed_instance, 2);
    EXPECT_EQ(killed.how, "ended by signal 9 (Killed)");
    EXPECT_TRUE(killed.interrupted && !killed.stuck);
    EXPECT_TRUE(end_of(0, 0).succeeded);
    EXPECT_TRUE(Marked().empty());
}

/// What a trainer does with its mark: its process id goes into the 4 bytes after the first 16.
constexpr const char* kFindMark = R"sh(
while [ "$1" != --progress ]; do shift; done
printf "\\x$(printf %02x $(($$ & 255)))\\x$(printf %02x $(($$ >> 8 & 255)))\\x$(printf %02x $(($$ >> 16 & 255)))" |
    dd of="$2" bs=1 seek=16 conv=notrunc status=none
)sh";

TEST_F(LocalLauncherTest, OneThatDoesNotGetOnIsEndedAndNamed) {
    const ProcessWatch::Limits limits = {.stopped = milliseconds(500),
                                         .asleep = seconds(60),
                                         .computing = milliseconds(500),
                                         .computing_max = seconds(60)};
    for (const int num_instances : {1, 2}) {
        for (const std::string stuck : {"kill -STOP $$", "while :; do :; done"}) {
            const auto run = Launch(
                fmt::format("{} [ $rank = {} ] && {}\nwhile :; do sleep 0.05; done", kFindMark, num_instances, stuck),
                num_instances, limits);
            const ExitReport report = End(*run);
            EXPECT_TRUE(report.stuck && report.interrupted) << report.how;
            EXPECT_EQ(report.failed_instance, num_instances) << stuck;
            EXPECT_EQ(report.how, stuck[0] == 'k' ? "was stopped for 1 s"
                                                  : "has computed for 1 s of processor time without getting on");
            EXPECT_TRUE(Marked().empty());
        }
    }
}

TEST_F(LocalLauncherTest, OneThatStopsBeforeItHasItsMarkIsEndedAndNamed) {
    for (const int num_instances : {1, 2}) {
        const auto run =
            Launch(fmt::format("[ $rank = {} ] && kill -STOP $$\nwhile :; do sleep 0.05; done", num_instances),
                   num_instances, {.stopped = milliseconds(500)});
        const ExitReport report = End(*run);
        EXPECT_TRUE(report.stuck && report.interrupted) << report.how;
        EXPECT_EQ(report.failed_instance, num_instances);
        EXPECT_EQ(report.how, "was stopped for 1 s");
        EXPECT_TRUE(Marked().empty());
    }
}

TEST_F(LocalLauncherTest, AMissingTrainerIsTold) {
    LaunchRequest request = {.token = token_,
                             .image = "xgboost:1",
                             .instances = {{.root = folder_, .log_path = folder_ + "/log"}},
                             .launcher_log_path = folder_ + "/mpirun.log"};
    const auto run = LocalLauncher({.trainer_path = folder_ + "/none"}).Launch(request);
    ASSERT_FALSE(run);
    EXPECT_NE(run.error().ToString().find("exec: No such file or directory"), std::string::npos)
        << run.error().ToString();
}

TEST_F(LocalLauncherTest, AskToStopReachesEveryRank) {
    for (const int num_instances : {1, 2}) {
        const auto run =
            Launch("trap 'echo stopping; exit 0' USR1; echo up; while true; do sleep 0.05; done", num_instances);
        for (int number = 1; number <= num_instances; ++number) {
            ASSERT_TRUE(WaitForText(fmt::format("log-{}", number), "up"));
        }
        run->AskToStop();
        EXPECT_TRUE(End(*run).succeeded) << Read("mpirun.log");
        for (int number = 1; number <= num_instances; ++number) {
            EXPECT_NE(Read(fmt::format("log-{}", number)).find("stopping"), std::string::npos);
            std::filesystem::remove(folder_ + fmt::format("/log-{}", number));
        }
    }
}

TEST_F(LocalLauncherTest, ADeadRankEndsAllAndIsNamed) {
    const auto by_signal = Launch("echo up; [ $rank = 2 ] && kill -9 $$; while true; do sleep 0.05; done", 2);
    const ExitReport report = End(*by_signal);
    EXPECT_FALSE(report.succeeded);
    EXPECT_EQ(report.failed_instance, 2) << Read("mpirun.log");
    EXPECT_EQ(report.how, "ended by signal 9 (Killed)");
    EXPECT_TRUE(report.interrupted);
    const auto by_code = Launch("[ $rank = 1 ] && exit 5; while true; do sleep 0.05; done", 2);
    const ExitReport code = End(*by_code);
    EXPECT_EQ(code.failed_instance, 1) << Read("mpirun.log");
    EXPECT_EQ(code.how, "exit code 5");
    EXPECT_FALSE(code.interrupted) << "it has said why it ends";
}

TEST_F(LocalLauncherTest, NothingIsLeftOfARunThatIsDropped) {
    for (const int num_instances : {1, 2}) {
        // A trainer that ignores everything, with a child that left its process group.
        auto run = Launch("trap '' TERM USR1 INT HUP; setsid sleep 300 & echo up; while true; do sleep 0.05; done",
                          num_instances);
        for (int number = 1; number <= num_instances; ++number) {
            ASSERT_TRUE(WaitForText(fmt::format("log-{}", number), "up"));
        }
        EXPECT_GE(Marked().size(), static_cast<std::size_t>(num_instances) * 2);
        run.reset();
        EXPECT_TRUE(Marked().empty());
        EXPECT_FALSE(std::filesystem::exists("/dev/shm/espalier-" + token_));
    }
}

TEST_F(LocalLauncherTest, InstancesDieWithTheThreadThatStartedThem) {
    // The thread stands for a server that is killed: it ends without any clean-up of the run.
    TrainingRun* leaked = nullptr;
    std::thread([&] {
        leaked = Launch("echo up; while true; do sleep 0.05; done", 1).release();
        EXPECT_TRUE(WaitForText("log-1", "up"));
    }).join();
    EXPECT_EQ(End(*leaked).how, "ended by signal 9 (Killed)");
    delete leaked;
}

TEST_F(LocalLauncherTest, LeftoversAreFoundByTheirMark) {
    auto run = Launch("trap '' TERM USR1; echo up; while true; do sleep 0.05; done", 2);
    ASSERT_TRUE(WaitForText("log-2", "up"));
    LocalLauncher({}).KillLeftovers(token_);
    EXPECT_TRUE(Marked().empty());
    EXPECT_FALSE(End(*run).succeeded);
}

}  // namespace
}  // namespace espalier::jobs
