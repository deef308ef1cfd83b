#include "data/text_blocks.h"

#include <fmt/format.h>

#include <algorithm>

namespace espalier::data {

namespace {

// The kernel copies several times slower where source and target differ by a few bytes modulo a page (Zen 3), and
// fastest where they don't differ.
constexpr std::size_t kPageBytes = 4096;

}  // namespace

Result<void> TextBlockReader::Open() {
    source_ = TRY(ByteSource::Open(files_[file_idx_]));
    file_offset_ = 0;
    carry_.clear();
    return {};
}

// Reads until `size` bytes behind `front` reach `target` or the file ends; then `size` < `target`.
Result<void> TextBlockReader::Fill(EntryVector<char>& bytes, std::size_t front, std::size_t& size, std::size_t target) {
    bytes.resize(front + target + 1 + kernels::kTextPadding);
    while (size < target) {
        std::size_t got = TRY(source_->Read(bytes.data() + front + size, target - size, bytes_read_));
        if (got == 0) break;
        size += got;
    }
    return {};
}

Result<bool> TextBlockReader::Next(TextBlock& block) {
    for (;;) {
        if (source_ == nullptr) {
            if (file_idx_ == files_.size()) return false;
            TRY(Open());
        }
        std::size_t size = carry_.size();
        std::size_t target = std::max(kTextBlockBytes, 2 * size);
        // Room for the first Fill, which then leaves the bytes where they are.
        block.bytes.resize(std::max(block.bytes.size(), kPageBytes + target + 1 + kernels::kTextPadding));
        const std::size_t front = (file_offset_ - reinterpret_cast<std::uintptr_t>(block.bytes.data())) % kPageBytes;
        std::copy(carry_.begin(), carry_.end(), block.bytes.begin() + static_cast<std::ptrdiff_t>(front));
        std::size_t lines_end = 0;
        bool at_end = false;
        while (lines_end == 0 && !at_end) {
            if (size >= kTextLineBytesMax) {
                return Error(ErrorCode::kResourceLimit,
                             fmt::format("{}: a line is longer than {} bytes. Is this a text file?",
                                         files_[file_idx_].name, kTextLineBytesMax));
            }
            TRY(Fill(block.bytes, front, size, target));
            at_end = size < target;
            std::string_view read(block.bytes.data() + front, size);
            std::size_t last = read.find_last_of('\n');
            if (last == std::string_view::npos) last = read.find_last_of('\r');
            lines_end = last == std::string_view::npos ? 0 : last + 1;
            target *= 2;
        }
        block.file_idx = file_idx_;
        block.file_offset = file_offset_;
        block.first_in_file = file_offset_ == 0;
        block.bytes_read = bytes_read_;
        if (at_end) {
            lines_end = size;
            source_.reset();
            ++file_idx_;
        }
        char* const begin = block.bytes.data() + front;
        carry_.assign(begin + lines_end, begin + size);
        file_offset_ += lines_end;
        if (lines_end == 0) continue;  // nothing was left
        char* end = begin + lines_end;
        if (end[-1] != '\n' && end[-1] != '\r') *end++ = '\n';
        std::fill_n(end, kernels::kTextPadding, '\n');
        const bool has_mark = block.first_in_file && std::string_view(begin, lines_end).starts_with(kByteOrderMark);
        const std::size_t mark = has_mark ? kByteOrderMark.size() : 0;
        block.file_offset += mark;
        block.text = {begin + mark, end};
        return true;
    }
}

}  // namespace espalier::data
