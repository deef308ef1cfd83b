// Opening, the blob folder, the sweep, buckets.
#include "store/object_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <unordered_set>

#include "base/check.h"
#include "base/encoding.h"
#include "base/log.h"
#include "meta/buckets.h"
#include "meta/uploads.h"
#include "store/object_store_state.h"
#include "store/object_writer_state.h"

namespace espalier::store {
namespace {

constexpr std::size_t kIdDigits = 32;
constexpr std::size_t kBootDigits = 8;

std::string RandomHex(std::size_t num_bytes) {
    std::string bytes(num_bytes, '\0');
    CHECK(::getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
    return HexEncode(bytes);
}

Result<Fd> TakeLock(const std::string& path) {
    Fd file(::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file.is_open()) return ErrnoError("open " + path, errno);
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        return Error(ErrorCode::kConflict, fmt::format("{} is in use by another espalier process", path));
    }
    return file;
}

std::string Shard(unsigned number) {
    return fmt::format("{:02x}", number);
}

}  // namespace

std::string ObjectStore::State::NewId() const {
    return RandomHex((kIdDigits - kBootDigits) / 2) + boot_id;
}

std::string ObjectStore::State::BlobFolder(std::string_view id) const {
    return fmt::format("{}/blobs/{}", options.folder, id.substr(0, 2));
}

Result<std::string> ObjectStore::State::Publish(const Fd& file, const std::string& staging_path) {
    // The name before the contents: nobody looks at a blob without a committed row, so a crash in between leaves only
    // garbage, and on ext4 and XFS both syncs are then satisfied by one commit of the journal instead of two.
    const std::string id = NewId();
    TRY_MSG(fs.Rename(staging_path, BlobPath(id)), "store object");
    Result<void> synced = fs.Sync(file);
    if (synced) synced = fs.SyncFolder(BlobFolder(id));
    if (!synced) {
        RemoveBlob(id);
        return std::move(synced).error().Wrap("store object");
    }
    return id;
}

Result<std::string> ObjectStore::State::Publish(ObjectWriter& writer) {
    CHECK(writer.state_->is_finished, "a writer must be finished before it is committed");
    Result<std::string> id = Publish(writer.state_->file, writer.state_->path);
    // After a failed rename the file is still in staging/; the writer's end removes it.
    if (id) writer.state_->staging_exists = false;
    return id;
}

void ObjectStore::State::RemoveBlob(const std::string& id) {
    if (Result<void> removed = fs.Remove(BlobPath(id)); !removed) {
        LOG_WARN("garbage blob not removed; the next start sweeps it", {"error", removed.error().ToString()});
    }
}

Result<void> ObjectStore::State::WriteOrRemoveBlob(const std::string& blob_id,
                                                   const std::function<Result<void>(soci::session&)>& transaction) {
    Result<void> written = options.database->Write(transaction);
    if (!written && FaultOf(written.error()).has_value()) RemoveBlob(blob_id);
    return written;
}

Result<std::string> ObjectStore::State::DuplicateBlob(const Fd& from, const std::string& path,
                                                      std::uint64_t size_bytes) {
    const std::string id = NewId();
    if (fs.Link(path, BlobPath(id)).has_value()) {
        if (Result<void> synced = fs.SyncFolder(BlobFolder(id)); !synced) {
            RemoveBlob(id);
            return std::move(synced).error().Wrap("copy object");
        }
        return id;
    }
    // The name is gone since the blob was opened, or it has as many names as the file system allows.
    std::unique_ptr<ObjectWriter> staging = TRY(ObjectWriter::Create(fs, StagingPath(NewId()), {}));
    TRY_MSG(fs.AppendRange(staging->state_->file, from, 0, size_bytes), "copy object");
    TRY(staging->Finish());
    return Publish(*staging);
}

Result<void> ObjectStore::State::EmptyStaging() {
    const std::string folder = options.folder + "/staging";
    const std::vector<std::string> names = TRY(fs.List(folder));
    for (const std::string& name : names) TRY(fs.Remove(folder + "/" + name));
    if (!names.empty()) LOG_INFO("staging files of an earlier process removed", {"count", names.size()});
    return {};
}

Result<void> ObjectStore::State::SweepShard(const std::string& shard) {
    const std::string folder = options.folder + "/blobs/" + shard;
    // Files first, rows second: a row that appears in between refers to a blob of this process, which is left alone.
    const std::vector<std::string> names = TRY(fs.List(folder));
    std::vector<std::string> ids;
    TRY(options.database->Read([&](soci::session& sql) -> Result<void> {
        ids = TRY(meta::ListBlobIds(sql, shard, shard + "g"));
        return {};
    }));
    const std::unordered_set<std::string> committed(ids.begin(), ids.end());
    const std::unordered_set<std::string> present(names.begin(), names.end());
    for (const std::string& name : names) {
        const bool is_ours = name.size() == kIdDigits && name.ends_with(boot_id);
        if (is_ours || committed.contains(name)) continue;
        TRY(fs.Remove(folder + "/" + name));
        ++num_swept;
    }
    for (const std::string& id : committed) {
        if (id.ends_with(boot_id) || present.contains(id)) continue;
        // Deleted by a request since the rows were read, or lost: only the row can tell now.
        bool is_still_referred = false;
        TRY(options.database->Read([&](soci::session& sql) -> Result<void> {
            is_still_referred = !TRY(meta::ListBlobIds(sql, id, id + "g")).empty();
            return {};
        }));
        if (!is_still_referred) continue;
        ++num_missing;
        LOG_ERROR("an object's blob is missing", {"blob", id});
    }
    return {};
}

void ObjectStore::State::SweepBlobs(const std::stop_token& stop) {
    for (unsigned number = 0; number < 256 && !stop.stop_requested(); ++number) {
        if (Result<void> swept = SweepShard(Shard(number)); !swept) {
            LOG_WARN("sweeping orphan blobs failed", {"error", swept.error().ToString()});
        }
    }
    if (num_swept > 0) LOG_INFO("orphan blobs of an earlier process removed", {"count", num_swept});
}

ObjectStore::ObjectStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
ObjectStore::~ObjectStore() = default;

Result<std::unique_ptr<ObjectStore>> ObjectStore::Open(const Options& options) {
    CHECK(options.database != nullptr && options.clock != nullptr && options.fs != nullptr);
    Fs& fs = *options.fs;
    TRY_MSG(fs.MakeFolder(options.folder), "open object store");
    Fd lock = TRY_MSG(TakeLock(options.folder + "/lock"), "open object store");
    TRY_MSG(fs.MakeFolder(options.folder + "/staging"), "open object store");
    TRY_MSG(fs.MakeFolder(options.folder + "/blobs"), "open object store");
    for (unsigned number = 0; number < 256; ++number) {
        TRY_MSG(fs.MakeFolder(options.folder + "/blobs/" + Shard(number)), "open object store");
    }
    TRY_MSG(fs.SyncFolder(options.folder + "/blobs"), "open object store");
    TRY_MSG(fs.SyncFolder(options.folder), "open object store");

    auto state = std::make_unique<State>(options, std::move(lock), RandomHex(kBootDigits / 2));
    TRY_MSG(state->EmptyStaging(), "open object store");
    const UnixMillis oldest = options.clock->WallMillis() - kCompletedUploadsKeptMillis;
    TRY_MSG(
        options.database->Write([&](soci::session& sql) { return meta::DeleteUploadsCompletedBefore(sql, oldest); }),
        "open object store");
    State* borrowed = state.get();
    state->sweeper = std::jthread([borrowed](std::stop_token stop) { borrowed->SweepBlobs(stop); });
    return std::unique_ptr<ObjectStore>(new ObjectStore(std::move(state)));
}

std::uint64_t ObjectStore::WaitForSweep() {
    std::lock_guard lock(state_->sweeper_mutex);
    if (state_->sweeper.joinable()) state_->sweeper.join();
    return state_->num_swept;
}

Result<void> RequireBucket(soci::session& sql, const BucketName& bucket) {
    if (!TRY(meta::FindBucket(sql, bucket.str())).has_value()) return MakeError(Fault::kNoSuchBucket);
    return {};
}

Result<void> ObjectStore::CreateBucket(const BucketName& bucket, std::string_view region) {
    const meta::BucketRow row{bucket.str(), std::string(region), state_->options.clock->WallMillis()};
    return state_->options.database->Write([&](soci::session& sql) -> Result<void> {
        if (TRY(meta::FindBucket(sql, bucket.str())).has_value()) return MakeError(Fault::kBucketExists);
        return meta::InsertBucket(sql, row);
    });
}

Result<BucketInfo> ObjectStore::HeadBucket(const BucketName& bucket) const {
    BucketInfo info;
    TRY(state_->options.database->Read([&](soci::session& sql) -> Result<void> {
        std::optional<meta::BucketRow> row = TRY(meta::FindBucket(sql, bucket.str()));
        if (!row) return MakeError(Fault::kNoSuchBucket);
        info = BucketInfo{row->name, row->region, row->created_at};
        return {};
    }));
    return info;
}

Result<std::vector<BucketInfo>> ObjectStore::ListBuckets(const std::string& prefix, const std::string& start_after,
                                                         std::uint32_t max_buckets) const {
    std::vector<BucketInfo> buckets;
    TRY(state_->options.database->Read([&](soci::session& sql) -> Result<void> {
        for (meta::BucketRow& row : TRY(meta::ListBuckets(sql, prefix, start_after, max_buckets))) {
            buckets.push_back(BucketInfo{std::move(row.name), std::move(row.region), row.created_at});
        }
        return {};
    }));
    return buckets;
}

Result<void> ObjectStore::DeleteBucket(const BucketName& bucket) {
    std::vector<std::string> garbage;
    TRY(state_->options.database->Write([&](soci::session& sql) -> Result<void> {
        TRY(RequireBucket(sql, bucket));
        if (TRY(meta::BucketHasObjects(sql, bucket.str()))) return MakeError(Fault::kBucketNotEmpty);
        for (const std::string& id : TRY(meta::ListUploadIdsOfBucket(sql, bucket.str()))) {
            for (meta::PartRow& part : TRY(meta::ListParts(sql, id, 0, kPartNumberMax))) {
                garbage.push_back(std::move(part.blob_id));
            }
            TRY(meta::DeleteUpload(sql, id));
        }
        return meta::DeleteBucket(sql, bucket.str());
    }));
    for (const std::string& id : garbage) state_->RemoveBlob(id);
    return {};
}

}  // namespace espalier::store
