// Undoes the aws-chunked framing of an upload: `<hex size>[;chunk-signature=<hex>]\r\n<data>\r\n ... 0[;...]\r\n
// [name:value\r\n ...]\r\n`, checking the chunk signatures as it goes. Pushed: bytes may come in pieces of any size.
//
// Limits: kChunkLineBytesMax a chunk line, kTrailerBytesMax all trailers together. Nothing of a chunk is kept.
// Source: Amazon S3 API reference, "Signature calculations for the Authorization header: transferring payload in
// multiple chunks" and "... including trailing headers". Confined to one thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/auth/principal.h"
#include "api/s3/s3_operation.h"
#include "base/digest.h"

namespace espalier::api::s3 {

inline constexpr std::size_t kChunkLineBytesMax = 512;
inline constexpr std::size_t kTrailerBytesMax = 8192;

class AwsChunkedDecoder {
  public:
    using Sink = std::function<S3Result<Done>(std::string_view)>;

    AwsChunkedDecoder(PayloadMode mode, const ChunkSigningContext& signing);

    /// Gives the data in `bytes` to the sink, in order. IncompleteBody for broken framing, SignatureDoesNotMatch for a
    /// wrong chunk signature (its data may have gone to the sink already), MalformedTrailerError.
    S3Result<Done> Feed(std::string_view bytes, const Sink& sink);
    /// The body has ended: an error unless the last chunk and the trailers were complete.
    S3Result<Done> Finish();
    /// (lower-case name, value) without x-amz-trailer-signature. After Finish.
    const std::vector<std::pair<std::string, std::string>>& trailers() const { return trailers_; }

  private:
    enum class State { kChunkLine, kData, kAfterData, kTrailerLine, kDone };

    /// Moves bytes up to a line feed into line_; true when it is complete (without "\r\n").
    S3Result<bool> TakeLine(std::string_view& bytes, std::size_t bytes_max);
    S3Result<Done> BeginChunk();
    S3Result<Done> EndChunk();
    S3Result<Done> TakeTrailer();
    S3Result<Done> EndTrailers();
    bool IsSigned() const { return mode_ != PayloadMode::kStreamingUnsignedTrailer; }

    const PayloadMode mode_;
    ChunkSignatures signatures_;
    State state_ = State::kChunkLine;
    std::string line_;
    std::uint64_t left_in_chunk_ = 0;
    bool is_last_chunk_ = false;
    std::string chunk_signature_;
    Sha256 chunk_sha256_;
    std::size_t trailer_bytes_ = 0;
    std::vector<std::pair<std::string, std::string>> trailers_;
    std::string canonical_trailers_;
    std::string trailer_signature_;
};

}  // namespace espalier::api::s3
