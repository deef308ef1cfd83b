// Random histories of operations, restarts and file-system faults against a model of the store in memory: what S3 says
// a store is, in a few maps. ESPALIER_HISTORIES sets how many histories run (default 6); the seed of a failing one is
// printed, ESPALIER_HISTORY_SEED repeats it alone.
#include <stdlib.h>

#include <map>
#include <random>

#include "base/digest.h"
#include "store/object_store.h"
#include "store/store_fixture.h"

namespace espalier::store {
namespace {

struct ModelUpload {
    std::string key;
    std::map<std::uint32_t, std::string> parts;
};

/// Buckets are one bucket here: bucket rules have their own tests.
struct Model {
    std::map<std::string, std::string> objects;
    std::map<std::string, ModelUpload> uploads;

    /// What List must give: keys and groups in byte order, cut at max_keys.
    std::vector<std::string> List(const ListRequest& request) const {
        std::vector<std::string> all;
        for (const auto& [key, bytes] : objects) {
            if (!key.starts_with(request.prefix)) continue;
            std::string entry = key;
            const std::size_t at =
                request.delimiter.empty() ? std::string::npos : key.find(request.delimiter, request.prefix.size());
            if (at != std::string::npos) entry = key.substr(0, at + request.delimiter.size()) + "*";
            const bool is_group = entry.size() != key.size() || entry.ends_with('*');
            const std::string bare = is_group ? entry.substr(0, entry.size() - 1) : entry;
            if (!request.start_after.empty() && (key <= request.start_after || bare == request.start_after)) continue;
            if (all.empty() || all.back() != entry) all.push_back(entry);
            if (all.size() > request.max_keys) break;
        }
        if (all.size() > request.max_keys) all.resize(request.max_keys);
        return all;
    }
};

class HistoryTest : public StoreTest {
  protected:
    std::uint32_t Draw(std::uint32_t below) { return static_cast<std::uint32_t>(rng_() % below); }

    std::string DrawKey() {
        static const std::vector<std::string> kKeys = {"a",   "a/",  "a/b", "a/b/c",    "a//",       "a0",
                                                       "b/x", "b/y", "c",   "\xc3\xbc", "\xc3\xbc/z"};
        return kKeys[Draw(static_cast<std::uint32_t>(kKeys.size()))];
    }
    std::string DrawBytes(std::size_t size) {
        std::string bytes(size, static_cast<char>('a' + Draw(26)));
        if (size > 0) bytes[Draw(static_cast<std::uint32_t>(size))] = static_cast<char>(Draw(256));
        return bytes;
    }

    /// With a fault armed a failure is allowed; then the effect must be all or nothing, which the model adopts.
    template <typename T>
    bool Succeeded(const Result<T>& result) {
        if (!result && !armed_) ADD_FAILURE() << result.error().ToString();
        return result.has_value();
    }

