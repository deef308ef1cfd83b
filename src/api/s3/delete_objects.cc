// DeleteObject and DeleteObjects.
#include "api/s3/incoming_body.h"
#include "api/s3/object_headers.h"
#include "api/s3/operations.h"
#include "api/s3/s3_xml.h"

namespace espalier::api::s3 {
namespace {

struct EntryError {
    std::string key;
    S3Error error;
};

/// Entries with an etag are deleted one by one, each under its condition.
S3Result<Done> DeleteUnderCondition(const S3Context& context, const S3Request& request, const store::ObjectKey& key,
                                    const std::string& etag) {
    store::WriteCondition condition;
    condition.if_match = etag;
    TRY(context.store.Delete(*request.bucket, key, condition));
    return Done{};
}

}  // namespace

S3Result<Reply> DeleteObject(const S3Context& context, const S3Request& request) {
    TRY(CheckVersion(request));
    const store::WriteCondition condition = TRY(ParseWriteCondition(request));
    if (condition.if_absent) return NotImplementedHeader("If-None-Match");
    TRY(context.store.Delete(*request.bucket, *request.key, condition));
    return EmptyReply(204);
}

S3Result<Reply> DeleteObjects(const S3Context& context, const S3Request& request) {
    const std::string text = TRY(IncomingBody::ReadBuffered(request));
    const DeleteDocument document = TRY(ParseDelete(text));
    std::vector<store::ObjectKey> keys;
    std::vector<EntryError> errors;
    for (const DeleteEntry& entry : document.entries) {
        Result<store::ObjectKey> key = store::ObjectKey::Parse(entry.key);
        if (!key) {
            errors.push_back({entry.key, S3Error(S3Code::kKeyTooLong)});
        } else if (!entry.version_id.empty() && entry.version_id != "null") {
            errors.push_back({entry.key, S3Error(S3Code::kNoSuchVersion)});
        } else if (entry.etag) {
            S3Result<Done> deleted = DeleteUnderCondition(context, request, *key, *entry.etag);
            if (!deleted) errors.push_back({entry.key, std::move(deleted).error()});
        } else {
            keys.push_back(*std::move(key));
        }
    }
    TRY(context.store.DeleteMany(*request.bucket, keys));

    XmlWriter xml("DeleteResult");
    for (const DeleteEntry& entry : document.entries) {
        const bool failed =
            std::any_of(errors.begin(), errors.end(), [&](const EntryError& error) { return error.key == entry.key; });
        if (!failed && !document.quiet) xml.Open("Deleted").Text("Key", entry.key).Close("Deleted");
    }
    for (const auto& [key, error] : errors) {
        xml.Open("Error")
            .Text("Key", key)
            .Text("Code", error.wire_code())
            .Text("Message", error.message())
            .Close("Error");
    }
    return XmlReply(std::move(xml).Finish());
}

}  // namespace espalier::api::s3
