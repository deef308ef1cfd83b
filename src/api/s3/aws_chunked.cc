#include "api/s3/aws_chunked.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace espalier::api::s3 {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kSignatureExtension = "chunk-signature=";

S3Error BrokenFrame() {
    return S3Error(S3Code::kIncompleteBody, "The aws-chunked framing of the request body is broken");
}

std::string_view Trim(std::string_view text) {
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) text.remove_prefix(1);
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.remove_suffix(1);
    return text;
}

}  // namespace

AwsChunkedDecoder::AwsChunkedDecoder(PayloadMode mode, const ChunkSigningContext& signing)
    : mode_(mode), signatures_(signing) {}

S3Result<bool> AwsChunkedDecoder::TakeLine(std::string_view& bytes, std::size_t bytes_max) {
    const std::size_t feed = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, feed);
    if (line_.size() + piece.size() > bytes_max + 1) return BrokenFrame();  // 1 for the '\r'
    line_ += piece;
    if (feed == std::string_view::npos) {
        bytes = {};
        return false;
    }
    bytes.remove_prefix(feed + 1);
    // Two parsers that disagree on a bare line feed in a chunk line are a way to smuggle. Trailers have it: the S3 API
    // reference shows "name:value\n\r\n", and clients send that.
    const bool has_return = line_.ends_with('\r');
    if (!has_return && state_ == State::kChunkLine) return BrokenFrame();
    if (has_return) line_.pop_back();
    return true;
}

S3Result<Done> AwsChunkedDecoder::BeginChunk() {
    std::string_view size = line_;
    std::string_view extension;
    if (const std::size_t semicolon = size.find(';'); semicolon != std::string_view::npos) {
        extension = size.substr(semicolon + 1);
        size = size.substr(0, semicolon);
    }
    const auto parsed = std::from_chars(size.data(), size.data() + size.size(), left_in_chunk_, 16);
    if (parsed.ec != std::errc() || parsed.ptr != size.data() + size.size() || size.empty()) return BrokenFrame();
    chunk_signature_ = extension.starts_with(kSignatureExtension) ? extension.substr(kSignatureExtension.size()) : "";
    is_last_chunk_ = left_in_chunk_ == 0;
    line_.clear();
    if (!is_last_chunk_) {
        state_ = State::kData;
        return Done{};
    }
    TRY(EndChunk());
    state_ = State::kTrailerLine;
    return Done{};
}

S3Result<Done> AwsChunkedDecoder::EndChunk() {
    if (IsSigned() && !signatures_.CheckChunk(chunk_sha256_.Finish(), chunk_signature_)) {
        return S3Error(S3Code::kSignatureDoesNotMatch);
    }
    return Done{};
}

S3Result<Done> AwsChunkedDecoder::TakeTrailer() {
    trailer_bytes_ += line_.size() + 2;
    if (mode_ == PayloadMode::kStreamingSigned || trailer_bytes_ > kTrailerBytesMax) {
        return S3Error(S3Code::kMalformedTrailer);
    }
    const std::size_t colon = line_.find(':');
    if (colon == std::string::npos || colon == 0) return S3Error(S3Code::kMalformedTrailer);
    std::string name(Trim(std::string_view(line_).substr(0, colon)));
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    std::string value(Trim(std::string_view(line_).substr(colon + 1)));
    line_.clear();
    if (name == "x-amz-trailer-signature") {
        trailer_signature_ = std::move(value);
        return Done{};
    }
    canonical_trailers_ += name + ":" + value + "\n";
    trailers_.emplace_back(std::move(name), std::move(value));
    return Done{};
}

S3Result<Done> AwsChunkedDecoder::EndTrailers() {
    state_ = State::kDone;
    if (mode_ == PayloadMode::kStreamingSignedTrailer &&
        !signatures_.CheckTrailer(canonical_trailers_, trailer_signature_)) {
        return S3Error(S3Code::kSignatureDoesNotMatch);
    }
    return Done{};
}

S3Result<Done> AwsChunkedDecoder::Feed(std::string_view bytes, const Sink& sink) {
    while (!bytes.empty()) {
        switch (state_) {
            case State::kChunkLine:
                if (TRY(TakeLine(bytes, kChunkLineBytesMax))) TRY(BeginChunk());
                break;
            case State::kData: {
                const std::string_view data = bytes.substr(0, left_in_chunk_);
                if (IsSigned()) chunk_sha256_.Update(data);
                TRY(sink(data));
                bytes.remove_prefix(data.size());
                left_in_chunk_ -= data.size();
                if (left_in_chunk_ == 0) state_ = State::kAfterData;
                break;
            }
            case State::kAfterData: {
                const std::string_view piece = bytes.substr(0, kLineEnd.size() - line_.size());
                line_ += piece;
                bytes.remove_prefix(piece.size());
                if (!kLineEnd.starts_with(line_)) return BrokenFrame();
                if (line_ != kLineEnd) break;
                line_.clear();
                TRY(EndChunk());
                state_ = State::kChunkLine;
                break;
            }
            case State::kTrailerLine:
                if (!TRY(TakeLine(bytes, kTrailerBytesMax))) break;
                if (!line_.empty()) {
                    TRY(TakeTrailer());
                } else if (mode_ != PayloadMode::kStreamingSignedTrailer || !trailer_signature_.empty()) {
                    TRY(EndTrailers());
                }
                break;
            case State::kDone:
                return BrokenFrame();
        }
    }
    return Done{};
}

S3Result<Done> AwsChunkedDecoder::Finish() {
    // Some clients leave out the empty line after the trailers; the end of the body says the same.
    if (state_ == State::kTrailerLine && line_.empty()) TRY(EndTrailers());
    if (state_ != State::kDone) return BrokenFrame();
    return Done{};
}

}  // namespace espalier::api::s3
