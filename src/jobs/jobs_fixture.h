// For the tests of this module: a store and a database in a temporary folder, a clock that tests set, and a launcher
// whose instances do what the test says. Not part of the product.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "jobs/job_service.h"
#include "jobs/launcher.h"
#include "store/object_store.h"

namespace espalier::jobs {

/// Wall and monotonic time move together, by Advance only.
class TestClock final : public Clock {
  public:
    UnixMillis WallMillis() const override { return 1'700'000'000'000 + millis_; }
    std::chrono::steady_clock::time_point Now() const override {
        return std::chrono::steady_clock::time_point(std::chrono::milliseconds(1'000'000 + millis_));
    }
    void Advance(std::chrono::milliseconds time) { millis_ += time.count(); }

  private:
    std::atomic<std::int64_t> millis_ = 0;
};

/// What a fake training run is told and tells.
struct FakeRunState {
    LaunchRequest request;
    std::atomic<bool> asked_to_stop = false;
    std::atomic<bool> killed = false;
    std::mutex mutex;
    std::optional<ExitReport> report;  // guarded by mutex

    void End(const ExitReport& how) {
        const std::lock_guard lock(mutex);
        if (!report) report = how;
    }
    void Print(int number, const std::string& text) const {
        std::ofstream(request.instances[static_cast<std::size_t>(number) - 1].log_path, std::ios::app) << text;
    }
    void WriteModel(const std::string& bytes) const {
        std::ofstream(request.instances[0].root + "/model/xgboost-model") << bytes;
    }
    void WriteFailure(int number, const std::string& text) const {
        std::ofstream(request.instances[static_cast<std::size_t>(number) - 1].root + "/output/failure") << text;
    }
};

class FakeRun final : public TrainingRun {
  public:
    explicit FakeRun(std::shared_ptr<FakeRunState> state) : state_(std::move(state)) {}
    std::optional<ExitReport> WaitFor(std::chrono::milliseconds) override {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        const std::lock_guard lock(state_->mutex);
        return state_->report;
    }
    void AskToStop() override { state_->asked_to_stop = true; }
    void Kill() override {
        state_->killed = true;
        state_->End({.succeeded = false, .failed_instance = 1, .how = "ended by signal 9 (Killed)"});
    }

  private:
    std::shared_ptr<FakeRunState> state_;
};

class FakeLauncher final : public Launcher {
  public:
    Result<std::unique_ptr<TrainingRun>> Launch(const LaunchRequest& request) override {
        auto state = std::make_shared<FakeRunState>();
        state->request = request;
        const std::lock_guard lock(mutex_);
        runs_.push_back(state);
        return std::unique_ptr<TrainingRun>(std::make_unique<FakeRun>(state));
    }
    void KillLeftovers(const std::string& token) override {
        const std::lock_guard lock(mutex_);
        if (!token.empty()) swept_tokens_.push_back(token);
    }
    std::vector<std::shared_ptr<FakeRunState>> runs() {
        const std::lock_guard lock(mutex_);
        return runs_;
    }
    std::vector<std::string> swept_tokens() {
        const std::lock_guard lock(mutex_);
        return swept_tokens_;
    }

  private:
    std::mutex mutex_;
    std::vector<std::shared_ptr<FakeRunState>> runs_;
    std::vector<std::string> swept_tokens_;
};

/// Waits for something that another thread will do; fails the test after ten seconds.
template <typename Condition>
bool Eventually(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
}

class JobsTest : public testing::Test {
  protected:
    void SetUp() override {
        // In memory where possible: these tests commit some hundred rows, and durability is the store's own test.
        std::string pattern = std::filesystem::is_directory("/dev/shm") ? "/dev/shm/" : "/tmp/";
        pattern += "espalier-jobs-XXXXXX";
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
        OpenStore();
        ASSERT_TRUE(store_->CreateBucket(Bucket("data"), "us-east-1"));
        for (int i = 0; i < 5; ++i)
            PutObject("p/train/examples" + std::to_string(i), "1 1:" + std::to_string(i) + "\n");
        PutObject("p/train/", "");
        PutObject("p/validation/examples0", "0 1:1\n");
    }
    void TearDown() override {
        service_.reset();
        store_.reset();
        database_.reset();
        std::filesystem::remove_all(folder_);
    }

