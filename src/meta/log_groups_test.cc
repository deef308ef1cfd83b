#include "meta/log_groups.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <soci/soci.h>
#include <stdlib.h>

#include <filesystem>

#include "meta/log_search.h"
#include "meta/log_sweep.h"
#include "meta/logs.h"

namespace espalier::meta {
namespace {

constexpr UnixMillis kDay = 86'400'000;
constexpr UnixMillis kNow = 1'700'000'000'000;
const Scope kScope = {.account = "123456789012", .region = "us-east-1"};
const Scope kOther = {.account = "123456789012", .region = "eu-west-1"};

class LogGroupsTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = (std::filesystem::temp_directory_path() / "log_groups_test_XXXXXX").string();
        folder_ = ::mkdtemp(pattern.data());
        database_ = Database::Open(folder_ + "/meta.db").value();
        groups_.emplace(*database_);
        logs_.emplace(*database_);
        sweep_.emplace(*database_);
    }
    void TearDown() override {
        database_.reset();
        std::filesystem::remove_all(folder_);
    }

    /// `count` events one second apart from `first` on.
    void Append(const std::string& group, const std::string& stream, UnixMillis first, int count,
                const Scope& scope = kScope) {
        std::vector<LogEvent> events;
        for (int i = 0; i < count; ++i)
            events.push_back(
                {.time = first + i * 1000, .ingested_at = kNow, .message = fmt::format("{} {}", stream, i)});
        const Result<void> appended = logs_->Append(scope, group, stream, events);
        ASSERT_TRUE(appended.has_value()) << appended.error().ToString();
    }
    std::int64_t Stream(const std::string& group, const std::string& stream, const Scope& scope = kScope) {
        return logs_->FindStream(scope, group, stream).value().id;
    }
    long long Count(const std::string& table) {
        long long count = 0;
        EXPECT_TRUE(database_
                        ->Read([&](soci::session& sql) -> Result<void> {
                            sql << "SELECT count(*) FROM " + table, soci::into(count);
                            return {};
                        })
                        .has_value());
        return count;
    }
    /// Messages of a search over the whole group.
    std::vector<std::string> Found(const std::string& group) {
        std::vector<std::string> messages;
        LogSearch search(*database_);
        const FoundLogEvents found = search.Find({.scope = kScope, .group = group}).value();
        for (const FoundLogEvent& each : found.events) messages.push_back(each.event.message);
        return messages;
    }
    /// Every transaction of a sweep that takes `events_max` events each; their number.
    int DropDeleted(std::int64_t events_max) {
        int calls = 0;
        while (sweep_->DropDeleted(events_max).value()) ++calls;
        return calls;
    }
    int DropExpired(UnixMillis now, std::int64_t events_max) {
        int calls = 0;
        while (sweep_->DropExpired(now, events_max).value()) ++calls;
        return calls;
    }

    std::string folder_;
    std::unique_ptr<Database> database_;
    std::optional<LogGroups> groups_;
    std::optional<Logs> logs_;
    std::optional<LogSweep> sweep_;
};

TEST_F(LogGroupsTest, ADeletedGroupIsGoneAtOnceAndItsEventsByAndBy) {
    Append("a", "one", kNow, 10);
    Append("a", "two", kNow, 7);
    Append("b", "one", kNow, 3);
    Append("a", "one", kNow, 2, kOther);
    const std::int64_t held = Stream("a", "one");
    const Result<void> deleted = groups_->Delete(kScope, "a");
    ASSERT_TRUE(deleted.has_value()) << deleted.error().ToString();
    EXPECT_EQ(groups_->Delete(kScope, "a").error().code(), ErrorCode::kNotFound);
    EXPECT_FALSE(groups_->Find(kScope, "a")->has_value());
    EXPECT_EQ(logs_->FindStream(kScope, "a", "one").error().code(), ErrorCode::kNotFound);
    EXPECT_TRUE(logs_->Streams({.scope = kScope, .group = "a"})->empty());
    EXPECT_TRUE(Found("a").empty());
    EXPECT_EQ(Count("log_events"), 22) << "nothing is dropped in the transaction that deletes";
    const LogEvent late = {.time = kNow, .ingested_at = kNow, .message = "late"};
    EXPECT_EQ(logs_->Append(held, {&late, 1}).error().code(), ErrorCode::kNotFound);

    EXPECT_EQ(DropDeleted(4), 5) << "17 events and 2 streams, four to a transaction";
    EXPECT_EQ(Count("log_events"), 5);
    EXPECT_EQ(Count("log_streams"), 2);
    EXPECT_EQ(Found("b").size(), 3u);
    EXPECT_EQ(logs_->Events({.stream_id = Stream("a", "one", kOther)})->size(), 2u);
}

