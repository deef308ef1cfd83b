#include "meta/training_jobs.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "meta/log_groups.h"
#include "meta/logs.h"
#include "meta/metrics.h"

namespace espalier::meta {
namespace {

class TrainingJobsTest : public testing::Test {
  protected:
    void SetUp() override {
        folder_ = testing::TempDir() + "/training_jobs_" + std::to_string(getpid());
        std::filesystem::remove_all(folder_);
        std::filesystem::create_directories(folder_);
        auto opened = Database::Open(folder_ + "/meta.db");
        ASSERT_TRUE(opened) << opened.error().ToString();
        database_ = std::move(opened).value();
        jobs_ = std::make_unique<TrainingJobs>(*database_);
    }
    void TearDown() override {
        database_.reset();
        std::filesystem::remove_all(folder_);
    }

    TrainingJob Insert(const std::string& name, UnixMillis created_at, const Scope& scope = kScope) {
        auto job = jobs_->Insert({.scope = scope,
                                  .name = name,
                                  .request = "{}",
                                  .invocation_id = "i-" + name,
                                  .created_at = created_at,
                                  .message = "Starting the training job"});
        EXPECT_TRUE(job) << job.error().ToString();
        return *job;
    }
    std::vector<std::string> Names(const JobQuery& query) {
        auto page = jobs_->List(query);
        EXPECT_TRUE(page) << page.error().ToString();
        std::vector<std::string> names;
        for (const TrainingJob& job : page->jobs) names.push_back(job.name);
        return names;
    }

    static const Scope kScope;
    std::string folder_;
    std::unique_ptr<Database> database_;
    std::unique_ptr<TrainingJobs> jobs_;
};
const Scope TrainingJobsTest::kScope = {.account = "123456789012", .region = "us-east-1"};

constexpr UnixMillis kNow = 1'700'000'000'123;

TEST_F(TrainingJobsTest, WalksToCompletedAndKeepsItsTimes) {
    const TrainingJob job = Insert("a", kNow);
    ASSERT_TRUE(jobs_->Enter(job.id, {.stage = JobStage::kDownloading, .message = "d", .now = kNow + 10}));
    ASSERT_TRUE(jobs_->Enter(job.id, {.stage = JobStage::kTraining, .message = "t", .now = kNow + 5}));
    ASSERT_TRUE(jobs_->Enter(
        job.id, {.status = JobStatus::kCompleted, .stage = JobStage::kCompleted, .message = "c", .now = kNow + 30}));
    const auto found = jobs_->Find(kScope, "a");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->status, JobStatus::kCompleted);
    EXPECT_EQ(found->started_at, kNow + 10);
    EXPECT_EQ(found->ended_at, kNow + 30);
    ASSERT_EQ(found->transitions.size(), 4u);
    EXPECT_EQ(found->transitions[0].ended_at, kNow + 10);
    EXPECT_EQ(found->transitions[2].started_at, kNow + 10) << "a clock that runs back does not take the job along";
    EXPECT_EQ(found->transitions[3].ended_at, found->transitions[3].started_at);
    EXPECT_TRUE(jobs_->Unfinished()->empty());
    const auto again = jobs_->Enter(job.id, {.stage = JobStage::kTraining, .message = "t", .now = kNow + 40});
    ASSERT_FALSE(again) << "a terminal job stays as it is";
    EXPECT_EQ(again.error().code(), ErrorCode::kConflict);
}

TEST_F(TrainingJobsTest, AStopIsNeverOvertakenByTheNextStep) {
    const TrainingJob job = Insert("a", kNow);
    ASSERT_TRUE(jobs_->RequestStop(kScope, "a", "Stopping the training job", kNow + 1));
    ASSERT_TRUE(jobs_->RequestStop(kScope, "a", "Stopping the training job", kNow + 2)) << "a second stop is no error";
    const auto next = jobs_->Enter(job.id, {.stage = JobStage::kDownloading, .message = "d", .now = kNow + 3});
    ASSERT_FALSE(next);
    EXPECT_EQ(next.error().code(), ErrorCode::kCancelled);
    ASSERT_TRUE(jobs_->Enter(job.id, {.status = JobStatus::kStopped,
                                      .stage = JobStage::kStopped,
                                      .message = "Training job stopped",
                                      .now = kNow + 4}));
    const auto refused = jobs_->RequestStop(kScope, "a", "", kNow + 5);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message(), "Stopped");
    const auto found = jobs_->Find(kScope, "a");
    EXPECT_EQ(found->transitions.size(), 3u);
    EXPECT_EQ(found->ended_at, 0) << "it never started";
    EXPECT_EQ(jobs_->RequestStop(kScope, "b", "", kNow).error().code(), ErrorCode::kNotFound);
}

