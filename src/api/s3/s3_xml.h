// XML of the S3 protocol: a small writer, and readers for the three documents that clients send. pugixml is behind this
// file only; it knows no DTD and no entities but the five predefined, so there is nothing to expand.
// Thread-compatible.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/s3/s3_operation.h"

namespace espalier::api::s3 {

/// Writes a document with one root in S3's namespace. Text is escaped; control characters become references, as S3
/// writes them.
class XmlWriter {
  public:
    /// `root` "" starts without a root (for errors, which have no namespace).
    explicit XmlWriter(std::string_view root);
    XmlWriter& Open(std::string_view name);
    XmlWriter& Close(std::string_view name);
    XmlWriter& Text(std::string_view name, std::string_view text);
    XmlWriter& Number(std::string_view name, std::uint64_t number);
    XmlWriter& Bool(std::string_view name, bool value) { return Text(name, value ? "true" : "false"); }
    /// Text, left out when empty.
    XmlWriter& Optional(std::string_view name, std::string_view text);
    /// Closes the root.
    std::string Finish() &&;

  private:
    std::string text_;
    std::string root_;
};

/// The error document.
std::string ErrorDocument(const S3Error& error, const S3Target& target, std::string_view resource,
                          std::string_view request_id, std::string_view host_id);

struct DeleteEntry {
    std::string key;
    std::string version_id;
    std::optional<std::string> etag;
};
struct DeleteDocument {
    std::vector<DeleteEntry> entries;
    bool quiet = false;
};
/// At most 1000 entries; MalformedXML otherwise.
S3Result<DeleteDocument> ParseDelete(std::string_view text);

/// `algorithm`: whose checksums are read from the parts.
S3Result<std::vector<store::CompletedPart>> ParseCompleteMultipartUpload(std::string_view text,
                                                                         store::ChecksumAlgorithm algorithm);

/// The LocationConstraint of a CreateBucketConfiguration, "" when it has none; "" for an empty text.
S3Result<std::string> ParseCreateBucket(std::string_view text);

}  // namespace espalier::api::s3
