// The object store: buckets, objects, multipart uploads. Bytes are files under the store's folder ("blobs"), everything
// else is rows in meta. docs/formats.md describes both to the byte.
//
// Nouns: ObjectStore, ObjectWriter (store/object_writer.h: an object or part being written), ObjectReader (an open
// blob).
//
// Steps of a write: BeginWrite -> Append... -> Finish (digests) -> CommitObject. The bytes go to staging/, are renamed
// to blobs/, file and folder are synced, the row is committed; only then does CommitObject return. A crash before the
// row leaves garbage that the next Open sweeps; a crash after it loses nothing.
//
// Guarantees: an object is visible only whole; the last committed writer wins; a reader that has opened an object reads
// that version to its end even when it is overwritten or deleted meanwhile.
//
// Bit rot: every blob has a CRC-32C per MiB in its row, taken while the bytes came in; VerifyRange, ReadAll, LinkInto
// and Copy compare before they hand bytes on and answer kCorruptData.
//
// Errors carry a store::Fault (store/faults.h) where a caller may want to tell them apart.
// Thread-safe. One process per folder (a lock file is held).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fs.h"
#include "base/result.h"
#include "meta/database.h"
#include "store/faults.h"
#include "store/names.h"
#include "store/object_info.h"
#include "store/object_writer.h"

namespace espalier::store {

inline constexpr std::uint64_t kObjectBytesMax = 5ULL << 40;     // 5 TiB
inline constexpr std::uint64_t kSinglePutBytesMax = 5ULL << 30;  // 5 GiB
inline constexpr std::uint64_t kPartBytesMin = 5ULL << 20;       // 5 MiB, all parts but the last
inline constexpr std::uint32_t kPartNumberMax = 10000;
inline constexpr std::uint32_t kListKeysMax = 1000;

/// An object opened for reading: one version, whole, for as long as this lives.
class ObjectReader {
  public:
    const ObjectInfo& info() const { return info_; }
    /// The blob's descriptor; the object is bytes [0, info().size_bytes) of it. Owned by this reader.
    int fd() const { return file_.get(); }
    /// Compares the MiB blocks that hold [offset, offset + size_bytes) with their checksums: about 0.1 ms a MiB.
    /// kCorruptData when they differ or the file is too short.
    Result<void> VerifyRange(std::uint64_t offset, std::uint64_t size_bytes) const;
    /// Reads up to out.size() bytes at `offset`, unverified; fewer only at the end of the object.
    Result<std::size_t> ReadAt(std::span<char> out, std::uint64_t offset) const;
    /// Offset and size of part `part_number` (from 1), or nullopt if there is no such part. An object written by one
    /// put has part 1.
    std::optional<std::pair<std::uint64_t, std::uint64_t>> PartRange(std::uint32_t part_number) const;

