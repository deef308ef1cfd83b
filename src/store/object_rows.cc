// Between the rows of meta and the values of the store.
#include <charconv>

#include "store/object_store_state.h"

namespace espalier::store {
namespace {

void AppendNetstring(std::string& text, const std::string& value) {
    text += std::to_string(value.size()) + ":" + value;
}

Result<std::string> TakeNetstring(std::string_view& text) {
    std::size_t size = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), size);
    const auto digits = static_cast<std::size_t>(parsed.ptr - text.data());
    if (parsed.ec != std::errc() || digits >= text.size() || text[digits] != ':' || text.size() - digits - 1 < size) {
        return Error(ErrorCode::kCorruptData, "the headers or metadata of an object are malformed");
    }
    std::string value(text.substr(digits + 1, size));
    text.remove_prefix(digits + 1 + size);
    return value;
}

}  // namespace

std::string EncodeNameValues(const NameValues& pairs) {
    std::string text;
    for (const auto& [name, value] : pairs) {
        AppendNetstring(text, name);
        AppendNetstring(text, value);
    }
    return text;
}

Result<NameValues> DecodeNameValues(std::string_view text) {
    NameValues pairs;
    while (!text.empty()) {
        std::string name = TRY(TakeNetstring(text));
        std::string value = TRY(TakeNetstring(text));
        pairs.emplace_back(std::move(name), std::move(value));
    }
    return pairs;
}

Result<ObjectInfo> InfoOf(const meta::ObjectRow& row) {
    ObjectInfo info;
    info.key = row.key;
    info.size_bytes = row.size_bytes;
    info.etag = row.etag;
    info.last_modified = row.last_modified;
    info.attributes.headers = TRY(DecodeNameValues(row.headers));
    info.attributes.user_metadata = TRY(DecodeNameValues(row.user_metadata));
    info.checksum.algorithm = ParseChecksumAlgorithm(row.checksum_algorithm).value_or(ChecksumAlgorithm::kNone);
    info.checksum.type = ParseChecksumType(row.checksum_type).value_or(ChecksumType::kFullObject);
    info.checksum.value = row.checksum_value;
    info.num_parts = row.num_parts;
    return info;
}

meta::ObjectRow RowOf(const BucketName& bucket, const ObjectInfo& info) {
    meta::ObjectRow row;
    row.bucket = bucket.str();
    row.key = info.key;
    row.size_bytes = info.size_bytes;
    row.etag = info.etag;
    row.last_modified = info.last_modified;
    row.headers = EncodeNameValues(info.attributes.headers);
    row.user_metadata = EncodeNameValues(info.attributes.user_metadata);
    row.checksum_algorithm = NameOf(info.checksum.algorithm);
    row.checksum_type = NameOf(info.checksum.type);
    row.checksum_value = info.checksum.value;
    row.num_parts = info.num_parts;
    return row;
}

}  // namespace espalier::store
