#include "data/row_place.h"

#include <fmt/format.h>

#include <optional>
#include <string_view>

#include "data/text_blocks.h"

namespace espalier::data {
namespace {

/// Whether a line holds a row: it is neither blank nor a comment.
bool HoldsRow(std::string_view line, InputFormat format) {
    const std::size_t comment = format == InputFormat::kLibsvm ? line.find('#') : std::string_view::npos;
    return line.substr(0, comment).find_first_not_of(" \t") != std::string_view::npos;
}

/// Where the row that `rows_left` others of the text precede begins; counts rows_left down to 0 on the way.
std::optional<std::size_t> FindRow(std::string_view text, InputFormat format, std::uint64_t& rows_left) {
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find_first_of("\r\n", begin), text.size());
        if (HoldsRow(text.substr(begin, end - begin), format) && rows_left-- == 0) return begin;
        begin = end + 1;
    }
    return std::nullopt;
}

}  // namespace

TextPlace FindPlaceInFile(const DataFile& file, std::uint64_t offset) {
    TextBlockReader reader(std::span(&file, 1));
    TextBlock block;
    TextPlace place;
    for (;;) {
        const Result<bool> more = reader.Next(block);
        if (!more || !*more) return place;
        const std::uint64_t end = block.file_offset + block.text.size();
        if (offset < end) return FindPlace(block.text.view(), offset - block.file_offset, place);
        place = FindPlace(block.text.view(), block.text.size(), place);
    }
}

std::string DescribePlaceOfRow(std::span<const DataFile> files, InputFormat format, std::uint64_t row) {
    const bool has_lines = format == InputFormat::kLibsvm || format == InputFormat::kCsv;
    if (!has_lines) return fmt::format("row {}", row + 1);
    TextBlockReader reader(files);
    TextBlock block;
    TextPlace block_start;
    std::uint64_t rows_left = row;
    for (;;) {
        const Result<bool> more = reader.Next(block);
        if (!more || !*more) return fmt::format("row {}", row + 1);
        if (block.first_in_file) block_start = {};
        const std::string_view text = block.text.view();
        if (const auto found = FindRow(text, format, rows_left); found.has_value()) {
            return fmt::format("{}, line {}", files[block.file_idx].name, FindPlace(text, *found, block_start).line);
        }
        block_start = FindPlace(text, text.size(), block_start);
    }
}

}  // namespace espalier::data
