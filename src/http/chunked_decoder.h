// Undoes Transfer-Encoding: chunked (RFC 9112 section 7.1), strictly: CRLF only, at most 16 hex digits a size.
//
// Trailer fields are checked for form and dropped: none that matters to us is sent there (aws-chunked trailers stand
// inside the body). Thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace espalier::http {

class ChunkedDecoder {
  public:
    static constexpr std::size_t kExtensionBytesMax = 1024;    ///< chunk extensions, per chunk
    static constexpr std::size_t kTrailerBytesMax = 8 * 1024;  ///< all trailer lines together

    struct Step {
        std::size_t consumed = 0;  ///< bytes taken from the input
        std::size_t produced = 0;  ///< bytes of body written to the output
    };

    /// Decodes until the input or the output is used up, the body ends, or it is malformed. Input after the body's end
    /// is not consumed: it is the next request.
    Step Decode(std::string_view input, std::span<char> output);

    bool done() const { return state_ == State::kDone; }
    bool failed() const { return state_ == State::kFailed; }

  private:
    enum class State {
        kSize,
        kExtension,
        kSizeLineFeed,
        kData,
        kDataReturn,
        kDataLineFeed,
        kTrailerStart,
        kTrailerLine,
        kTrailerLineFeed,
        kLastLineFeed,
        kDone,
        kFailed,
    };

    State Next(char c);

    State state_ = State::kSize;
    std::uint64_t chunk_bytes_left_ = 0;
    int num_digits_ = 0;
    std::size_t line_bytes_ = 0;     // of the extension
    std::size_t trailer_bytes_ = 0;  // of all trailer lines
    bool trailer_has_colon_ = false;
};

}  // namespace espalier::http
