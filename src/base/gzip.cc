#include "base/gzip.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>

namespace espalier {
namespace {

/// Ends a stream of zlib's.
struct Stream {
    z_stream state{};
    ~Stream() { inflateEnd(&state); }
};

}  // namespace

Result<std::string> GunzipText(std::string_view packed, std::size_t bytes_max) {
    Stream stream;
    // 15 window bits, +16: a gzip header is expected.
    if (inflateInit2(&stream.state, 15 + 16) != Z_OK) return Error(ErrorCode::kResourceLimit, "zlib has no memory");
    stream.state.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    stream.state.avail_in = static_cast<uInt>(packed.size());
    std::string text;
    int code = Z_OK;
    while (code == Z_OK) {
        const std::size_t known = text.size();
        if (known > bytes_max)
            return Error(ErrorCode::kResourceLimit, fmt::format("the gzip text holds more than {} bytes", bytes_max));
        text.resize(known + std::clamp<std::size_t>(known, 4096, 1 << 20));
        stream.state.next_out = reinterpret_cast<Bytef*>(text.data() + known);
        stream.state.avail_out = static_cast<uInt>(text.size() - known);
        code = inflate(&stream.state, Z_NO_FLUSH);
        text.resize(text.size() - stream.state.avail_out);
    }
    if (code != Z_STREAM_END || stream.state.avail_in != 0)
        return Error(ErrorCode::kCorruptData, "the gzip text is damaged or cut");
    if (text.size() > bytes_max)
        return Error(ErrorCode::kResourceLimit, fmt::format("the gzip text holds more than {} bytes", bytes_max));
    return text;
}

}  // namespace espalier
