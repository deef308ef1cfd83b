#include "meta/logs.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>

#include "meta/step_counter.h"

namespace espalier::meta {
namespace {

constexpr UnixMillis kStart = 1'700'000'000'000;

class LogsTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = (std::filesystem::temp_directory_path() / "logs_test_XXXXXX").string();
        folder_ = ::mkdtemp(pattern.data());
        database_ = OpenCountingSteps(folder_ + "/meta.db").value();
        logs_.emplace(*database_);
        stream_ =
            logs_->OpenStream({.account = "123456789012", .region = "us-east-1"}, "group", "stream", kStart).value();
    }
    void TearDown() override {
        logs_.reset();
        database_.reset();
        std::filesystem::remove_all(folder_);
    }

    void Append(const std::vector<UnixMillis>& times) {
        std::vector<LogEvent> events;
        for (const UnixMillis time : times)
            events.push_back({.time = time, .ingested_at = kStart, .message = std::to_string(time)});
        all_.insert(all_.end(), times.begin(), times.end());
        ASSERT_TRUE(logs_->Append(stream_, events).has_value());
    }

    /// Times of the events that the query is to give, by looking at all of them.
    std::vector<UnixMillis> Expected(const LogEventQuery& query) const {
        std::vector<UnixMillis> found;
        for (std::size_t i = 0; i < all_.size(); ++i) {
            const auto position = static_cast<std::int64_t>(i);
            const bool wanted = (!query.start_time || all_[i] >= *query.start_time) &&
                                (!query.end_time || all_[i] < *query.end_time) &&
                                (!query.from || position >= *query.from) && (!query.before || position < *query.before);
            if (wanted) found.push_back(all_[i]);
        }
        if (found.size() <= query.limit) return found;
        if (query.newest_first) return {found.end() - query.limit, found.end()};
        return {found.begin(), found.begin() + query.limit};
    }

    void Check(const LogEventQuery& query) {
        std::vector<UnixMillis> times;
        const std::vector<LogEvent> found = logs_->Events(query).value();
        for (const LogEvent& event : found) times.push_back(event.time);
        EXPECT_EQ(times, Expected(query))
            << fmt::format("start {} end {} from {} before {} newest {} limit {}", query.start_time.value_or(-1),
                           query.end_time.value_or(-1), query.from.value_or(-1), query.before.value_or(-1),
                           query.newest_first, query.limit);
    }

    /// Each window of times, with and without a place to go on from, in both directions.
    void CheckAllWindows(UnixMillis first, UnixMillis last) {
        std::vector<std::optional<std::int64_t>> times = {std::nullopt};
        for (UnixMillis time = first; time <= last; ++time) times.push_back(time);
        for (const auto& start : times)
            for (const auto& end : times)
                for (const std::optional<std::int64_t> place : {std::optional<std::int64_t>(), {3}})
                    for (const bool newest_first : {false, true}) {
                        LogEventQuery query = {.stream_id = stream_, .start_time = start, .end_time = end, .limit = 4};
                        query.newest_first = newest_first;
                        (newest_first ? query.before : query.from) = place;
                        Check(query);
                    }
    }

    std::string folder_;
    std::unique_ptr<Database> database_;
    std::optional<Logs> logs_;
    std::int64_t stream_ = 0;
    std::vector<UnixMillis> all_;
};

TEST_F(LogsTest, TimesFindTheirEventsInAStreamInOrder) {
    Append({kStart, kStart, kStart + 2});
    Append({kStart + 2, kStart + 3, kStart + 5, kStart + 5, kStart + 6});
    CheckAllWindows(kStart - 1, kStart + 7);
}

TEST_F(LogsTest, TimesFindTheirEventsWhereClientsPutThemOutOfOrder) {
    Append({kStart + 4, kStart + 5, kStart + 6});
    Append({kStart, kStart + 5, kStart + 7});
    Append({kStart + 2, kStart + 2, kStart + 8});
    CheckAllWindows(kStart - 1, kStart + 9);
}

TEST_F(LogsTest, ATimeCostsNothingForTheEventsBeforeAndBehindIt) {
    constexpr std::int64_t kEvents = 50'000;
    std::vector<UnixMillis> times;
    for (std::int64_t i = 0; i < kEvents; ++i) times.push_back(kStart + i);
    Append(times);
    LogEventQuery query = {.stream_id = stream_, .limit = 10};
    constexpr std::int64_t kStepsMax = 1'000;
    for (const bool newest_first : {false, true}) {
        query.newest_first = newest_first;
        query.start_time = kStart + kEvents - 20;
        query.end_time.reset();
        steps = 0;
        Check(query);
        EXPECT_LT(steps.load(), kStepsMax) << "late events";
        query.start_time.reset();
        query.end_time = kStart + 20;
        steps = 0;
        Check(query);
        EXPECT_LT(steps.load(), kStepsMax) << "early events";
        query.start_time = kStart + kEvents + 5;
        query.end_time.reset();
        steps = 0;
        Check(query);
        EXPECT_LT(steps.load(), kStepsMax) << "none";
    }
    // Out of order, what lies in the window is looked at, not the stream.
    Append({kStart + 3});
    query = {.stream_id = stream_, .start_time = kStart + kEvents - 20, .limit = 10};
    steps = 0;
    Check(query);
    EXPECT_LT(steps.load(), kStepsMax);
}

}  // namespace
}  // namespace espalier::meta
