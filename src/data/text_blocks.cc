#include "data/text_blocks.h"

#include <fmt/format.h>

#include <algorithm>

namespace espalier::data {

Result<void> TextBlockReader::Open() {
    source_ = TRY(ByteSource::Open(files_[file_idx_]));
    file_offset_ = 0;
    carry_.clear();
    return {};
}

// Reads until `size` reaches `target` or the file ends; then `size` < `target`.
Result<void> TextBlockReader::Fill(EntryVector<char>& bytes, std::size_t& size, std::size_t target) {
    bytes.resize(target + 1 + kernels::kTextPadding);
    while (size < target) {
        std::size_t got = TRY(source_->Read(bytes.data() + size, target - size, bytes_read_));
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
        block.bytes.resize(std::max(block.bytes.size(), size));
        std::copy(carry_.begin(), carry_.end(), block.bytes.begin());
        std::size_t target = std::max(kTextBlockBytes, 2 * size);
        std::size_t lines_end = 0;
        bool at_end = false;
        while (lines_end == 0 && !at_end) {
            if (size >= kTextLineBytesMax) {
                return Error(ErrorCode::kResourceLimit,
                             fmt::format("{}: a line is longer than {} bytes. Is this a text file?",
                                         files_[file_idx_].name, kTextLineBytesMax));
            }
            TRY(Fill(block.bytes, size, target));
            at_end = size < target;
            std::string_view read(block.bytes.data(), size);
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
        carry_.assign(block.bytes.begin() + static_cast<std::ptrdiff_t>(lines_end),
                      block.bytes.begin() + static_cast<std::ptrdiff_t>(size));
        file_offset_ += lines_end;
        if (lines_end == 0) continue;  // nothing was left
        char* end = block.bytes.data() + lines_end;
        if (end[-1] != '\n' && end[-1] != '\r') *end++ = '\n';
        std::fill_n(end, kernels::kTextPadding, '\n');
        std::size_t mark =
            block.first_in_file && std::string_view(block.bytes.data(), lines_end).starts_with(kByteOrderMark)
                ? kByteOrderMark.size()
                : 0;
        block.file_offset += mark;
        block.text = {block.bytes.data() + mark, end};
        return true;
    }
}

}  // namespace espalier::data
