#include "meta/database.h"

#include <gtest/gtest.h>
#include <soci/soci.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

namespace espalier::meta {
namespace {

class DatabaseTest : public ::testing::Test {
  protected:
    void SetUp() override {
        char pattern[] = "/tmp/espalier-db-XXXXXX";
        ASSERT_NE(mkdtemp(pattern), nullptr);
        folder_ = pattern;
        path_ = folder_ + "/with space.db";
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    static int CountBuckets(Database& db) {
        int count = -1;
        auto read = db.Read([&](soci::session& sql) -> Result<void> {
            sql << "SELECT count(*) FROM buckets", soci::into(count);
            return {};
        });
        EXPECT_TRUE(read.has_value());
        return count;
    }
    static Result<void> AddBucket(Database& db, const std::string& name) {
        return db.Write([&](soci::session& sql) -> Result<void> {
            sql << "INSERT INTO buckets VALUES (:n, 'r', 1)", soci::use(name);
            return {};
        });
    }

    std::string folder_;
    std::string path_;
};

TEST_F(DatabaseTest, KeepsRowsAndSettingsOverReopening) {
    {
        auto db = Database::Open(path_);
        ASSERT_TRUE(db.has_value()) << db.error().ToString();
        ASSERT_TRUE(AddBucket(**db, "a").has_value());
    }
    auto db = Database::Open(path_);
    ASSERT_TRUE(db.has_value());
    EXPECT_EQ(CountBuckets(**db), 1);
    std::string mode;
    int synchronous = 0;
    int foreign_keys = 0;
    ASSERT_TRUE((*db)
                    ->Write([&](soci::session& sql) -> Result<void> {
                        sql << "PRAGMA journal_mode", soci::into(mode);
                        sql << "PRAGMA synchronous", soci::into(synchronous);
                        sql << "PRAGMA foreign_keys", soci::into(foreign_keys);
                        return {};
                    })
                    .has_value());
    EXPECT_EQ(mode, "wal");
    EXPECT_EQ(synchronous, 2);
    EXPECT_EQ(foreign_keys, 1);
}

TEST_F(DatabaseTest, AnErrorRollsBackAndIsReturned) {
    auto db = Database::Open(path_);
    ASSERT_TRUE(db.has_value());
    auto written = (*db)->Write([&](soci::session& sql) -> Result<void> {
        sql << "INSERT INTO buckets VALUES ('a', 'r', 1)";
        return Error(ErrorCode::kCancelled, "no");
    });
    ASSERT_FALSE(written.has_value());
    EXPECT_EQ(written.error().code(), ErrorCode::kCancelled);
    EXPECT_EQ(CountBuckets(**db), 0);
}

TEST_F(DatabaseTest, ConstraintsAreConflicts) {
    auto db = Database::Open(path_);
    ASSERT_TRUE(db.has_value());
    ASSERT_TRUE(AddBucket(**db, "a").has_value());
    auto twice = AddBucket(**db, "a");
    ASSERT_FALSE(twice.has_value());
    EXPECT_EQ(twice.error().code(), ErrorCode::kConflict);
    EXPECT_NE(twice.error().message().find("UNIQUE"), std::string::npos) << twice.error().message();
    auto orphan = (*db)->Write([](soci::session& sql) -> Result<void> {
        sql << "INSERT INTO uploads VALUES ('u', 'missing', 'k', 1, '', '', '', '', 0, '', '')";
        return {};
    });
    ASSERT_FALSE(orphan.has_value());
    EXPECT_EQ(orphan.error().code(), ErrorCode::kConflict);
    EXPECT_NE(orphan.error().message().find("FOREIGN KEY"), std::string::npos);
}

TEST_F(DatabaseTest, ConcurrentWritersEachGetTheirOwnResult) {
    auto db = Database::Open(path_);
    ASSERT_TRUE(db.has_value());
    constexpr int kThreads = 8;
    constexpr int kEach = 50;
    std::atomic<int> conflicts = 0;
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < kEach; ++i) {
                // Two threads share each name: exactly one of them may win.
                if (!AddBucket(**db, std::to_string(t / 2) + "-" + std::to_string(i))) ++conflicts;
            }
        });
    }
    threads.clear();
    EXPECT_EQ(conflicts, kThreads * kEach / 2);
    EXPECT_EQ(CountBuckets(**db), kThreads * kEach / 2);
}

TEST_F(DatabaseTest, RefusesWhatIsNoDatabaseAndWhatIsNewer) {
    std::ofstream(path_) << std::string(5000, 'x');
    auto garbage = Database::Open(path_);
    ASSERT_FALSE(garbage.has_value());
    EXPECT_EQ(garbage.error().code(), ErrorCode::kCorruptData) << garbage.error().ToString();

    const std::string newer = folder_ + "/newer.db";
    {
        auto db = Database::Open(newer);
        ASSERT_TRUE(db.has_value());
        ASSERT_TRUE((*db)
                        ->Write([](soci::session& sql) -> Result<void> {
                            sql << "PRAGMA user_version=1000";
                            return {};
                        })
                        .has_value());
    }
    auto db = Database::Open(newer);
    ASSERT_FALSE(db.has_value());
    EXPECT_EQ(db.error().code(), ErrorCode::kCorruptData);
}

TEST_F(DatabaseTest, KeepsRoomForRowsOnAFullDisk) {
    constexpr std::int64_t kRoomBytes = 256 << 10;
    auto db = Database::Open(path_, kRoomBytes);
    ASSERT_TRUE(db.has_value()) << db.error().ToString();
    const auto free_bytes = [&] {
        std::int64_t pages = 0;
        EXPECT_TRUE((*db)
                        ->Read([&](soci::session& sql) -> Result<void> {
                            sql << "PRAGMA freelist_count", soci::into(pages);
                            return {};
                        })
                        .has_value());
        return pages * 4096;
    };
    const auto disk_bytes = [](const std::string& path) {
        struct stat told {};
        EXPECT_EQ(stat(path.c_str(), &told), 0);
        return told.st_blocks * 512;
    };
    EXPECT_GE(free_bytes(), kRoomBytes);
    EXPECT_GE(disk_bytes(path_), kRoomBytes) << "the free pages are on the disk";
    EXPECT_GE(disk_bytes(path_ + "-wal"), 8 << 20);
    // Rows use free pages up; commits bring new ones.
    const std::string name(1000, 'x');
    for (int i = 0; i < 256; ++i) ASSERT_TRUE(AddBucket(**db, name + std::to_string(i)).has_value());
    EXPECT_GE(free_bytes(), kRoomBytes / 2);
    EXPECT_GE(disk_bytes(path_ + "-wal"), 8 << 20) << "the log begins again without giving its room away";
}

}  // namespace
}  // namespace espalier::meta
