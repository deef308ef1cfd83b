#include "http/chunked_decoder.h"

#include <algorithm>
#include <cstring>

namespace espalier::http {
namespace {

int HexValue(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool IsText(char c) {
    return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F);
}

bool IsTokenStart(char c) {
    return IsText(c) && c != ' ' && c != '\t' && c != ':';
}

}  // namespace

ChunkedDecoder::Step ChunkedDecoder::Decode(std::string_view input, std::span<char> output) {
    Step step;
    while (step.consumed < input.size() && !done() && !failed()) {
        if (state_ == State::kData) {
            std::uint64_t room = std::min<std::uint64_t>(input.size() - step.consumed, output.size() - step.produced);
            auto num = static_cast<std::size_t>(std::min(room, chunk_bytes_left_));
            if (num == 0) break;  // the output is full
            std::memcpy(output.data() + step.produced, input.data() + step.consumed, num);
            step.consumed += num;
            step.produced += num;
            chunk_bytes_left_ -= num;
            if (chunk_bytes_left_ == 0) state_ = State::kDataReturn;
        } else {
            state_ = Next(input[step.consumed]);
            ++step.consumed;
        }
    }
    return step;
}

ChunkedDecoder::State ChunkedDecoder::Next(char c) {
    switch (state_) {
        case State::kSize: {
            int digit = HexValue(c);
            if (digit >= 0) {
                constexpr int kDigitsMax = 16;
                if (++num_digits_ > kDigitsMax || chunk_bytes_left_ >> 58 != 0) return State::kFailed;
                chunk_bytes_left_ = chunk_bytes_left_ << 4 | static_cast<std::uint64_t>(digit);
                return State::kSize;
            }
            if (num_digits_ == 0) return State::kFailed;
            line_bytes_ = 0;
            return c == '\r' ? State::kSizeLineFeed : c == ';' ? State::kExtension : State::kFailed;
        }
        case State::kExtension:
            if (c == '\r') return State::kSizeLineFeed;
            return IsText(c) && ++line_bytes_ <= kExtensionBytesMax ? State::kExtension : State::kFailed;
        case State::kSizeLineFeed:
            if (c != '\n') return State::kFailed;
            num_digits_ = 0;
            return chunk_bytes_left_ == 0 ? State::kTrailerStart : State::kData;
        case State::kDataReturn:
            return c == '\r' ? State::kDataLineFeed : State::kFailed;
        case State::kDataLineFeed:
            return c == '\n' ? State::kSize : State::kFailed;
        case State::kTrailerStart:
            if (c == '\r') return State::kLastLineFeed;
            trailer_has_colon_ = false;
            return IsTokenStart(c) && ++trailer_bytes_ <= kTrailerBytesMax ? State::kTrailerLine : State::kFailed;
        case State::kTrailerLine:
            if (c == '\r') return trailer_has_colon_ ? State::kTrailerLineFeed : State::kFailed;
            trailer_has_colon_ = trailer_has_colon_ || c == ':';
            return IsText(c) && ++trailer_bytes_ <= kTrailerBytesMax ? State::kTrailerLine : State::kFailed;
        case State::kTrailerLineFeed:
            return c == '\n' ? State::kTrailerStart : State::kFailed;
        case State::kLastLineFeed:
            return c == '\n' ? State::kDone : State::kFailed;
        case State::kData:
        case State::kDone:
        case State::kFailed:
            break;
    }
    return State::kFailed;
}

}  // namespace espalier::http
