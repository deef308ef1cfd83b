#include "api/sagemaker/replay.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace espalier::api::sagemaker {
namespace {

TEST(ReplayTest, ARepeatGetsTheFirstAnswerOnceItIsThere) {
    ReplayMemory memory;
    std::vector<std::string> answers;
    const Reply first = [&](const Outcome& outcome) { answers.push_back("first " + outcome.body()); };
    const Reply second = [&](const Outcome& outcome) { answers.push_back("second " + outcome.body()); };
    const auto recorded = memory.Begin("k", first);
    ASSERT_TRUE(recorded);
    EXPECT_FALSE(memory.Begin("k", second)) << "a repeat while the first is at work waits";
    EXPECT_TRUE(answers.empty());
    (*recorded)(Outcome::Ok({{"arn", "x"}}));
    EXPECT_EQ(answers, (std::vector<std::string>{R"(first {"arn":"x"})", R"(second {"arn":"x"})"}));
    EXPECT_FALSE(memory.Begin("k", second));
    EXPECT_EQ(answers.size(), 3u);
}

TEST(ReplayTest, InternalFailuresAreTriedAgain) {
    ReplayMemory memory;
    const Reply ignore = [](const Outcome&) {};
    (*memory.Begin("k", ignore))(Outcome::Fail({.type = "InternalFailure", .message = "", .status = 500}));
    EXPECT_TRUE(memory.Begin("k", ignore));
}

TEST(ReplayTest, KeepsTheNewestAnswersOnly) {
    ReplayMemory memory;
    int num_answers = 0;
    const Reply count = [&](const Outcome&) { ++num_answers; };
    for (std::size_t i = 0; i <= ReplayMemory::kAnswersMax; ++i) {
        (*memory.Begin(fmt::format("k{}", i), count))(Outcome::Empty());
    }
    EXPECT_TRUE(memory.Begin("k0", count)) << "the oldest answer has left";
    EXPECT_FALSE(memory.Begin(fmt::format("k{}", ReplayMemory::kAnswersMax), count));
}

}  // namespace
}  // namespace espalier::api::sagemaker
