#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/crc.h"
#include "store/object_writer.h"

namespace espalier::store {
namespace {

Error Malformed() {
    return Error(ErrorCode::kCorruptData, "the block checksums of a blob are malformed");
}

std::uint64_t NumBlocks(std::uint64_t size_bytes) {
    return (size_bytes + BlockChecksums::kBlockBytes - 1) / BlockChecksums::kBlockBytes;
}

}  // namespace

void BlockChecksums::Append(const BlockChecksums& other) {
    segments_.insert(segments_.end(), other.segments_.begin(), other.segments_.end());
}

std::uint64_t BlockChecksums::size_bytes() const {
    std::uint64_t sum = 0;
    for (const Segment& segment : segments_) sum += segment.size_bytes;
    return sum;
}

std::string BlockChecksums::Encode() const {
    std::string text;
    for (const Segment& segment : segments_) {
        if (!text.empty()) text += ';';
        text += std::to_string(segment.size_bytes) + ":";
        for (std::uint32_t crc : segment.blocks) fmt::format_to(std::back_inserter(text), "{:08x}", crc);
    }
    return text;
}

Result<BlockChecksums> BlockChecksums::Decode(std::string_view text) {
    BlockChecksums checksums;
    while (!text.empty()) {
        const std::string_view part = text.substr(0, text.find(';'));
        text.remove_prefix(std::min(text.size(), part.size() + 1));
        Segment segment;
        const char* end = part.data() + part.size();
        const auto size = std::from_chars(part.data(), end, segment.size_bytes);
        if (size.ec != std::errc() || size.ptr == end || *size.ptr != ':') return Malformed();
        std::string_view digits(size.ptr + 1, static_cast<std::size_t>(end - size.ptr - 1));
        if (digits.size() % 8 != 0 || digits.size() / 8 != NumBlocks(segment.size_bytes)) return Malformed();
        for (; !digits.empty(); digits.remove_prefix(8)) {
            std::uint32_t crc = 0;
            const auto parsed = std::from_chars(digits.data(), digits.data() + 8, crc, 16);
            if (parsed.ec != std::errc() || parsed.ptr != digits.data() + 8) return Malformed();
            segment.blocks.push_back(crc);
        }
        checksums.segments_.push_back(std::move(segment));
    }
    return checksums;
}

Result<void> BlockChecksums::Verify(Fs& fs, const Fd& file, std::uint64_t offset, std::uint64_t size_bytes) const {
    // Small enough to stay in the second-level cache between the read and the checksum.
    std::vector<char> buffer(256 << 10);
    const std::uint64_t end = offset + size_bytes;
    std::uint64_t start = 0;  // of the segment
    for (const Segment& segment : segments_) {
        const std::uint64_t segment_end = start + segment.size_bytes;
        for (std::size_t i = 0; i < segment.blocks.size(); ++i) {
            const std::uint64_t block_start = start + i * kBlockBytes;
            const std::uint64_t block_end = std::min(block_start + kBlockBytes, segment_end);
            if (block_end <= offset || block_start >= end) continue;
            Crc32c crc;
            for (std::uint64_t at = block_start; at < block_end;) {
                const std::size_t want = std::min<std::uint64_t>(buffer.size(), block_end - at);
                const std::size_t got = TRY(fs.ReadAt(file, std::span(buffer.data(), want), at));
                if (got != want) return Error(ErrorCode::kCorruptData, "a blob is shorter than its object");
                crc.Update(std::string_view(buffer.data(), got));
                at += got;
            }
            if (crc.value() != segment.blocks[i]) {
                return Error(ErrorCode::kCorruptData, fmt::format("bytes {} to {} of a blob differ from their checksum",
                                                                  block_start, block_end - 1));
            }
        }
        start = segment_end;
    }
    if (end > start) return Error(ErrorCode::kCorruptData, "a range lies outside the blob");
    return {};
}

}  // namespace espalier::store