    void OpenStore() {
        auto database = meta::Database::Open(folder_ + "/meta.db");
        ASSERT_TRUE(database) << database.error().ToString();
        database_ = std::move(database).value();
        auto store = store::ObjectStore::Open(
            {.folder = folder_ + "/objects", .database = database_.get(), .clock = &clock_, .fs = &fs_});
        ASSERT_TRUE(store) << store.error().ToString();
        store_ = std::move(store).value();
    }
    void StartService(int num_slots = 2) { StartServiceWith(launcher_, num_slots); }
    void StartServiceWith(Launcher& launcher, int num_slots = 2) {
        auto service = JobService::Open({.database = database_.get(),
                                         .store = store_.get(),
                                         .launcher = &launcher,
                                         .clock = &clock_,
                                         .folder = folder_ + "/jobs",
                                         .num_cores = 2,
                                         .num_slots = num_slots});
        ASSERT_TRUE(service) << service.error().ToString();
        service_ = std::move(service).value();
    }

    static store::BucketName Bucket(const std::string& name) { return *store::BucketName::Parse(name); }
    void PutObject(const std::string& key, const std::string& bytes) {
        const auto stored = store_->Put(Bucket("data"), *store::ObjectKey::Parse(key), bytes, {});
        ASSERT_TRUE(stored) << stored.error().ToString();
    }

    static std::string Request(const std::string& name, int num_instances = 1, std::int64_t max_runtime_seconds = 3600,
                               const std::string& output = "s3://data/out") {
        return R"({"TrainingJobName":")" + name +
               R"(","RoleArn":"arn:aws:iam::123456789012:role/R","AlgorithmSpecification":{"TrainingImage":"xgboost:1",)"
               R"("TrainingInputMode":"File"},"HyperParameters":{"num_round":"2"},"InputDataConfig":[{"ChannelName":)"
               R"("train","ContentType":"libsvm","DataSource":{"S3DataSource":{"S3DataType":"S3Prefix","S3Uri":)"
               R"("s3://data/p/train","S3DataDistributionType":")" +
               (num_instances > 1 ? "ShardedByS3Key" : "FullyReplicated") +
               R"("}}}],"OutputDataConfig":{"S3OutputPath":")" + output +
               R"("},"ResourceConfig":{"InstanceType":"ml.m4.10xlarge","InstanceCount":)" +
               std::to_string(num_instances) + R"(,"VolumeSizeInGB":5},"StoppingCondition":{"MaxRuntimeInSeconds":)" +
               std::to_string(max_runtime_seconds) + "}}";
    }
    Result<meta::TrainingJob> Create(const std::string& request, const std::string& invocation_id = "") {
        return service_->Create(
            {.scope = kScope, .arn = "arn:test", .request = request, .invocation_id = invocation_id, .tags = {}});
    }
    meta::TrainingJob Find(const std::string& name) {
        auto job = service_->Find(kScope, name);
        EXPECT_TRUE(job) << job.error().ToString();
        return job ? *job : meta::TrainingJob();
    }
    bool Reaches(const std::string& name, meta::JobStage stage) {
        return Eventually([&] { return Find(name).stage == stage; });
    }
    /// The run of a job, once it has been launched.
    std::shared_ptr<FakeRunState> RunOf(std::size_t idx) {
        EXPECT_TRUE(Eventually([&] { return launcher_.runs().size() > idx; }));
        return launcher_.runs().at(idx);
    }
    static std::vector<std::string> Stages(const meta::TrainingJob& job) {
        std::vector<std::string> stages;
        for (const meta::Transition& transition : job.transitions) stages.emplace_back(ToString(transition.stage));
        return stages;
    }

    static inline const meta::Scope kScope = {.account = "123456789012", .region = "us-east-1"};
    std::string folder_;
    TestClock clock_;
    RealFs fs_;
    FakeLauncher launcher_;
    std::unique_ptr<meta::Database> database_;
    std::unique_ptr<store::ObjectStore> store_;
    std::unique_ptr<JobService> service_;
};

}  // namespace espalier::jobs
