// Every file-system call of a put, a Complete, a copy and a delete is failed in turn: once (a bad moment), and from
// that call on (a killed process, whose clean-up does not run either). After each the store is reopened on the sound
// file system and held against what was acknowledged.
#include <functional>
#include <map>

#include "store/object_store.h"
#include "store/store_fixture.h"

namespace espalier::store {
namespace {

class FaultTest : public StoreTest {
  protected:
    void SetUp() override {
        StoreTest::SetUp();
        ASSERT_TRUE(store_->CreateBucket(bucket_, "r").has_value());
    }

    /// Runs `action` with the k-th call failing for k = 1, 2, ... until nothing fails any more. `prepare` runs before
    /// it on the sound file system, `check` after a reopening, told whether the action was acknowledged.
    void ForEachCall(const std::function<void()>& prepare, const std::function<bool()>& action,
                     const std::function<void(bool)>& check) {
        for (const bool and_after : {false, true}) {
            for (std::uint64_t k = 1;; ++k) {
                SCOPED_TRACE(testing::Message() << "call " << k << (and_after ? " and all after it" : ""));
                ASSERT_LT(k, 100u);
                faults_.Disarm();
                Reopen(faults_);
                store_->WaitForSweep();
                prepare();
                faults_.Arm(k, and_after);
                const bool acknowledged = action();
                const bool nothing_failed = faults_.num_calls() < k;
                faults_.Disarm();
                if (!and_after) {
                    // The server goes on after a single failure, without a restart.
                    EXPECT_TRUE(Put("after", "still working").has_value());
                    EXPECT_EQ(*Get("after"), "still working");
                }
                Reopen(real_fs_);
                store_->WaitForSweep();
                EXPECT_EQ(CountFiles("staging"), 0u);
                check(acknowledged);
                CheckNoGarbage();
                if (nothing_failed) {
                    EXPECT_TRUE(acknowledged);
                    break;
                }
            }
        }
    }

    /// After a sweep there is one blob for each object and part, no more, no fewer, and each object is whole.
    void CheckNoGarbage() {
        std::size_t expected = 0;
        const Listing listing = *store_->List(bucket_, {});
        for (const ObjectInfo& object : listing.objects) {
            EXPECT_TRUE(Get(object.key).has_value()) << object.key;
            ++expected;
        }
        const UploadListing uploads = *store_->ListUploads(bucket_, {});
        for (const UploadInfo& upload : uploads.uploads) {
            expected += store_->ListParts(bucket_, Key(upload.key), upload.id, 0, kPartNumberMax)->size();
        }
        EXPECT_EQ(CountFiles("blobs"), expected);
    }