    void PutObject() {
        const std::string key = DrawKey();
        const std::string bytes = DrawBytes(Draw(3) == 0 ? 0 : Draw(3000));
        if (Succeeded(Put(key, bytes))) model_.objects[key] = bytes;
    }
    void PutConditional() {
        const std::string key = DrawKey();
        const auto result = Put(key, "conditional", {.if_absent = true, .if_match = {}});
        if (model_.objects.contains(key)) {
            EXPECT_FALSE(result.has_value());
            EXPECT_TRUE(armed_ || FaultIn(result) == Fault::kPreconditionFailed);
        } else if (Succeeded(result)) {
            model_.objects[key] = "conditional";
        }
    }
    void DeleteObject() {
        const std::string key = DrawKey();
        if (Succeeded(store_->Delete(bucket_, Key(key)))) model_.objects.erase(key);
    }
    void DeleteSome() {
        const std::vector<ObjectKey> keys = {Key(DrawKey()), Key(DrawKey()), Key(DrawKey())};
        if (!Succeeded(store_->DeleteMany(bucket_, keys))) return;
        for (const ObjectKey& key : keys) model_.objects.erase(key.str());
    }
    void CopyObject() {
        const std::string from = DrawKey();
        const std::string to = DrawKey();
        const auto reader = store_->OpenForReading(bucket_, Key(from));
        if (!model_.objects.contains(from)) {
            EXPECT_FALSE(reader.has_value());
        } else if (Succeeded(reader) && Succeeded(store_->Copy(**reader, bucket_, Key(to), {}))) {
            model_.objects[to] = model_.objects[from];
        }
    }
    void StartUpload() {
        const std::string key = DrawKey();
        const auto id = store_->CreateUpload(bucket_, Key(key), {}, ChecksumAlgorithm::kNone, ChecksumType::kComposite);
        if (Succeeded(id)) model_.uploads[*id].key = key;
    }
    void UploadPart() {
        if (model_.uploads.empty()) return;
        auto& [id, upload] =
            *std::next(model_.uploads.begin(), Draw(static_cast<std::uint32_t>(model_.uploads.size())));
        const std::uint32_t number = 1 + Draw(3);
        // Now and then large enough not to be the last part.
        const std::string bytes = DrawBytes(Draw(8) == 0 ? kPartBytesMin : Draw(100));
        if (Succeeded(PutPart(upload.key, id, number, bytes))) upload.parts[number] = bytes;
    }
    void EndUpload() {
        if (model_.uploads.empty()) return;
        const auto at = std::next(model_.uploads.begin(), Draw(static_cast<std::uint32_t>(model_.uploads.size())));
        const auto [id, upload] = *at;
        if (Draw(4) == 0) {
            if (Succeeded(store_->AbortUpload(bucket_, Key(upload.key), id))) model_.uploads.erase(at);
            return;
        }
        ObjectStore::CompleteRequest request;
        std::string all;
        bool is_legal = !upload.parts.empty();
        for (const auto& [number, bytes] : upload.parts) {
            if (number != upload.parts.rbegin()->first && bytes.size() < kPartBytesMin) is_legal = false;
            request.parts.push_back({number, HexEncode(Md5::Of(bytes)), ""});
            all += bytes;
        }
        const auto result = store_->CompleteUpload(bucket_, Key(upload.key), id, request);
        if (!is_legal) {
            EXPECT_FALSE(result.has_value());
        } else if (Succeeded(result)) {
            model_.objects[upload.key] = all;
            model_.uploads.erase(at);
        }
    }
    void ReadObject() {
        const std::string key = DrawKey();
        const auto bytes = Get(key);
        const auto at = model_.objects.find(key);
        if (at == model_.objects.end()) {
            EXPECT_TRUE(FaultIn(bytes) == Fault::kNoSuchKey) << key;
        } else if (Succeeded(bytes)) {
            EXPECT_EQ(*bytes, at->second) << key;
        }
    }
    void ListObjects() {
        ListRequest request;
        static const std::vector<std::string> kPrefixes = {"", "a", "a/", "b", "\xc3", "zz"};
        request.prefix = kPrefixes[Draw(6)];
        request.delimiter = Draw(2) == 0 ? "" : "/";
        request.start_after = Draw(2) == 0 ? "" : DrawKey();
        request.max_keys = 1 + Draw(6);
        const auto listing = store_->List(bucket_, request);
        ASSERT_TRUE(listing.has_value());
        std::vector<std::string> got;
        for (const ObjectInfo& object : listing->objects) got.push_back(object.key);
        for (const std::string& prefix : listing->common_prefixes) got.push_back(prefix + "*");
        std::vector<std::string> wanted = model_.List(request);
        std::sort(got.begin(), got.end());
        std::sort(wanted.begin(), wanted.end());
        EXPECT_EQ(got, wanted) << "prefix '" << request.prefix << "' after '" << request.start_after << "' delimiter '"
                               << request.delimiter << "' max " << request.max_keys;
    }

    void Step() {
        armed_ = Draw(10) == 0;
        if (armed_) faults_.Arm(1 + Draw(8), Draw(2) == 0);
        switch (Draw(12)) {
            case 0:
            case 1:
                PutObject();
                break;
            case 2:
                PutConditional();
                break;
            case 3:
                DeleteObject();
                break;
            case 4:
                DeleteSome();
                break;
            case 5:
                CopyObject();
                break;
            case 6:
                StartUpload();
                break;
            case 7:
            case 8:
                UploadPart();
                break;
            case 9:
                EndUpload();
                break;
            case 10:
                ReadObject();
                break;
            default:
                ListObjects();
        }
        faults_.Disarm();
        if (armed_ ? Draw(2) == 0 : Draw(40) == 0) {
            Reopen(faults_);
            store_->WaitForSweep();
        }
    }

    void CheckAll() {
        armed_ = false;
        Reopen(faults_);
        store_->WaitForSweep();
        std::size_t blobs = model_.objects.size();
        for (const auto& [id, upload] : model_.uploads) blobs += upload.parts.size();
        EXPECT_EQ(CountFiles("blobs"), blobs);
        EXPECT_EQ(CountFiles("staging"), 0u);
        const auto listing = store_->List(bucket_, {});
        ASSERT_EQ(listing->objects.size(), model_.objects.size());
        auto at = model_.objects.begin();
        for (const ObjectInfo& object : listing->objects) {
            EXPECT_EQ(object.key, at->first);
            EXPECT_EQ(*Get(object.key), at->second);
            ++at;
        }
    }

    std::mt19937 rng_;
    Model model_;
    bool armed_ = false;
    FaultFs faults_{real_fs_};
};

TEST_F(HistoryTest, AgreesWithTheModel) {
    const char* count = getenv("ESPALIER_HISTORIES");
    const char* only = getenv("ESPALIER_HISTORY_SEED");
    const std::uint32_t num_histories = only != nullptr ? 1 : static_cast<std::uint32_t>(count ? atoi(count) : 6);
    const std::uint32_t first = only != nullptr ? static_cast<std::uint32_t>(atoi(only)) : std::random_device()();
    for (std::uint32_t i = 0; i < num_histories && !HasFailure(); ++i) {
        const std::uint32_t seed = first + i;
        SCOPED_TRACE(testing::Message() << "ESPALIER_HISTORY_SEED=" << seed);
        TearDown();
        SetUp();
        rng_.seed(seed);
        model_ = {};
        Reopen(faults_);
        ASSERT_TRUE(store_->CreateBucket(bucket_, "r").has_value());
        for (int step = 0; step < 150 && !HasFailure(); ++step) Step();
        CheckAll();
    }
}

}  // namespace
}  // namespace espalier::store