TEST_F(TrainingJobsTest, NamesAreTakenPerAccountAndRegion) {
    Insert("a", kNow);
    Insert("a", kNow, {.account = "123456789012", .region = "eu-west-1"});
    const auto second = jobs_->Insert({.scope = kScope, .name = "a", .request = "{}", .created_at = kNow});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code(), ErrorCode::kAlreadyExists);
    EXPECT_EQ(jobs_->Find(kScope, "A").error().code(), ErrorCode::kNotFound);
}

TEST_F(TrainingJobsTest, ListsSortFilterAndPage) {
    Insert("Beta", kNow + 1);
    Insert("alpha", kNow + 2);
    const TrainingJob gamma = Insert("gamma", kNow + 2);
    Insert("other", kNow, {.account = "123456789012", .region = "eu-west-1"});
    ASSERT_TRUE(jobs_->Enter(
        gamma.id,
        {.status = JobStatus::kFailed, .stage = JobStage::kFailed, .now = kNow + 9, .failure_reason = "why"}));
    using List = std::vector<std::string>;
    EXPECT_EQ(Names({.scope = kScope}), (List{"Beta", "alpha", "gamma"}));
    EXPECT_EQ(Names({.scope = kScope, .descending = true}), (List{"gamma", "alpha", "Beta"}));
    EXPECT_EQ(Names({.scope = kScope, .sort = ListSort::kName}), (List{"Beta", "alpha", "gamma"})) << "bytewise";
    EXPECT_EQ(Names({.scope = kScope, .sort = ListSort::kStatus}), (List{"gamma", "Beta", "alpha"}));
    EXPECT_EQ(Names({.scope = kScope, .name_contains = "ETA"}), (List{"Beta"}));
    EXPECT_EQ(Names({.scope = kScope, .name_contains = "%"}), List{}) << "no wildcards";
    EXPECT_EQ(Names({.scope = kScope, .status = JobStatus::kFailed}), (List{"gamma"}));
    EXPECT_EQ(Names({.scope = kScope, .created_after = kNow + 1}), (List{"alpha", "gamma"}));
    EXPECT_EQ(Names({.scope = kScope, .created_before = kNow + 2}), (List{"Beta"}));
    EXPECT_EQ(Names({.scope = kScope, .modified_after = kNow + 8}), (List{"gamma"}));
    EXPECT_EQ(Names({.scope = kScope, .modified_before = kNow + 9}), (List{"Beta", "alpha"}));
    for (const ListSort sort : {ListSort::kCreationTime, ListSort::kName, ListSort::kStatus}) {
        for (const bool descending : {false, true}) {
            JobQuery query = {.scope = kScope, .sort = sort, .descending = descending};
            const List whole = Names(query);
            List paged;
            query.limit = 1;
            for (int page_idx = 0; page_idx < 3; ++page_idx) {
                auto page = jobs_->List(query);
                ASSERT_TRUE(page) << page.error().ToString();
                ASSERT_EQ(page->jobs.size(), 1u);
                paged.push_back(page->jobs[0].name);
                EXPECT_EQ(page->next.has_value(), page_idx < 2);
                query.after = page->next;
            }
            EXPECT_EQ(paged, whole);
        }
    }
}

TEST_F(TrainingJobsTest, UnfinishedJobsComeBackAfterReopening) {
    const TrainingJob job = Insert("a", kNow);
    ASSERT_TRUE(jobs_->NoteLaunch(job.id, "token"));
    jobs_.reset();
    database_.reset();
    auto opened = Database::Open(folder_ + "/meta.db");
    ASSERT_TRUE(opened);
    database_ = std::move(opened).value();
    jobs_ = std::make_unique<TrainingJobs>(*database_);
    const auto unfinished = jobs_->Unfinished();
    ASSERT_EQ(unfinished->size(), 1u);
    EXPECT_EQ(unfinished->at(0).process_token, "token");
    EXPECT_EQ(unfinished->at(0).num_launches, 1);
}

