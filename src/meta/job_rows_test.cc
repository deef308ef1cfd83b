#include "meta/job_rows.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <soci/soci.h>

#include <algorithm>
#include <filesystem>

#include "meta/job_list.h"
#include "meta/tuning_trials.h"

namespace espalier::meta {
namespace {

constexpr UnixMillis kNow = 1'700'000'000'123;
const Scope kScope = {.account = "123456789012", .region = "us-east-1"};

class JobRowsTest : public testing::Test {
  protected:
    void SetUp() override {
        folder_ = testing::TempDir() + "/job_rows_" + std::to_string(getpid());
        std::filesystem::remove_all(folder_);
        std::filesystem::create_directories(folder_);
        auto opened = Database::Open(folder_ + "/meta.db");
        ASSERT_TRUE(opened) << opened.error().ToString();
        database_ = std::move(opened).value();
        jobs_ = std::make_unique<JobRows>(*database_, JobKind::kTuning);
        trials_ = std::make_unique<TuningTrials>(*database_);
    }
    void TearDown() override {
        database_.reset();
        std::filesystem::remove_all(folder_);
    }
    Job Insert(const std::string& name, UnixMillis created_at = kNow) {
        auto job = jobs_->Insert({.scope = kScope, .name = name, .request = "{}", .created_at = created_at});
        EXPECT_TRUE(job) << job.error().ToString();
        return *job;
    }
    /// All names of a list, page by page.
    std::vector<std::string> Walk(JobQuery query) {
        std::vector<std::string> names;
        while (true) {
            auto page = jobs_->List(query);
            EXPECT_TRUE(page) << page.error().ToString();
            for (const Job& job : page->jobs) names.push_back(job.name);
            if (!page->next) return names;
            query.after = page->next;
        }
    }
    std::string folder_;
    std::unique_ptr<Database> database_;
    std::unique_ptr<JobRows> jobs_;
    std::unique_ptr<TuningTrials> trials_;
};

TEST_F(JobRowsTest, WalksToItsEndAndNoFurther) {
    const Job job = Insert("a");
    EXPECT_EQ(job.status, JobStatus::kInProgress);
    ASSERT_TRUE(jobs_->NoteLaunch(job.id, "token", kNow + 5));
    ASSERT_TRUE(jobs_->SetDetail(job.id, "{\"x\":1}", kNow + 3));
    EXPECT_EQ(jobs_->Unfinished()->size(), 1U);
    ASSERT_TRUE(jobs_->RequestStop(kScope, "a", kNow + 6));
    EXPECT_EQ(jobs_->FindById(job.id)->status, JobStatus::kStopping);
    EXPECT_EQ(jobs_->Delete(kScope, "a", "arn").error().code(), ErrorCode::kConflict);
    ASSERT_TRUE(jobs_->End(job.id, JobStatus::kStopped, "", kNow + 1));
    const Job ended = *jobs_->Find(kScope, "a");
    EXPECT_EQ(ended.status, JobStatus::kStopped);
    EXPECT_EQ(ended.started_at, kNow + 5);
    EXPECT_EQ(ended.ended_at, kNow + 6) << "times never run back";
    EXPECT_EQ(ended.detail, "{\"x\":1}");
    EXPECT_EQ(ended.num_launches, 1);
    EXPECT_EQ(jobs_->End(job.id, JobStatus::kFailed, "late", kNow + 9).error().code(), ErrorCode::kConflict);
    EXPECT_EQ(jobs_->RequestStop(kScope, "a", kNow).error().message(), "Stopped");
    EXPECT_TRUE(jobs_->Unfinished()->empty());
}

TEST_F(JobRowsTest, NamesAreTakenWithoutCaseAndIdsNotGivenAgain) {
    const Job first = Insert("Name");
    EXPECT_EQ(jobs_->Insert({.scope = kScope, .name = "nAME", .request = "{}"}).error().code(),
              ErrorCode::kAlreadyExists);
    EXPECT_EQ(jobs_->Find(kScope, "name").error().code(), ErrorCode::kNotFound);
    ASSERT_TRUE(jobs_->End(first.id, JobStatus::kCompleted, "", kNow));
    ASSERT_TRUE(jobs_->Delete(kScope, "Name", "arn"));
    EXPECT_EQ(jobs_->Delete(kScope, "Name", "arn").error().code(), ErrorCode::kNotFound);
    EXPECT_GT(Insert("Name").id, first.id);
}

TEST_F(JobRowsTest, ListsOfThousandsComeInOrderPageByPage) {
    constexpr int kJobs = 1200;
    std::vector<std::string> names;
    ASSERT_TRUE(database_->Write([&](soci::session& sql) -> Result<void> {
        for (int i = 0; i < kJobs; ++i) {
            const std::string name = fmt::format("job-{:04}", (i * 7919) % kJobs);
            const long long created = kNow + i / 3;
            const std::string status = i % 5 == 0 ? "Failed" : "Completed";
            sql << "INSERT INTO tuning_jobs VALUES (:id, '123456789012', 'us-east-1', :name, '{}', '', :status, '', "
                   ":created, :modified, 0, 0, '', 0, '{}')",
                soci::use(i + 1), soci::use(name), soci::use(status), soci::use(created), soci::use(created);
            names.push_back(name);
        }
        return {};
    }));
    EXPECT_EQ(Walk({.scope = kScope, .limit = 100}), names);
    std::vector<std::string> backwards(names.rbegin(), names.rend());
    EXPECT_EQ(Walk({.scope = kScope, .descending = true, .limit = 97}), backwards);
    std::vector<std::string> sorted = names;
    std::sort(sorted.begin(), sorted.end());
    EXPECT_EQ(Walk({.scope = kScope, .sort = ListSort::kName, .limit = 100}), sorted);
    EXPECT_EQ(Walk({.scope = kScope, .sort = ListSort::kStatus, .limit = 100}).size(), names.size());
    EXPECT_EQ(Walk({.scope = kScope, .status = JobStatus::kFailed, .limit = 7}).size(), 240U);
    EXPECT_EQ(Walk({.scope = kScope, .name_contains = "JOB-000"}).size(), 10U);
}

TEST_F(JobRowsTest, TrialsAreListedByTheirObjective) {
    const Job job = Insert("a");
    for (std::int64_t number = 1; number <= 1100; ++number) {
        TuningTrial trial = {.tuning_id = job.id,
                             .number = number,
                             .job_name = fmt::format("a-{:04}-x", number),
                             .definition_idx = 0,
                             .values = "{}",
                             .created_at = kNow + number};
        ASSERT_TRUE(trials_->Insert(trial));
        if (number % 10 == 0) continue;
        trial.status = number % 3 == 0 ? JobStatus::kStopped : JobStatus::kCompleted;
        trial.objective = static_cast<double>((number * 37) % 1100) / 8.0;
        ASSERT_TRUE(trials_->Update(trial));
    }
    TrialQuery query = {.tuning_id = job.id, .sort = TrialSort::kObjective, .descending = true, .limit = 100};
    std::vector<double> values;
    while (true) {
        const auto page = trials_->List(query);
        ASSERT_TRUE(page) << page.error().ToString();
        for (const TuningTrial& trial : page->jobs) values.push_back(*trial.objective);
        if (!page->next) break;
        query.after = page->next;
    }
    EXPECT_EQ(values.size(), 990U) << "trials without an objective are left out";
    EXPECT_TRUE(std::is_sorted(values.rbegin(), values.rend()));
    EXPECT_EQ((*trials_->Best(job.id, true))->objective, values.front());
    EXPECT_EQ((*trials_->Best(job.id, false))->objective, values.back());
    const TrialCounts counts = *trials_->Counts(job.id);
    EXPECT_EQ(counts.in_progress, 110);
    EXPECT_EQ(counts.with_objective, 990);
    EXPECT_EQ(counts.completed + counts.stopped, 990);
    ASSERT_TRUE(jobs_->End(job.id, JobStatus::kCompleted, "", kNow));
    ASSERT_TRUE(jobs_->Delete(kScope, "a", "arn"));
    EXPECT_TRUE(trials_->All(job.id)->empty()) << "they go with their tuning job";
}

}  // namespace
}  // namespace espalier::meta