    FaultFs faults_{real_fs_};
};

TEST_F(FaultTest, PutOverAnExistingObject) {
    ForEachCall([&] { ASSERT_TRUE(Put("k", "old").has_value()); }, [&] { return Put("k", "newer bytes").has_value(); },
                [&](bool acknowledged) { EXPECT_EQ(*Get("k"), acknowledged ? "newer bytes" : "old"); });
}

TEST_F(FaultTest, Delete) {
    ForEachCall([&] { ASSERT_TRUE(Put("k", "old").has_value()); },
                [&] { return store_->Delete(bucket_, Key("k")).has_value(); },
                [&](bool acknowledged) { EXPECT_EQ(Get("k").has_value(), !acknowledged); });
}

TEST_F(FaultTest, AFullDiskTakesNoBodiesButDeletes) {
    Reopen(faults_);
    ASSERT_TRUE(Put("k", "bytes").has_value());
    auto writer = store_->BeginWrite(bucket_, {});
    ASSERT_TRUE(writer.has_value());
    const std::string block(1 << 20, 'x');
    ASSERT_TRUE((*writer)->Append(block).has_value());
    faults_.PretendFree(1 << 20);
    EXPECT_EQ((*writer)->Append(block).error().code(), ErrorCode::kResourceLimit) << "it filled up meanwhile";
    writer->reset();
    const auto refused = Put("new", "bytes");
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code(), ErrorCode::kResourceLimit);
    EXPECT_EQ(*Get("k"), "bytes");
    EXPECT_TRUE(store_->Delete(bucket_, Key("k")).has_value());
    EXPECT_EQ(CountFiles("staging"), 0u);
    faults_.PretendFree(std::nullopt);
    EXPECT_TRUE(Put("new", "bytes").has_value());
}

TEST_F(FaultTest, Copy) {
    ForEachCall(
        [&] {
            ASSERT_TRUE(Put("k", "bytes").has_value());
            ASSERT_TRUE(Put("copy", "old").has_value());
        },
        [&] {
            const auto reader = store_->OpenForReading(bucket_, Key("k"));
            return reader && store_->Copy(**reader, bucket_, Key("copy"), {}).has_value();
        },
        [&](bool acknowledged) { EXPECT_EQ(*Get("copy"), acknowledged ? "bytes" : "old"); });
}

TEST_F(FaultTest, CompleteUpload) {
    const std::string one(kPartBytesMin, '1');
    std::string id;
    ObjectStore::CompleteRequest request;
    ForEachCall(
        [&] {
            const UploadListing uploads = *store_->ListUploads(bucket_, {});
            for (const UploadInfo& upload : uploads.uploads) {
                ASSERT_TRUE(store_->AbortUpload(bucket_, Key(upload.key), upload.id).has_value());
            }
            ASSERT_TRUE(Put("k", "old").has_value());
            id = *store_->CreateUpload(bucket_, Key("k"), {}, ChecksumAlgorithm::kNone, ChecksumType::kComposite);
            request.parts = {{1, PutPart("k", id, 1, one)->etag, ""}, {2, PutPart("k", id, 2, "two")->etag, ""}};
        },
        [&] { return store_->CompleteUpload(bucket_, Key("k"), id, request).has_value(); },
        [&](bool acknowledged) {
            EXPECT_EQ(*Get("k") == "old", !acknowledged);
            // A refused Complete can be tried again; an acknowledged one gives its answer again.
            EXPECT_TRUE(store_->CompleteUpload(bucket_, Key("k"), id, request).has_value());
            EXPECT_EQ(*Get("k"), one + "two");
        });
}

/// Passes on to a real database until told to fail the commit: the transaction is run and rolled back.
class FailingDatabase final : public meta::Database {
  public:
    explicit FailingDatabase(meta::Database& inner) : inner_(inner) {}
    Result<void> Write(const std::function<Result<void>(soci::session&)>& transaction) override {
        if (!fails) return inner_.Write(transaction);
        return inner_.Write([&](soci::session& sql) -> Result<void> {
            TRY(transaction(sql));
            return Error(ErrorCode::kIo, "database: disk I/O error");
        });
    }
    Result<void> Read(const std::function<Result<void>(soci::session&)>& query) override { return inner_.Read(query); }
    bool fails = false;

  private:
    meta::Database& inner_;
};

TEST_F(FaultTest, AFailedCommitLeavesTheOldObject) {
    ASSERT_TRUE(Put("k", "old").has_value());
    FailingDatabase failing(*database_);
    store_.reset();
    store_ =
        *ObjectStore::Open({.folder = folder_ + "/objects", .database = &failing, .clock = &clock_, .fs = &real_fs_});
    store_->WaitForSweep();
    failing.fails = true;
    const auto put = Put("k", "new");
    ASSERT_FALSE(put.has_value());
    EXPECT_EQ(put.error().code(), ErrorCode::kIo);
    EXPECT_EQ(FaultOf(put.error()), std::nullopt);
    EXPECT_FALSE(store_->Delete(bucket_, Key("k")).has_value());
    failing.fails = false;
    EXPECT_EQ(*Get("k"), "old");
    // Nobody knows what a database that failed has kept, so the new blob waits for the next start's sweep.
    EXPECT_EQ(CountFiles("blobs"), 2u);
    Reopen(real_fs_);
    EXPECT_EQ(store_->WaitForSweep(), 1u);
    EXPECT_EQ(*Get("k"), "old");
}

}  // namespace
}  // namespace espalier::store
