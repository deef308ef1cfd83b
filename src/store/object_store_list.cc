// Listing objects and uploads: key order, prefix, delimiter.
#include "meta/key_prefix.h"
#include "meta/uploads.h"
#include "store/object_store.h"
#include "store/object_store_state.h"

namespace espalier::store {
namespace {

using meta::EndOfPrefix;

// Rows read to find the next key behind a group; doubled as long as no group follows.
constexpr std::uint32_t kRowsBehindGroup = 4;

/// `key` up to and with the first delimiter after the prefix; "" when it has none.
std::string CommonPrefixOf(const std::string& key, const std::string& prefix, const std::string& delimiter) {
    if (delimiter.empty()) return "";
    const std::size_t at = key.find(delimiter, prefix.size());
    return at == std::string::npos ? "" : key.substr(0, at + delimiter.size());
}

}  // namespace

Result<Listing> ObjectStore::List(const BucketName& bucket, const ListRequest& request) const {
    Listing listing;
    const std::uint32_t max_keys = std::min(request.max_keys, kListKeysMax);
    meta::KeyRange range{request.prefix, false, EndOfPrefix(request.prefix)};
    if (request.start_after >= request.prefix && !request.start_after.empty()) {
        range.from = request.start_after;
        range.from_is_excluded = true;
    }
    // A page that ended with a common prefix goes on behind everything that it stands for.
    std::string group = CommonPrefixOf(request.start_after, request.prefix, request.delimiter);
    if (!request.start_after.starts_with(request.prefix) || group != request.start_after) group.clear();
    if (!group.empty()) range = {EndOfPrefix(group), false, range.end};

    // Without a delimiter one read gives the page; with one, most of what is read may belong to a group.
    std::uint32_t batch = request.delimiter.empty() ? kListKeysMax + 1 : kRowsBehindGroup;
    TRY(state_->options.database->Read([&](soci::session& sql) -> Result<void> {
        TRY(RequireBucket(sql, bucket));
        while (max_keys > 0) {
            const auto count = static_cast<std::uint32_t>(listing.objects.size() + listing.common_prefixes.size());
            const std::uint32_t max_rows = std::min(max_keys - count + 1, batch);
            const std::vector<meta::ObjectRow> rows = TRY(meta::ListObjects(sql, bucket.str(), range, max_rows));
            for (const meta::ObjectRow& row : rows) {
                if (!group.empty() && row.key.starts_with(group)) continue;
                if (listing.objects.size() + listing.common_prefixes.size() == max_keys) {
                    listing.is_truncated = true;
                    return {};
                }
                group = CommonPrefixOf(row.key, request.prefix, request.delimiter);
                if (group.empty()) {
                    listing.objects.push_back(TRY(InfoOf(row)));
                    listing.last = row.key;
                } else {
                    listing.common_prefixes.push_back(group);
                    listing.last = group;
                }
            }
            if (rows.size() < max_rows) return {};
            // The rest of a group is jumped over, not read.
            if (!group.empty()) {
                range = {EndOfPrefix(group), false, range.end};
                batch = kRowsBehindGroup;
            } else {
                range = {rows.back().key, true, range.end};
                batch *= 2;
            }
        }
        return {};
    }));
    return listing;
}

Result<UploadListing> ObjectStore::ListUploads(const BucketName& bucket, const ListUploadsRequest& request) const {
    UploadListing listing;
    const std::uint32_t max_uploads = std::min(request.max_uploads, kListKeysMax);
    // An id is lower-case hex, so "~" comes after every one: without an id marker the marker's key is passed over
    // whole.
    std::string after_key = request.key_marker;
    std::string after_id = request.upload_id_marker.empty() && !after_key.empty() ? "~" : request.upload_id_marker;
    std::string group = CommonPrefixOf(after_key, request.prefix, request.delimiter);
    if (!after_key.starts_with(request.prefix) || group != after_key) group.clear();

    std::uint32_t batch = request.delimiter.empty() ? kListKeysMax : kRowsBehindGroup;
    TRY(state_->options.database->Read([&](soci::session& sql) -> Result<void> {
        TRY(RequireBucket(sql, bucket));
        while (max_uploads > 0) {
            const auto rows = TRY(meta::ListOpenUploads(sql, bucket.str(), request.prefix, after_key, after_id, batch));
            for (const meta::UploadRow& row : rows) {
                after_key = row.key;
                after_id = row.id;
                if (!row.key.starts_with(request.prefix)) return {};
                if (!group.empty() && row.key.starts_with(group)) continue;
                if (listing.uploads.size() + listing.common_prefixes.size() == max_uploads) {
                    listing.is_truncated = true;
                    return {};
                }
                group = CommonPrefixOf(row.key, request.prefix, request.delimiter);
                if (!group.empty()) {
                    listing.common_prefixes.push_back(group);
                    listing.next_key_marker = group;
                    listing.next_upload_id_marker.clear();
                    continue;
                }
                UploadInfo upload;
                upload.id = row.id;
                upload.key = row.key;
                upload.created_at = row.created_at;
                upload.checksum_algorithm =
                    ParseChecksumAlgorithm(row.checksum_algorithm).value_or(ChecksumAlgorithm::kNone);
                upload.checksum_type = ParseChecksumType(row.checksum_type).value_or(ChecksumType::kComposite);
                listing.uploads.push_back(std::move(upload));
                listing.next_key_marker = row.key;
                listing.next_upload_id_marker = row.id;
            }
            if (rows.size() < batch) return {};
            // The rest of a group is jumped over, not read. No id comes before "".
            if (!group.empty()) {
                after_key = EndOfPrefix(group);
                after_id.clear();
                batch = kRowsBehindGroup;
            } else {
                batch = std::min(2 * batch, kListKeysMax);
            }
        }
        return {};
    }));
    return listing;
}

}  // namespace espalier::store
