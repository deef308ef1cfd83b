#include "api/s3/s3_service.h"

#include "api/s3/operations.h"
#include "api/s3/s3_xml.h"
#include "base/encoding.h"
#include "base/log.h"

namespace espalier::api::s3 {
namespace {

// CompleteMultipartUpload with 10,000 parts and DeleteObjects with 1,000 long keys both stay below it.
constexpr std::size_t kDocumentBytesMax = 4 << 20;

S3Result<Reply> Run(const S3Context& context, S3Request& request) {
    const OperationRow* row = TRY(FindOperation(request.head(), request.target));
    if (row->resource != Resource::kService) {
        Result<store::BucketName> bucket = store::BucketName::Parse(request.target.bucket);
        if (!bucket) return S3Error(S3Code::kInvalidBucketName);
        request.bucket = *std::move(bucket);
        const auto owner = request.header("x-amz-expected-bucket-owner");
        if (owner && *owner != request.principal.account_id) return S3Error(S3Code::kAccessDenied);
    }
    if (row->resource == Resource::kObject) {
        Result<store::ObjectKey> key = store::ObjectKey::Parse(request.target.key);
        if (!key && key.error().code() == ErrorCode::kResourceLimit) {
            return S3Error(S3Code::kKeyTooLong)
                .With("Size", std::to_string(request.target.key.size()))
                .With("MaxSizeAllowed", std::to_string(store::kKeyBytesMax));
        }
        if (!key) return S3Error(S3Code::kInvalidUri);
        request.key = *std::move(key);
    }
    return row->run(context, request);
}

/// The second id of S3's answers; ours is made of the first, so one is enough to find a request in the log.
std::string HostIdOf(std::string_view request_id) {
    return Base64Encode(request_id);
}

http::Response ErrorResponseOf(const S3Error& error, const http::RequestHead& head, const S3Target& target,
                               const std::string& request_id) {
    http::Response response;
    response.status = error.status();
    response.headers.Set("Content-Type", "application/xml");
    // A HEAD has no room for a document; its status says it all.
    if (head.method != "HEAD" && response.status != 304) {
        response.body = ErrorDocument(error, target, head.raw_path(), request_id, HostIdOf(request_id));
    }
    return response;
}

}  // namespace

S3Service::S3Service(Options options) : options_(std::move(options)) {}

http::BodyPlan S3Service::Plan(const http::RequestHead& head) {
    const std::optional<S3Target> target = ParseTarget(head, options_.host_names);
    http::BodyPlan plan{.mode = http::BodyPlan::kWorker, .max_body_bytes = kDocumentBytesMax};
    if (!target) return plan;
    // Refusals do not wait for a body either: an unknown operation is answered at once.
    S3Result<const OperationRow*> row = FindOperation(head, *target);
    if (!row || (*row)->streams_body) plan.mode = http::BodyPlan::kStreamed;
    return plan;
}

void S3Service::Handle(std::shared_ptr<http::Exchange> exchange, Principal principal, std::string request_id) {
    const http::RequestHead& head = exchange->head();
    const std::optional<S3Target> target = ParseTarget(head, options_.host_names);
    if (!target) {
        exchange->Send(ErrorResponseOf(S3Error(S3Code::kInvalidUri), head, S3Target{}, request_id));
        return;
    }
    const S3Context context{*options_.store, *options_.clock};
    S3Request request{*exchange, principal, *target, std::nullopt, std::nullopt};
    S3Result<Reply> result = Run(context, request);
    if (!result) {
        http::Response response = ErrorResponseOf(result.error(), head, *target, request_id);
        response.headers.Set("x-amz-id-2", HostIdOf(request_id));
        exchange->Send(std::move(response));
        return;
    }
    Reply reply = std::move(result).value();
    reply.response.headers.Set("x-amz-id-2", HostIdOf(request_id));
    if (!reply.object || reply.size_bytes == 0) {
        exchange->Send(std::move(reply.response));
        return;
    }
    const Result<void> sent =
        exchange->SendFile(std::move(reply.response), reply.object->fd(), reply.offset, reply.size_bytes);
    if (!sent) LOG_DEBUG("object not sent whole", {"error", sent.error().ToString()});
}

}  // namespace espalier::api::s3
