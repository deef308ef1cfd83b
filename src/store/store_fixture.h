// For the tests of this module: a store on a temporary folder that can be reopened. Not part of the product.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/encoding.h"
#include "store/object_store.h"

namespace espalier::store {

class StoreTest : public ::testing::Test {
  protected:
    void SetUp() override {
        // What is tested here is logic, and it syncs thousands of times: in memory where there is room for it.
        std::error_code error;
        const auto space = std::filesystem::space("/dev/shm", error);
        const bool in_memory = !error && space.available > (512U << 20);
        folder_ = in_memory ? "/dev/shm/espalier-store-XXXXXX" : "/tmp/espalier-store-XXXXXX";
        ASSERT_NE(mkdtemp(folder_.data()), nullptr);
        elsewhere_ = in_memory ? "/tmp" : "/dev/shm";
        Reopen(real_fs_);
    }
    void TearDown() override {
        store_.reset();
        database_.reset();
        std::filesystem::remove_all(folder_);
    }
    /// Closes and opens again, as a restart does.
    void Reopen(Fs& fs) {
        store_.reset();
        database_.reset();
        auto database = meta::Database::Open(folder_ + "/espalier.db");
        ASSERT_TRUE(database.has_value()) << database.error().ToString();
        database_ = *std::move(database);
        auto store = ObjectStore::Open(
            {.folder = folder_ + "/objects", .database = database_.get(), .clock = &clock_, .fs = &fs});
        ASSERT_TRUE(store.has_value()) << store.error().ToString();
        store_ = *std::move(store);
    }

    static BucketName Bucket(std::string_view text) { return *BucketName::Parse(text); }
    static ObjectKey Key(std::string_view text) { return *ObjectKey::Parse(text); }

    Result<ObjectInfo> Put(std::string_view key, std::string_view bytes, const WriteCondition& condition = {}) {
        auto writer = TRY(store_->BeginWrite(bucket_, {}));
        TRY(writer->Append(bytes));
        TRY(writer->Finish());
        return store_->CommitObject(std::move(writer), bucket_, Key(key), {}, {}, condition);
    }
    Result<PartInfo> PutPart(std::string_view key, const std::string& id, std::uint32_t number,
                             std::string_view bytes) {
        auto writer = TRY(store_->BeginWrite(bucket_, {}));
        TRY(writer->Append(bytes));
        TRY(writer->Finish());
        return store_->CommitPart(std::move(writer), bucket_, Key(key), id, number, "");
    }
    Result<std::string> Get(std::string_view key) { return store_->ReadAll(bucket_, Key(key), 1 << 30); }

    std::size_t CountFiles(const std::string& below) const {
        std::size_t count = 0;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ + "/objects/" + below)) {
            if (entry.is_regular_file()) ++count;
        }
        return count;
    }

    const BucketName bucket_ = Bucket("bucket");
    std::string folder_;
    std::string elsewhere_;  ///< a folder that may lie on another file system
    SystemClock clock_;
    RealFs real_fs_;
    std::unique_ptr<meta::Database> database_;
    std::unique_ptr<ObjectStore> store_;
};

inline std::optional<Fault> FaultIn(const Result<void>& result) {
    return result ? std::nullopt : FaultOf(result.error());
}
template <typename T>
std::optional<Fault> FaultIn(const Result<T>& result) {
    return result ? std::nullopt : FaultOf(result.error());
}

}  // namespace espalier::store