  private:
    friend class ObjectStore;
    ObjectReader(Fs& fs, Fd file, std::string blob_path, ObjectInfo info, BlockChecksums checksums)
        : fs_(&fs),
          file_(std::move(file)),
          blob_path_(std::move(blob_path)),
          info_(std::move(info)),
          checksums_(std::move(checksums)) {}
    Fs* fs_;
    Fd file_;
    std::string blob_path_;  ///< where the blob was when it was opened
    ObjectInfo info_;
    BlockChecksums checksums_;
};

struct ListRequest {
    std::string prefix;
    std::string delimiter;                  ///< "" = none
    std::string start_after;                ///< keys and common prefixes strictly after this one; "" = from the start
    std::uint32_t max_keys = kListKeysMax;  ///< objects and common prefixes together
};

struct Listing {
    std::vector<ObjectInfo> objects;  ///< by key, in byte order; attributes are left empty
    std::vector<std::string> common_prefixes;
    bool is_truncated = false;
    std::string last;  ///< the last key or common prefix given: start_after of the next page
};

struct UploadInfo {
    std::string id;
    std::string key;
    UnixMillis created_at = 0;
    ObjectAttributes attributes;
    ChecksumAlgorithm checksum_algorithm = ChecksumAlgorithm::kNone;
    ChecksumType checksum_type = ChecksumType::kComposite;
};

struct PartInfo {
    std::uint32_t number = 0;
    std::uint64_t size_bytes = 0;
    std::string etag;  ///< md5 in hex, without quotes
    UnixMillis last_modified = 0;
    std::string checksum;  ///< base64, "" when the part has none
};

/// One row of a CompleteMultipartUpload request.
struct CompletedPart {
    std::uint32_t number = 0;
    std::string etag;      ///< without quotes
    std::string checksum;  ///< compared when not ""
};

struct ListUploadsRequest {
    std::string prefix;
    std::string delimiter;
    std::string key_marker;
    std::string upload_id_marker;  ///< only with key_marker: uploads of that key after this id are still given
    std::uint32_t max_uploads = kListKeysMax;
};

struct UploadListing {
    std::vector<UploadInfo> uploads;  ///< by (key, id)
    std::vector<std::string> common_prefixes;
    bool is_truncated = false;
    std::string next_key_marker;
    std::string next_upload_id_marker;
};

class ObjectStore {
  public:
    struct Options {
        std::string folder;                  ///< made if missing; its parent must exist
        meta::Database* database = nullptr;  ///< borrowed, must outlive the store
        const Clock* clock = nullptr;        ///< borrowed
        Fs* fs = nullptr;                    ///< borrowed
    };
    /// Takes the folder's lock, empties staging/, starts sweeping orphan blobs in the background. kConflict when
    /// another process has the folder.
    static Result<std::unique_ptr<ObjectStore>> Open(const Options& options);
    ~ObjectStore();

    // Buckets.
    /// Fault::kBucketExists when the name is taken.
    Result<void> CreateBucket(const BucketName& bucket, std::string_view region);
    /// Fault::kNoSuchBucket when there is none.
    Result<BucketInfo> HeadBucket(const BucketName& bucket) const;
    /// In name order, names that start with `prefix` and come after `start_after`; at most max_buckets.
    Result<std::vector<BucketInfo>> ListBuckets(const std::string& prefix, const std::string& start_after,
                                                std::uint32_t max_buckets) const;
    /// Fault::kBucketNotEmpty when it holds objects. Unfinished uploads in it are aborted.
    Result<void> DeleteBucket(const BucketName& bucket);

    // Writing objects. All of them: Fault::kNoSuchBucket.
    /// `digests`: which digests Finish must give besides MD5, size and the block checksums.
    Result<std::unique_ptr<ObjectWriter>> BeginWrite(const BucketName& bucket, DigestSet digests);
    /// Makes a finished writer's bytes the object. Fault::kPreconditionFailed, or kNoSuchKey for an if_match on
    /// nothing.
    Result<ObjectInfo> CommitObject(std::unique_ptr<ObjectWriter> writer, const BucketName& bucket,
                                    const ObjectKey& key, const ObjectAttributes& attributes, const Checksum& checksum,
                                    const WriteCondition& condition);
    /// The three steps at once for bytes in memory.
    Result<ObjectInfo> Put(const BucketName& bucket, const ObjectKey& key, std::string_view bytes,
                           const ObjectAttributes& attributes);
    /// The same for a file on disk, which is read once and left alone.
    Result<ObjectInfo> PutFile(const BucketName& bucket, const ObjectKey& key, const std::string& path,
                               const ObjectAttributes& attributes);

    struct CopyRequest {
        /// nullopt: the source's attributes are taken over.
        std::optional<ObjectAttributes> attributes;
        /// kNone: the source's checksum is taken over if it is of the full object.
        ChecksumAlgorithm checksum_algorithm = ChecksumAlgorithm::kNone;
        WriteCondition condition;
    };
    /// Makes `source` (of any bucket) the object bucket/key. No bytes are written: the new blob is a hard link; they
    /// are read once when a new digest is needed. Source and target may be the same object.
    Result<ObjectInfo> Copy(const ObjectReader& source, const BucketName& bucket, const ObjectKey& key,
                            const CopyRequest& request);

