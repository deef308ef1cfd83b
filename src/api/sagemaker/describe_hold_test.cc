#include "api/sagemaker/describe_hold.h"

#include <filesystem>
#include <future>
#include <optional>

#include "jobs/jobs_fixture.h"

namespace espalier::api::sagemaker {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

const DescribeHold::Client kBoto = {.caller = "me", .user_agent = "Boto3/1.44.5 m/D,b cfg/retry-mode#standard"};
const DescribeHold::Client kWaiter = {.caller = "me", .user_agent = "Boto3/1.44.5 m/B,D cfg/retry-mode#standard"};
const DescribeHold::Client kSdk = {.caller = "me", .user_agent = "Boto3/1.44.5 lib/AWS-SageMaker-Python-SDK#2.257.7"};

class DescribeHoldTest : public jobs::JobsTest {
  protected:
    void StartHolding(milliseconds repeat, milliseconds first_sdk) {
        StartService();
        MakeHold({.repeat_hold = repeat, .waiter_hold = waiter_hold_, .first_sdk_hold = first_sdk});
        ASSERT_TRUE(Create(Request("a")));
        run_ = RunOf(0);
    }
    void MakeHold(DescribeHold::Options options) {
        hold_.reset();
        hold_ = std::make_unique<DescribeHold>(options);
        hold_->Watch("training", service_->listeners(), [this](std::int64_t id) -> std::optional<meta::JobStatus> {
            const auto job = service_->FindById(id);
            return job ? std::optional(job->status) : std::nullopt;
        });
    }
    void TearDown() override {
        hold_.reset();
        jobs::JobsTest::TearDown();
    }
    std::future<meta::JobStatus> Look(const DescribeHold::Client& client) {
        auto promise = std::make_shared<std::promise<meta::JobStatus>>();
        const meta::TrainingJob job = Find("a");
        hold_->Answer({.kind = "training", .id = job.id, .status = job.status}, client,
                      [this, promise] { promise->set_value(Find("a").status); });
        return promise->get_future();
    }
    static bool IsReady(std::future<meta::JobStatus>& answer, milliseconds time) {
        return answer.wait_for(time) == std::future_status::ready;
    }
    void FinishJob() {
        run_->WriteModel("tree");
        run_->End({.succeeded = true});
    }

    milliseconds waiter_hold_{20000};
    std::unique_ptr<DescribeHold> hold_;
    std::shared_ptr<jobs::FakeRunState> run_;
};

constexpr milliseconds kLong{20000};
constexpr milliseconds kNow{0};
constexpr milliseconds kSoon{5000};

TEST_F(DescribeHoldTest, TheFirstLookIsAnsweredTheRepeatWaitsForTheEnd) {
    StartHolding(kLong, kNow);
    auto first = Look(kBoto);
    EXPECT_TRUE(IsReady(first, kNow));
    auto second = Look(kBoto);
    EXPECT_FALSE(IsReady(second, milliseconds(50)));
    auto other = Look({.caller = "you", .user_agent = kBoto.user_agent});
    EXPECT_TRUE(IsReady(other, kNow)) << "another client has not looked yet";
    FinishJob();
    ASSERT_TRUE(IsReady(second, kSoon));
    EXPECT_EQ(second.get(), meta::JobStatus::kCompleted);
    auto third = Look(kBoto);
    EXPECT_TRUE(IsReady(third, kNow)) << "terminal jobs never wait";
}

TEST_F(DescribeHoldTest, AWaiterIsHeldFromItsFirstLookAndCountsAsTheSameClient) {
    StartHolding(kLong, kNow);
    auto waiter = Look(kWaiter);
    EXPECT_FALSE(IsReady(waiter, milliseconds(50)));
    auto plain = Look(kBoto);
    EXPECT_FALSE(IsReady(plain, milliseconds(50)));
    FinishJob();
    EXPECT_TRUE(IsReady(waiter, kSoon));
    EXPECT_TRUE(IsReady(plain, kSoon));
}

TEST_F(DescribeHoldTest, TheSdksFirstLookWaitsItsOwnTime) {
    StartHolding(kLong, milliseconds(30));
    const auto started = steady_clock::now();
    auto first = Look(kSdk);
    ASSERT_TRUE(IsReady(first, kSoon));
    EXPECT_GE(steady_clock::now() - started, milliseconds(30));
    EXPECT_EQ(first.get(), meta::JobStatus::kInProgress);
}

TEST_F(DescribeHoldTest, AWaiterIsHeldForItsOwnTime) {
    waiter_hold_ = milliseconds(30);
    StartHolding(kLong, kNow);
    for (int look = 0; look < 2; ++look) {
        const auto started = steady_clock::now();
        auto waiter = Look(kWaiter);
        ASSERT_TRUE(IsReady(waiter, kSoon));
        EXPECT_GE(steady_clock::now() - started, milliseconds(30));
    }
}

TEST_F(DescribeHoldTest, TheHoldEndsAndAStopEndsItToo) {
    StartHolding(milliseconds(30), kNow);
    Look(kBoto).get();
    EXPECT_EQ(Look(kBoto).get(), meta::JobStatus::kInProgress);
    MakeHold({.repeat_hold = kLong, .first_sdk_hold = kNow});
    Look(kBoto).get();
    auto held = Look(kBoto);
    ASSERT_TRUE(service_->Stop(kScope, "a"));
    ASSERT_TRUE(IsReady(held, kSoon));
    EXPECT_EQ(held.get(), meta::JobStatus::kStopping);
    FinishJob();
}

TEST_F(DescribeHoldTest, CloseAnswersAllAndZeroSwitchesItOff) {
    StartHolding(kLong, kNow);
    Look(kBoto).get();
    auto held = Look(kBoto);
    hold_->Close();
    EXPECT_TRUE(IsReady(held, kNow));
    auto later = Look(kBoto);
    EXPECT_TRUE(IsReady(later, kNow));
    MakeHold({.repeat_hold = kNow, .first_sdk_hold = kNow});
    for (int i = 0; i < 3; ++i) {
        auto look = Look(kBoto);
        EXPECT_TRUE(IsReady(look, kNow));
    }
}

TEST_F(DescribeHoldTest, OnlySoManyAreHeld) {
    StartHolding(kLong, kNow);
    std::vector<std::future<meta::JobStatus>> answers;
    for (std::size_t i = 0; i <= DescribeHold::kHeldMax; ++i) answers.push_back(Look(kWaiter));
    EXPECT_TRUE(IsReady(answers.back(), kNow)) << "one more than may be held";
    EXPECT_FALSE(IsReady(answers[answers.size() - 2], kNow));
    FinishJob();
    for (auto& answer : answers) EXPECT_TRUE(IsReady(answer, kSoon));
}

}  // namespace
}  // namespace espalier::api::sagemaker
