// Inside of ObjectStore, shared by its .cc files. Not for other modules.
#pragma once

#include <array>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "meta/objects.h"
#include "meta/uploads.h"
#include "store/object_store.h"

namespace espalier::store {

/// A repeated Complete gets its first answer for this long.
inline constexpr UnixMillis kCompletedUploadsKeptMillis = 24LL * 60 * 60 * 1000;

struct ObjectStore::State {
    State(const Options& given, Fd folder_lock, std::string boot)
        : options(given), fs(*given.fs), lock(std::move(folder_lock)), boot_id(std::move(boot)) {}

    /// 32 hex digits: 24 random ones, then this process's 8, by which the sweeper knows blobs of earlier processes.
    std::string NewId() const;
    std::string BlobFolder(std::string_view id) const;
    std::string BlobPath(const std::string& id) const { return BlobFolder(id) + "/" + id; }
    std::string StagingPath(const std::string& id) const { return options.folder + "/staging/" + id; }

    /// Gives a complete staging file its name under blobs/, syncs it and the folder. The new blob's id.
    Result<std::string> Publish(const Fd& file, const std::string& staging_path);
    /// The same for a finished writer.
    Result<std::string> Publish(ObjectWriter& writer);
    /// Garbage of a committed transaction. What cannot be removed is swept at the next start.
    void RemoveBlob(const std::string& id);
    /// Database::Write for a transaction that refers to the new blob. When it is refused by one of our own faults the
    /// blob is removed; when the database failed, nobody knows what a restart will find, so the blob stays for the
    /// sweep.
    Result<void> WriteOrRemoveBlob(const std::string& blob_id,
                                   const std::function<Result<void>(soci::session&)>& transaction);

    /// Bytes of `from`, an open blob at `path`, become a new blob: a hard link, or a copy where that fails.
    Result<std::string> DuplicateBlob(const Fd& from, const std::string& path, std::uint64_t size_bytes);

    /// The parts' blobs, in that order, as one new blob. Fault::kConcurrentChange when one of them was replaced.
    Result<std::string> JoinParts(const std::vector<meta::PartRow>& parts);
    /// The transaction of CompleteUpload and the removal of what it leaves behind. `stored`: all parts of the upload.
    Result<void> CommitJoined(const BucketName& bucket, const ObjectKey& key, const std::string& upload_id,
                              const std::vector<meta::PartRow>& stored, const meta::ObjectRow& row, bool is_joined,
                              const WriteCondition& condition);

    Result<void> EmptyStaging();
    void SweepBlobs(const std::stop_token& stop);
    Result<void> SweepShard(const std::string& shard);

    const Options options;
    Fs& fs;
    const Fd lock;
    const std::string boot_id;
    /// Two Completes of one upload at a time would both copy its parts; the second waits and finds it completed.
    std::array<std::mutex, 16> upload_mutexes;

    std::uint64_t num_swept = 0;    ///< written by the sweeper, read after joining it
    std::uint64_t num_missing = 0;  ///< rows without a blob, found by the sweeper
    std::mutex sweeper_mutex;       ///< guards joining
    std::jthread sweeper;           ///< last member: ends before the rest goes
};

/// Fault::kNoSuchBucket unless the bucket exists.
Result<void> RequireBucket(soci::session& sql, const BucketName& bucket);
/// Whether a write may go on over what is there (nullopt = nothing).
Result<void> CheckCondition(const WriteCondition& condition, const std::optional<meta::ObjectIdentity>& existing);

/// "<length>:<bytes>" for each name and value in turn (netstrings without commas).
std::string EncodeNameValues(const NameValues& pairs);
Result<NameValues> DecodeNameValues(std::string_view text);
Result<ObjectInfo> InfoOf(const meta::ObjectRow& row);
/// Everything but blob_id and block_checksums.
meta::ObjectRow RowOf(const BucketName& bucket, const ObjectInfo& info);

}  // namespace espalier::store
