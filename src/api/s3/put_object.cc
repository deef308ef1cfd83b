#include "api/s3/incoming_body.h"
#include "api/s3/object_headers.h"
#include "api/s3/operations.h"
#include "base/encoding.h"

namespace espalier::api::s3 {

S3Result<Reply> PutObject(const S3Context& context, const S3Request& request) {
    // All that can be refused is refused before the first byte of the body is asked for.
    TRY(RefuseUnsupportedHeaders(request));
    const store::ObjectAttributes attributes = TRY(ParseAttributes(request));
    const store::WriteCondition condition = TRY(ParseWriteCondition(request));
    IncomingBody body = TRY(IncomingBody::Parse(request, store::kSinglePutBytesMax));
    std::unique_ptr<store::ObjectWriter> writer = TRY(context.store.BeginWrite(*request.bucket, body.digests()));
    TRY(CheckWriteConditionEarly(context, request, condition));

    TRY(body.ReadInto(*writer));
    const store::BodyDigests digests = TRY(writer->Finish());
    TRY(body.Check(digests));
    store::Checksum checksum;
    checksum.algorithm = body.checksum_algorithm();
    checksum.value = Base64Encode(digests.Of(checksum.algorithm));
    const store::ObjectInfo info = TRY(
        context.store.CommitObject(std::move(writer), *request.bucket, *request.key, attributes, checksum, condition));
    Reply reply = EmptyReply(200);
    reply.response.headers.Set("ETag", Quoted(info.etag));
    AddChecksumHeaders(info.checksum, reply.response.headers);
    return reply;
}

}  // namespace espalier::api::s3