TEST_F(TrainingJobsTest, MetricsKeepTheLastValueOfEachName) {
    const TrainingJob job = Insert("a", kNow);
    TrainingMetrics metrics(*database_);
    ASSERT_TRUE(metrics.Append(job.id, std::vector<MetricPoint>{{"train:merror", 0.5, kNow}, {"x", 1, kNow}}));
    ASSERT_TRUE(metrics.Append(job.id, std::vector<MetricPoint>{{"train:merror", 0.25, kNow + 5, 1}}));
    ASSERT_TRUE(metrics.Append(job.id, std::vector<MetricPoint>{{"train:merror", 0.25, kNow + 9, 1}})) << "told again";
    const auto final_points = metrics.Final(job.id);
    ASSERT_EQ(final_points->size(), 2u);
    EXPECT_EQ(final_points->at(0).name, "train:merror");
    EXPECT_EQ(final_points->at(0).value, 0.25);
    EXPECT_EQ(metrics.Points(kScope, "a", "train:merror", kNow, kNow + 5)->size(), 1u);
    EXPECT_EQ(metrics.Points(kScope, "a", "train:merror", kNow, kNow + 6)->size(), 2u);
    EXPECT_EQ(metrics.Points(kScope, "a", "train:merror", kNow, kNow + 60)->size(), 2u);
    EXPECT_TRUE(metrics.Points(kScope, "b", "train:merror", 0, kNow * 2)->empty());
    ASSERT_TRUE(metrics.Clear(job.id));
    EXPECT_TRUE(metrics.Final(job.id)->empty());
}

TEST_F(TrainingJobsTest, LogEventsAreReadByPositionTimeAndFromBothEnds) {
    Logs logs(*database_);
    const std::string group = "/aws/sagemaker/TrainingJobs";
    const std::int64_t stream = *logs.OpenStream(kScope, group, "a/algo-1-1", kNow);
    EXPECT_EQ(*logs.OpenStream(kScope, group, "a/algo-1-1", kNow + 5), stream);
    EXPECT_EQ(logs.FindStream(kScope, group, "a/algo-1-1")->first_event_at, 0);
    std::vector<LogEvent> events;
    for (int i = 0; i < 5; ++i) {
        events.push_back({.time = kNow + i / 2, .ingested_at = kNow + 9, .message = fmt::format("line {}", i)});
    }
    ASSERT_TRUE(logs.Append(stream, events));
    ASSERT_TRUE(
        logs.Append(stream, std::vector<LogEvent>{{.time = kNow + 7, .ingested_at = kNow + 9, .message = "z"}}));
    const LogStream found = *logs.FindStream(kScope, group, "a/algo-1-1");
    EXPECT_EQ(found.end_position, 6);
    EXPECT_EQ(found.first_event_at, kNow);
    EXPECT_EQ(found.last_event_at, kNow + 7);
    EXPECT_EQ(logs.Events({.stream_id = stream, .start_time = kNow + 1, .end_time = kNow + 2})->size(), 2u);
    EXPECT_EQ(logs.Events({.stream_id = stream, .from = 4})->at(0).message, "line 4");
    const auto newest = *logs.Events({.stream_id = stream, .newest_first = true, .limit = 2});
    ASSERT_EQ(newest.size(), 2u);
    EXPECT_EQ(newest[0].message, "line 4") << "oldest first also from that end";
    EXPECT_EQ(newest[1].position, 5);

    logs.OpenStream(kScope, group, "a/algo-2-1", kNow).value();
    logs.OpenStream(kScope, group, "ab/algo-1-1", kNow).value();
    const auto streams = *logs.Streams({.scope = kScope, .group = group, .name_prefix = "a/"});
    ASSERT_EQ(streams.size(), 2u);
    EXPECT_EQ(streams[1].name, "a/algo-2-1");
    LogGroups groups(*database_);
    EXPECT_TRUE(groups.Find(kScope, group)->has_value());
    EXPECT_FALSE(groups.Find({.account = "123456789012", .region = "eu-west-1"}, group)->has_value());
    EXPECT_EQ(groups.List(kScope, "/aws/sage", "", 10)->size(), 1u);
    EXPECT_TRUE(groups.List(kScope, "/aws/other", "", 10)->empty());
}

}  // namespace
}  // namespace espalier::meta