    /// Deleting what is not there is fine. Fault::kNoSuchBucket; Fault::kPreconditionFailed for a failed if_match.
    Result<void> Delete(const BucketName& bucket, const ObjectKey& key, const WriteCondition& condition = {});
    /// One transaction for all of them.
    Result<void> DeleteMany(const BucketName& bucket, std::span<const ObjectKey> keys);

    // Reading objects. Fault::kNoSuchBucket, Fault::kNoSuchKey.
    Result<ObjectInfo> Head(const BucketName& bucket, const ObjectKey& key) const;
    Result<std::unique_ptr<ObjectReader>> OpenForReading(const BucketName& bucket, const ObjectKey& key) const;
    /// The object's verified bytes. kResourceLimit when it is larger than size_bytes_max.
    Result<std::string> ReadAll(const BucketName& bucket, const ObjectKey& key, std::uint64_t size_bytes_max) const;
    Result<Listing> List(const BucketName& bucket, const ListRequest& request) const;
    /// Puts the object's verified bytes at destination_path, which must not exist: as a hard link (the file is then the
    /// blob itself and must not be written to), or as a copy when it lies on another file system. The link keeps the
    /// bytes when the object is deleted.
    Result<ObjectInfo> LinkInto(const BucketName& bucket, const ObjectKey& key,
                                const std::string& destination_path) const;

    // Multipart uploads. Fault::kNoSuchUpload when the id is not one of that bucket and key.
    Result<std::string> CreateUpload(const BucketName& bucket, const ObjectKey& key, const ObjectAttributes& attributes,
                                     ChecksumAlgorithm algorithm, ChecksumType type);
    Result<UploadInfo> HeadUpload(const BucketName& bucket, const ObjectKey& key, const std::string& upload_id) const;
    /// A finished writer (from BeginWrite) becomes part `part_number`, replacing an earlier one of that number.
    Result<PartInfo> CommitPart(std::unique_ptr<ObjectWriter> writer, const BucketName& bucket, const ObjectKey& key,
                                const std::string& upload_id, std::uint32_t part_number, const std::string& checksum);
    /// Parts with number > part_number_marker, at most max_parts.
    Result<std::vector<PartInfo>> ListParts(const BucketName& bucket, const ObjectKey& key,
                                            const std::string& upload_id, std::uint32_t part_number_marker,
                                            std::uint32_t max_parts) const;
    struct CompleteRequest {
        std::vector<CompletedPart> parts;
        std::string checksum;                     ///< what the object's must be; "" = any
        std::optional<std::uint64_t> size_bytes;  ///< what the object's must be
        WriteCondition condition;
    };
    /// Makes the object of the parts named, in that order; the other parts are dropped. Repeating it with the id of a
    /// completed upload gives the same answer again (for a day). Fault::kInvalidPart, kInvalidPartOrder, kPartTooSmall,
    /// kPreconditionFailed, kSizeMismatch, kChecksumMismatch.
    Result<ObjectInfo> CompleteUpload(const BucketName& bucket, const ObjectKey& key, const std::string& upload_id,
                                      const CompleteRequest& request);
    /// The upload, open or completed: for a Complete, which may come twice.
    Result<UploadInfo> HeadAnyUpload(const BucketName& bucket, const ObjectKey& key,
                                     const std::string& upload_id) const;
    Result<void> AbortUpload(const BucketName& bucket, const ObjectKey& key, const std::string& upload_id);
    Result<UploadListing> ListUploads(const BucketName& bucket, const ListUploadsRequest& request) const;

    /// Blocks until the sweep that Open started has ended; the number of orphan blobs it removed. For tests.
    std::uint64_t WaitForSweep();

  private:
    struct State;
    explicit ObjectStore(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace espalier::store
