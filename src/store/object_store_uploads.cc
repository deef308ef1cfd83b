// Multipart uploads. A part is a blob of its own from the moment it is acknowledged. Complete joins the parts' blobs
// into one file inside the kernel (copy_file_range), because one file is what training jobs link and what a GET sends;
// the decision and its measurement are in ARCHITECTURE.md, section store. An upload of one part is not copied at all:
// the part's blob becomes the object's.
#include <unordered_set>

#include "base/check.h"
#include "base/crc.h"
#include "base/digest.h"
#include "base/encoding.h"
#include "meta/uploads.h"
#include "store/object_store.h"
#include "store/object_store_state.h"
#include "store/object_writer_state.h"

namespace espalier::store {
namespace {

/// The open or completed upload of that id, bucket and key.
Result<meta::UploadRow> RequireUpload(soci::session& sql, const BucketName& bucket, const ObjectKey& key,
                                      const std::string& upload_id) {
    TRY(RequireBucket(sql, bucket));
    std::optional<meta::UploadRow> row = TRY(meta::FindUpload(sql, upload_id));
    if (!row || row->bucket != bucket.str() || row->key != key.str()) return MakeError(Fault::kNoSuchUpload);
    return std::move(*row);
}

Result<meta::UploadRow> RequireOpenUpload(soci::session& sql, const BucketName& bucket, const ObjectKey& key,
                                          const std::string& upload_id) {
    meta::UploadRow row = TRY(RequireUpload(sql, bucket, key, upload_id));
    if (row.completed_at != 0) return MakeError(Fault::kNoSuchUpload);
    return row;
}

Result<UploadInfo> UploadInfoOf(const meta::UploadRow& row) {
    UploadInfo info;
    info.id = row.id;
    info.key = row.key;
    info.created_at = row.created_at;
    info.attributes.headers = TRY(DecodeNameValues(row.headers));
    info.attributes.user_metadata = TRY(DecodeNameValues(row.user_metadata));
    info.checksum_algorithm = ParseChecksumAlgorithm(row.checksum_algorithm).value_or(ChecksumAlgorithm::kNone);
    info.checksum_type = ParseChecksumType(row.checksum_type).value_or(ChecksumType::kComposite);
    return info;
}

PartInfo PartInfoOf(const meta::PartRow& row) {
    return PartInfo{row.part_number, row.size_bytes, row.md5, row.last_modified, row.checksum_value};
}

/// The rows of the parts named by a Complete, in its order, checked against what the client says of them.
Result<std::vector<meta::PartRow>> ChooseParts(const std::vector<meta::PartRow>& stored,
                                               std::span<const CompletedPart> named) {
    if (named.empty()) return MakeError(Fault::kInvalidPart);
    std::vector<meta::PartRow> chosen;
    chosen.reserve(named.size());
    std::size_t at = 0;
    std::uint32_t previous = 0;
    for (const CompletedPart& part : named) {
        if (part.number <= previous) return MakeError(Fault::kInvalidPartOrder);
        previous = part.number;
    }
    for (const CompletedPart& part : named) {
        while (at < stored.size() && stored[at].part_number < part.number) ++at;
        if (at == stored.size() || stored[at].part_number != part.number || stored[at].md5 != part.etag) {
            return MakeError(Fault::kInvalidPart);
        }
        // A checksum the part was stored without proves nothing and is refused like a wrong one.
        if (!part.checksum.empty() && part.checksum != stored[at].checksum_value) return MakeError(Fault::kInvalidPart);
        chosen.push_back(stored[at]);
    }
    for (std::size_t i = 0; i + 1 < chosen.size(); ++i) {
        if (chosen[i].size_bytes < kPartBytesMin) return MakeError(Fault::kPartTooSmall);
    }
    return chosen;
}

/// md5 of the parts' binary md5s, "-", their number.
std::string JoinedEtag(const std::vector<meta::PartRow>& parts) {
    Md5 md5;
    for (const meta::PartRow& part : parts) md5.Update(HexDecode(part.md5).value_or(""));
    return HexEncode(md5.Finish()) + "-" + std::to_string(parts.size());
}

template <typename CrcType, typename Word>
std::string CombineCrcs(const std::vector<meta::PartRow>& parts) {
    Word all = CrcType::Of("");
    for (const meta::PartRow& part : parts) {
        Word one = 0;
        for (char byte : Base64Decode(part.checksum_value).value_or("")) {
            one = static_cast<Word>((one << 8) | static_cast<unsigned char>(byte));
        }
        all = CrcType::Combine(all, one, part.size_bytes);
    }
    return Base64Encode(AsBigEndian(all));
}

/// The object's checksum from the parts' own, without reading a byte. kNone unless every part has one.
Checksum JoinedChecksum(const UploadInfo& upload, const std::vector<meta::PartRow>& parts) {
    Checksum joined{upload.checksum_algorithm, upload.checksum_type, ""};
    std::string raw;
    for (const meta::PartRow& part : parts) {
        if (part.checksum_value.empty()) return {};
        raw += Base64Decode(part.checksum_value).value_or("");
    }
    if (joined.type == ChecksumType::kFullObject) {
        if (joined.algorithm == ChecksumAlgorithm::kCrc32) joined.value = CombineCrcs<Crc32, std::uint32_t>(parts);
        if (joined.algorithm == ChecksumAlgorithm::kCrc32c) joined.value = CombineCrcs<Crc32c, std::uint32_t>(parts);
        if (joined.algorithm == ChecksumAlgorithm::kCrc64nvme) {
            joined.value = CombineCrcs<Crc64Nvme, std::uint64_t>(parts);
        }
        return joined.value.empty() ? Checksum{} : joined;
    }
    DigestSet digests;
    digests.Add(joined.algorithm);
    DigestTaker taker(digests);
    taker.Update(raw);
    joined.value = Base64Encode(taker.Finish().Of(joined.algorithm)) + "-" + std::to_string(parts.size());
    return joined.algorithm == ChecksumAlgorithm::kNone ? Checksum{} : joined;
}

/// `expected` comes with or without "-N".
bool ChecksumIsAsExpected(const Checksum& checksum, const std::string& expected) {
    return expected.empty() || expected == checksum.value ||
           (checksum.type == ChecksumType::kComposite &&
            expected == checksum.value.substr(0, checksum.value.find('-')));
}

}  // namespace

Result<std::string> ObjectStore::CreateUpload(const BucketName& bucket, const ObjectKey& key,
                                              const ObjectAttributes& attributes, ChecksumAlgorithm algorithm,
                                              ChecksumType type) {
    meta::UploadRow row;
    row.id = state_->NewId();
    row.bucket = bucket.str();
    row.key = key.str();
    row.created_at = state_->options.clock->WallMillis();
    row.headers = EncodeNameValues(attributes.headers);
    row.user_metadata = EncodeNameValues(attributes.user_metadata);
    row.checksum_algorithm = NameOf(algorithm);
    row.checksum_type = NameOf(type);
    TRY(state_->options.database->Write([&](soci::session& sql) -> Result<void> {
        TRY(RequireBucket(sql, bucket));
        return meta::InsertUpload(sql, row);
    }));
    return row.id;
}

Result<UploadInfo> ObjectStore::HeadUpload(const BucketName& bucket, const ObjectKey& key,
                                           const std::string& upload_id) const {
    meta::UploadRow row;
    TRY(state_->options.database->Read([&](soci::session& sql) -> Result<void> {
        row = TRY(RequireOpenUpload(sql, bucket, key, upload_id));
        return {};
    }));
    return UploadInfoOf(row);
}

Result<UploadInfo> ObjectStore::HeadAnyUpload(const BucketName& bucket, const ObjectKey& key,
                                              const std::string& upload_id) const {
    meta::UploadRow row;
    TRY(state_->options.database->Read([&](soci::session& sql) -> Result<void> {
        row = TRY(RequireUpload(sql, bucket, key, upload_id));
        return {};
    }));
    return UploadInfoOf(row);
}

Result<PartInfo> ObjectStore::CommitPart(std::unique_ptr<ObjectWriter> writer, const BucketName& bucket,
                                         const ObjectKey& key, const std::string& upload_id, std::uint32_t part_number,
                                         const std::string& checksum) {
    CHECK(part_number >= 1 && part_number <= kPartNumberMax);
    meta::PartRow row;
    row.upload_id = upload_id;
    row.part_number = part_number;
    row.blob_id = TRY(state_->Publish(*writer));
    row.size_bytes = writer->state_->finished.size_bytes;
    row.md5 = HexEncode(writer->state_->finished.md5);
    row.last_modified = state_->options.clock->WallMillis();
    row.checksum_value = checksum;
    BlockChecksums blocks;
    blocks.AppendSegment(std::move(writer->state_->segment));
    row.block_checksums = blocks.Encode();
    std::optional<std::string> replaced;
    TRY(state_->WriteOrRemoveBlob(row.blob_id, [&](soci::session& sql) -> Result<void> {
        TRY(RequireOpenUpload(sql, bucket, key, upload_id));
        replaced = TRY(meta::FindPartBlob(sql, upload_id, part_number));
        return meta::UpsertPart(sql, row);
    }));
    if (replaced) state_->RemoveBlob(*replaced);
    return PartInfoOf(row);
}

Result<std::vector<PartInfo>> ObjectStore::ListParts(const BucketName& bucket, const ObjectKey& key,
                                                     const std::string& upload_id, std::uint32_t part_number_marker,
                                                     std::uint32_t max_parts) const {
    std::vector<PartInfo> parts;
    TRY(state_->options.database->Read([&](soci::session& sql) -> Result<void> {
        TRY(RequireOpenUpload(sql, bucket, key, upload_id));
        for (const meta::PartRow& row : TRY(meta::ListParts(sql, upload_id, part_number_marker, max_parts))) {
            parts.push_back(PartInfoOf(row));
        }
        return {};
    }));
    return parts;
}

Result<std::string> ObjectStore::State::JoinParts(const std::vector<meta::PartRow>& parts) {
    std::unique_ptr<ObjectWriter> staging = TRY(ObjectWriter::Create(fs, StagingPath(NewId()), {}));
    const Fd& file = staging->state_->file;
    std::uint64_t end = 0;
    for (const meta::PartRow& part : parts) {
        Result<Fd> blob = fs.OpenForReading(BlobPath(part.blob_id));
        if (!blob) {
            // Another UploadPart of the same number has just replaced it.
            if (blob.error().code() == ErrorCode::kNotFound) return MakeError(Fault::kConcurrentChange);
            return std::move(blob).error().Wrap("join parts");
        }
        TRY_MSG(fs.AppendRange(file, *blob, 0, part.size_bytes), "join parts");
        fs.StartWriteback(file, end, part.size_bytes);
        end += part.size_bytes;
    }
    TRY(staging->Finish());
    return Publish(*staging);
}

Result<ObjectInfo> ObjectStore::CompleteUpload(const BucketName& bucket, const ObjectKey& key,
                                               const std::string& upload_id, const CompleteRequest& request) {
    std::lock_guard one_at_a_time(
        state_->upload_mutexes[std::hash<std::string>()(upload_id) % state_->upload_mutexes.size()]);
    meta::UploadRow upload_row;
    std::vector<meta::PartRow> stored;
    TRY(state_->options.database->Read([&](soci::session& sql) -> Result<void> {
        upload_row = TRY(RequireUpload(sql, bucket, key, upload_id));
        stored = TRY(meta::ListParts(sql, upload_id, 0, kPartNumberMax));
        return {};
    }));
    const UploadInfo upload = TRY(UploadInfoOf(upload_row));
    ObjectInfo info;
    info.key = key.str();
    info.attributes = upload.attributes;
    if (upload_row.completed_at != 0) {
        info.etag = upload_row.completed_etag;
        info.last_modified = upload_row.completed_at;
        if (!upload_row.completed_checksum.empty()) {
            info.checksum = {upload.checksum_algorithm, upload.checksum_type, upload_row.completed_checksum};
        }
        return info;
    }
    const std::vector<meta::PartRow> chosen = TRY(ChooseParts(stored, request.parts));
    BlockChecksums blocks;
    for (const meta::PartRow& part : chosen) {
        info.size_bytes += part.size_bytes;
        blocks.Append(TRY(BlockChecksums::Decode(part.block_checksums)));
    }
    if (info.size_bytes > kObjectBytesMax) return MakeError(Fault::kObjectTooLarge);
    if (request.size_bytes.value_or(info.size_bytes) != info.size_bytes) return MakeError(Fault::kSizeMismatch);
    info.etag = JoinedEtag(chosen);
    info.num_parts = static_cast<std::uint32_t>(chosen.size());
    info.checksum = JoinedChecksum(upload, chosen);
    if (!ChecksumIsAsExpected(info.checksum, request.checksum)) return MakeError(Fault::kChecksumMismatch);
    info.last_modified = state_->options.clock->WallMillis();

    const bool is_joined = chosen.size() > 1;
    meta::ObjectRow row = RowOf(bucket, info);
    row.blob_id = is_joined ? TRY(state_->JoinParts(chosen)) : chosen[0].blob_id;
    row.block_checksums = blocks.Encode();
    TRY(state_->CommitJoined(bucket, key, upload_id, stored, row, is_joined, request.condition));
    return info;
}

Result<void> ObjectStore::State::CommitJoined(const BucketName& bucket, const ObjectKey& key,
                                              const std::string& upload_id, const std::vector<meta::PartRow>& stored,
                                              const meta::ObjectRow& row, bool is_joined,
                                              const WriteCondition& condition) {
    std::optional<meta::ObjectIdentity> replaced;
    const auto transaction = [&](soci::session& sql) -> Result<void> {
        TRY(RequireOpenUpload(sql, bucket, key, upload_id));
        const std::vector<meta::PartRow> now = TRY(meta::ListParts(sql, upload_id, 0, kPartNumberMax));
        const bool is_unchanged =
            std::equal(now.begin(), now.end(), stored.begin(), stored.end(),
                       [](const meta::PartRow& a, const meta::PartRow& b) { return a.blob_id == b.blob_id; });
        if (!is_unchanged) return MakeError(Fault::kConcurrentChange);
        replaced = TRY(meta::FindObjectIdentity(sql, bucket.str(), key.str()));
        TRY(CheckCondition(condition, replaced));
        TRY(meta::UpsertObject(sql, row));
        TRY(meta::DeleteParts(sql, upload_id));
        TRY(meta::DeleteUploadsCompletedBefore(sql, row.last_modified - kCompletedUploadsKeptMillis));
        return meta::MarkUploadCompleted(sql, upload_id, row.last_modified, row.etag, row.checksum_value);
    };
    TRY(is_joined ? WriteOrRemoveBlob(row.blob_id, transaction) : options.database->Write(transaction));
    if (replaced) RemoveBlob(replaced->blob_id);
    for (const meta::PartRow& part : stored) {
        if (part.blob_id != row.blob_id) RemoveBlob(part.blob_id);
    }
    return {};
}

Result<void> ObjectStore::AbortUpload(const BucketName& bucket, const ObjectKey& key, const std::string& upload_id) {
    std::vector<meta::PartRow> parts;
    TRY(state_->options.database->Write([&](soci::session& sql) -> Result<void> {
        TRY(RequireOpenUpload(sql, bucket, key, upload_id));
        parts = TRY(meta::ListParts(sql, upload_id, 0, kPartNumberMax));
        return meta::DeleteUpload(sql, upload_id);
    }));
    for (const meta::PartRow& part : parts) state_->RemoveBlob(part.blob_id);
    return {};
}

}  // namespace espalier::store