TEST_F(LogGroupsTest, WhatIsMadeAgainHasNothingOfItsForerunner) {
    ASSERT_TRUE(groups_->Create(kScope, "a", kNow).has_value());
    Append("a", "one", kNow, 5);
    const LogGroup group = *groups_->Find(kScope, "a").value();
    const std::int64_t stream = Stream("a", "one");
    ASSERT_TRUE(groups_->SetRetention(kScope, "a", 3).has_value());
    ASSERT_TRUE(groups_->DeleteStream(kScope, "a", "one").has_value());
    EXPECT_EQ(groups_->DeleteStream(kScope, "a", "one").error().code(), ErrorCode::kNotFound);
    Append("a", "one", kNow, 1);
    EXPECT_NE(Stream("a", "one"), stream);
    EXPECT_EQ(logs_->FindStream(kScope, "a", "one")->end_position, 1);
    EXPECT_EQ(Found("a"), std::vector<std::string>{"one 0"});
    EXPECT_EQ(groups_->Find(kScope, "a").value()->retention_days, 3) << "a group outlives its streams";

    ASSERT_TRUE(groups_->Delete(kScope, "a").has_value());
    Append("a", "one", kNow, 2);
    const LogGroup again = *groups_->Find(kScope, "a").value();
    EXPECT_NE(again.id, group.id);
    EXPECT_EQ(again.retention_days, 0);
    const std::vector<std::string> expected = {"one 0", "one 1"};
    EXPECT_EQ(Found("a"), expected);
    // Many streams are searched by the group's index; it knows the forerunner's events too.
    for (std::size_t i = 0; i < kMergedStreamsMax; ++i)
        logs_->OpenStream(kScope, "a", fmt::format("s{}", i), kNow).value();
    EXPECT_EQ(Found("a"), expected);
    ASSERT_TRUE(groups_->DeleteStream(kScope, "a", "one").has_value());
    EXPECT_TRUE(Found("a").empty());
    DropDeleted(100);
    EXPECT_EQ(Count("log_events"), 0);
}

TEST_F(LogGroupsTest, RetentionDropsWhatIsTooOldAndKeepsThePlaces) {
    Append("a", "one", kNow - 2 * kDay, 6);
    Append("a", "one", kNow, 2);
    Append("a", "old", kNow - 2 * kDay, 3);
    Append("b", "one", kNow - 2 * kDay, 4);
    EXPECT_FALSE(sweep_->DropExpired(kNow, 100).value()) << "no group has a retention";
    ASSERT_TRUE(groups_->SetRetention(kScope, "a", 1).has_value());
    EXPECT_EQ(groups_->SetRetention(kScope, "none", 1).error().code(), ErrorCode::kNotFound);
    EXPECT_EQ(groups_->Find(kScope, "a").value()->OldestKept(kNow), kNow - kDay);
    EXPECT_EQ(DropExpired(kNow, 4), 3) << "nine events, four to a transaction";

    LogStream stream = logs_->FindStream(kScope, "a", "one").value();
    EXPECT_EQ(stream.first_event_at, kNow);
    EXPECT_EQ(stream.last_event_at, kNow + 1000);
    const std::vector<LogEvent> kept = logs_->Events({.stream_id = stream.id}).value();
    ASSERT_EQ(kept.size(), 2u);
    EXPECT_EQ(kept[0].position, 6) << "a cursor stays where it was";
    EXPECT_EQ(Found("b").size(), 4u);

    LogStream emptied = logs_->FindStream(kScope, "a", "old").value();
    EXPECT_EQ(emptied.first_event_at, 0);
    EXPECT_EQ(emptied.end_position, 3);
    Append("a", "old", kNow + 5000, 1);
    emptied = logs_->FindStream(kScope, "a", "old").value();
    EXPECT_EQ(emptied.first_event_at, kNow + 5000);
    EXPECT_EQ(logs_->Events({.stream_id = emptied.id})->at(0).position, 3);

    EXPECT_FALSE(sweep_->DropExpired(kNow + kDay, 100).value()) << "an event of exactly that age is kept";
    ASSERT_TRUE(groups_->SetRetention(kScope, "a", 0).has_value());
    EXPECT_FALSE(sweep_->DropExpired(kNow + 9 * kDay, 100).value());
}

TEST_F(LogGroupsTest, EventsOutOfOrderExpireByTheirTimes) {
    Append("a", "one", kNow, 2);
    Append("a", "one", kNow - 2 * kDay, 3);
    Append("a", "one", kNow + 1000, 2);
    ASSERT_TRUE(groups_->SetRetention(kScope, "a", 1).has_value());
    EXPECT_EQ(DropExpired(kNow, 2), 2);
    std::vector<std::int64_t> positions;
    const std::vector<LogEvent> kept = logs_->Events({.stream_id = Stream("a", "one")}).value();
    for (const LogEvent& event : kept) positions.push_back(event.position);
    EXPECT_EQ(positions, (std::vector<std::int64_t>{0, 1, 5, 6}));
    ASSERT_TRUE(groups_->DeleteStream(kScope, "a", "one").has_value());
    DropDeleted(1);
    EXPECT_EQ(Count("log_events"), 0) << "also where positions have gaps";
}

}  // namespace
}  // namespace espalier::meta
