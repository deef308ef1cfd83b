// Objects: writing, copying, deleting, reading, linking.
#include <algorithm>

#include "base/check.h"
#include "base/encoding.h"
#include "base/log.h"
#include "store/object_store.h"
#include "store/object_store_state.h"
#include "store/object_writer_state.h"

namespace espalier::store {
namespace {

// A blob may be replaced between reading its row and opening it; each time somebody else has made progress.
constexpr int kOpenAttemptsMax = 20;
constexpr std::size_t kReadBytes = 1 << 20;

}  // namespace

Result<void> CheckCondition(const WriteCondition& condition, const std::optional<meta::ObjectIdentity>& existing) {
    if (condition.if_absent && existing) return MakeError(Fault::kPreconditionFailed);
    if (condition.if_match) {
        if (!existing) return MakeError(Fault::kNoSuchKey);
        if (*condition.if_match != "*" && *condition.if_match != existing->etag) {
            return MakeError(Fault::kPreconditionFailed);
        }
    }
    return {};
}

Result<std::unique_ptr<ObjectWriter>> ObjectStore::BeginWrite(const BucketName& bucket, DigestSet digests) {
    TRY(state_->options.database->Read([&](soci::session& sql) { return RequireBucket(sql, bucket); }));
    return ObjectWriter::Create(state_->fs, state_->StagingPath(state_->NewId()), digests);
}

Result<ObjectInfo> ObjectStore::CommitObject(std::unique_ptr<ObjectWriter> writer, const BucketName& bucket,
                                             const ObjectKey& key, const ObjectAttributes& attributes,
                                             const Checksum& checksum, const WriteCondition& condition) {
    const std::string blob_id = TRY(state_->Publish(*writer));
    ObjectInfo info;
    info.key = key.str();
    info.size_bytes = writer->state_->finished.size_bytes;
    info.etag = HexEncode(writer->state_->finished.md5);
    info.last_modified = state_->options.clock->WallMillis();
    info.attributes = attributes;
    info.checksum = checksum;

    meta::ObjectRow row = RowOf(bucket, info);
    row.blob_id = blob_id;
    BlockChecksums blocks;
    blocks.AppendSegment(std::move(writer->state_->segment));
    row.block_checksums = blocks.Encode();
    std::optional<meta::ObjectIdentity> replaced;
    TRY(state_->WriteOrRemoveBlob(blob_id, [&](soci::session& sql) -> Result<void> {
        TRY(RequireBucket(sql, bucket));
        replaced = TRY(meta::FindObjectIdentity(sql, bucket.str(), key.str()));
        TRY(CheckCondition(condition, replaced));
        return meta::UpsertObject(sql, row);
    }));
    if (replaced) state_->RemoveBlob(replaced->blob_id);
    return info;
}

Result<ObjectInfo> ObjectStore::Put(const BucketName& bucket, const ObjectKey& key, std::string_view bytes,
                                    const ObjectAttributes& attributes) {
    std::unique_ptr<ObjectWriter> writer = TRY(BeginWrite(bucket, {}));
    TRY(writer->Append(bytes));
    TRY(writer->Finish());
    return CommitObject(std::move(writer), bucket, key, attributes, {}, {});
}

Result<ObjectInfo> ObjectStore::PutFile(const BucketName& bucket, const ObjectKey& key, const std::string& path,
                                        const ObjectAttributes& attributes) {
    const Fd file = TRY(state_->fs.OpenForReading(path));
    std::unique_ptr<ObjectWriter> writer = TRY(BeginWrite(bucket, {}));
    std::vector<char> buffer(kReadBytes);
    while (true) {
        const std::size_t got = TRY(state_->fs.ReadAt(file, buffer, writer->size_bytes()));
        TRY(writer->Append(std::string_view(buffer.data(), got)));
        if (got < buffer.size()) break;
    }
    TRY(writer->Finish());
    return CommitObject(std::move(writer), bucket, key, attributes, {}, {});
}

namespace {

/// What the copy's ETag and checksum are; reads the bytes only when the source's own will not do.
Result<void> DigestCopy(const ObjectReader& source, ChecksumAlgorithm wanted, ObjectInfo& copy) {
    const ObjectInfo& info = source.info();
    const ChecksumAlgorithm algorithm = wanted == ChecksumAlgorithm::kNone ? info.checksum.algorithm : wanted;
    const bool has_checksum = algorithm == info.checksum.algorithm && (algorithm == ChecksumAlgorithm::kNone ||
                                                                       info.checksum.type == ChecksumType::kFullObject);
    copy.etag = info.etag;
    copy.checksum = info.checksum;
    if (has_checksum && info.num_parts == 0) return {};

    DigestSet digests;
    digests.Add(algorithm);
    DigestTaker taker(digests);
    std::vector<char> buffer(kReadBytes);
    for (std::uint64_t at = 0; at < info.size_bytes;) {
        const std::size_t got = TRY(source.ReadAt(buffer, at));
        if (got == 0) return Error(ErrorCode::kCorruptData, "a blob is shorter than its object");
        taker.Update(std::string_view(buffer.data(), got));
        at += got;
    }
    const BodyDigests result = taker.Finish();
    copy.etag = HexEncode(result.md5);
    copy.checksum = Checksum{algorithm, ChecksumType::kFullObject, Base64Encode(result.Of(algorithm))};
    return {};
}

}  // namespace

Result<ObjectInfo> ObjectStore::Copy(const ObjectReader& source, const BucketName& bucket, const ObjectKey& key,
                                     const CopyRequest& request) {
    const std::uint64_t size_bytes = source.info().size_bytes;
    TRY(source.VerifyRange(0, size_bytes));
    ObjectInfo info;
    info.key = key.str();
    info.size_bytes = size_bytes;
    info.attributes = request.attributes.value_or(source.info().attributes);
    TRY(DigestCopy(source, request.checksum_algorithm, info));
    const std::string blob_id = TRY(state_->DuplicateBlob(source.file_, source.blob_path_, size_bytes));
    info.last_modified = state_->options.clock->WallMillis();

    meta::ObjectRow row = RowOf(bucket, info);
    row.blob_id = blob_id;
    row.block_checksums = source.checksums_.Encode();
    std::optional<meta::ObjectIdentity> replaced;
    TRY(state_->WriteOrRemoveBlob(blob_id, [&](soci::session& sql) -> Result<void> {
        TRY(RequireBucket(sql, bucket));
        replaced = TRY(meta::FindObjectIdentity(sql, bucket.str(), key.str()));
        TRY(CheckCondition(request.condition, replaced));
        return meta::UpsertObject(sql, row);
    }));
    if (replaced) state_->RemoveBlob(replaced->blob_id);
    return info;
}

Result<void> ObjectStore::Delete(const BucketName& bucket, const ObjectKey& key, const WriteCondition& condition) {
    std::optional<meta::ObjectIdentity> existing;
    TRY(state_->options.database->Write([&](soci::session& sql) -> Result<void> {
        TRY(RequireBucket(sql, bucket));
        existing = TRY(meta::FindObjectIdentity(sql, bucket.str(), key.str()));
        TRY(CheckCondition(condition, existing));
        return meta::DeleteObject(sql, bucket.str(), key.str());
    }));
    if (existing) state_->RemoveBlob(existing->blob_id);
    return {};
}

Result<void> ObjectStore::DeleteMany(const BucketName& bucket, std::span<const ObjectKey> keys) {
    std::vector<std::string> garbage;
    TRY(state_->options.database->Write([&](soci::session& sql) -> Result<void> {
        TRY(RequireBucket(sql, bucket));
        for (const ObjectKey& key : keys) {
            auto existing = TRY(meta::FindObjectIdentity(sql, bucket.str(), key.str()));
            if (!existing) continue;
            TRY(meta::DeleteObject(sql, bucket.str(), key.str()));
            garbage.push_back(std::move(existing->blob_id));
        }
        return {};
    }));
    for (const std::string& id : garbage) state_->RemoveBlob(id);
    return {};
}

namespace {

Result<meta::ObjectRow> FindRow(meta::Database& database, const BucketName& bucket, const ObjectKey& key) {
    std::optional<meta::ObjectRow> row;
    TRY(database.Read([&](soci::session& sql) -> Result<void> {
        row = TRY(meta::FindObject(sql, bucket.str(), key.str()));
        if (row) return {};
        TRY(RequireBucket(sql, bucket));
        return MakeError(Fault::kNoSuchKey);
    }));
    return std::move(*row);
}

}  // namespace

Result<ObjectInfo> ObjectStore::Head(const BucketName& bucket, const ObjectKey& key) const {
    return InfoOf(TRY(FindRow(*state_->options.database, bucket, key)));
}

Result<std::unique_ptr<ObjectReader>> ObjectStore::OpenForReading(const BucketName& bucket,
                                                                  const ObjectKey& key) const {
    for (int attempt = 1;; ++attempt) {
        const meta::ObjectRow row = TRY(FindRow(*state_->options.database, bucket, key));
        std::string path = state_->BlobPath(row.blob_id);
        Result<Fd> file = state_->fs.OpenForReading(path);
        if (!file) {
            if (file.error().code() == ErrorCode::kNotFound && attempt < kOpenAttemptsMax) continue;
            LOG_ERROR("an object's blob cannot be opened", {"bucket", bucket.str()}, {"key", key.str()},
                      {"error", file.error().ToString()});
            return Error(ErrorCode::kCorruptData, "the object's bytes cannot be opened");
        }
        ObjectInfo info = TRY(InfoOf(row));
        BlockChecksums checksums = TRY(BlockChecksums::Decode(row.block_checksums));
        if (checksums.size_bytes() != info.size_bytes) {
            return Error(ErrorCode::kCorruptData, "an object's size differs from its block checksums");
        }
        return std::unique_ptr<ObjectReader>(
            new ObjectReader(state_->fs, *std::move(file), std::move(path), std::move(info), std::move(checksums)));
    }
}

Result<void> ObjectReader::VerifyRange(std::uint64_t offset, std::uint64_t size_bytes) const {
    Result<void> verified = checksums_.Verify(*fs_, file_, offset, size_bytes);
    if (!verified) {
        LOG_ERROR("an object is damaged on disk", {"key", info_.key}, {"blob", blob_path_},
                  {"error", verified.error().ToString()});
    }
    return verified;
}

Result<std::size_t> ObjectReader::ReadAt(std::span<char> out, std::uint64_t offset) const {
    if (offset >= info_.size_bytes) return std::size_t{0};
    const std::size_t size = std::min<std::uint64_t>(out.size(), info_.size_bytes - offset);
    return fs_->ReadAt(file_, out.first(size), offset);
}

std::optional<std::pair<std::uint64_t, std::uint64_t>> ObjectReader::PartRange(std::uint32_t part_number) const {
    if (part_number == 0) return std::nullopt;
    if (info_.num_parts == 0) {
        if (part_number != 1) return std::nullopt;
        return std::pair(std::uint64_t{0}, info_.size_bytes);
    }
    std::uint64_t offset = 0;
    for (std::uint32_t i = 0; i < checksums_.segments().size(); ++i) {
        const std::uint64_t size_bytes = checksums_.segments()[i].size_bytes;
        if (i + 1 == part_number) return std::pair(offset, size_bytes);
        offset += size_bytes;
    }
    return std::nullopt;
}

Result<std::string> ObjectStore::ReadAll(const BucketName& bucket, const ObjectKey& key,
                                         std::uint64_t size_bytes_max) const {
    const std::unique_ptr<ObjectReader> reader = TRY(OpenForReading(bucket, key));
    const std::uint64_t size_bytes = reader->info().size_bytes;
    if (size_bytes > size_bytes_max) return Error(ErrorCode::kResourceLimit, "the object is too large");
    TRY(reader->VerifyRange(0, size_bytes));
    std::string bytes(size_bytes, '\0');
    const std::size_t got = TRY(reader->ReadAt(bytes, 0));
    if (got != size_bytes) return Error(ErrorCode::kCorruptData, "a blob is shorter than its object");
    return bytes;
}

Result<ObjectInfo> ObjectStore::LinkInto(const BucketName& bucket, const ObjectKey& key,
                                         const std::string& destination_path) const {
    const std::unique_ptr<ObjectReader> reader = TRY(OpenForReading(bucket, key));
    const std::uint64_t size_bytes = reader->info().size_bytes;
    TRY(reader->VerifyRange(0, size_bytes));
    const Result<void> linked = state_->fs.Link(reader->blob_path_, destination_path);
    if (linked.has_value()) return reader->info();
    if (linked.error().code() == ErrorCode::kAlreadyExists) {
        return Error(ErrorCode::kAlreadyExists, linked.error().message());
    }
    // Another file system, or the blob's name is gone since it was opened.
    const Fd copy = TRY(state_->fs.Create(destination_path));
    if (Result<void> copied = state_->fs.AppendRange(copy, reader->file_, 0, size_bytes); !copied) {
        (void)state_->fs.Remove(destination_path);
        return std::move(copied).error().Wrap("copy object to " + destination_path);
    }
    return reader->info();
}

}  // namespace espalier::store
