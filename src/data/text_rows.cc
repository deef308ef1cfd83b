#include "data/text_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "data/row_place.h"
#include "data/text_issue.h"

namespace espalier::data {
namespace {

bool OnFirstLine(std::string_view text, std::size_t offset) {
    std::size_t begin = text.find_first_not_of(" \t\r\n");
    return begin != std::string_view::npos && text.find_first_of("\r\n", begin) >= offset;
}

bool Contains(std::string_view text, char c) {
    return text.find(c) != std::string_view::npos;
}

// When the very first line is wrong, the file is rarely a typing error: the images' own sentences for a wrong format.
std::string DescribeFirstLine(const DataFile& file, const LoadOptions& options, std::string_view text,
                              std::size_t offset) {
    std::string line = LineStart(text, offset);
    const bool legacy = options.rules == ContentTypeRules::kLegacy;
    if (options.format == InputFormat::kLibsvm) {
        if (Contains(line, ':')) return {};
        return legacy ? fmt::format(
                            "Blankspace and colon not found in firstline '{}...' of file '{}'. ContentType by defaullt "
                            "is in libsvm. Please ensure the file is in libsvm format. ",
                            line, file.name)
                      : fmt::format(
                            "First line '{}...' of file '{}' is not 'LIBSVM' format. Please ensure the file is in "
                            "'LIBSVM' format. ",
                            line, file.name);
    }
    if (Contains(line, ' ') && Contains(line, ':') && !Contains(line, ',')) {
        return fmt::format(
            "Blankspace and colon found in firstline '{}...' of file '{}'. Please ensure the file is in csv "
            "format. ",
            line, file.name);
    }
    auto letter = std::find_if(line.begin(), line.end(), [](char c) {
        return (c >= 'a' && c <= 'z' && c != 'e') || (c >= 'A' && c <= 'Z' && c != 'E');
    });
    if (letter == line.end()) return {};
    return fmt::format(
        "Non-numeric value '{}' found in the header line '{}...' of file '{}'. CSV format require no header line "
        "in it. If header line is already removed, XGBoost does not accept non-numeric value in the data. ",
        *letter, line, file.name);
}

std::string_view FirstDataLine(std::string_view text) {
    return text.substr(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
}

}  // namespace

TextRows::TextRows(std::span<const DataFile> files, const LoadOptions& options, bool labeled)
    : files_(files), options_(options), labeled_(labeled), reader_(files) {
    libsvm_.feature_idx_max = options.feature_idx_max;
    csv_.weights = options.csv_weights;
}

Result<std::unique_ptr<TextRows>> TextRows::Create(std::span<const DataFile> files, const LoadOptions& options,
                                                   bool labeled) {
    std::unique_ptr<TextRows> rows(new TextRows(files, options, labeled));
    TRY(rows->FindFirstRow());
    return rows;
}

Result<void> TextRows::FindFirstRow() {
    TextBlock piece;
    while (TRY(reader_.Next(piece))) {
        if (options_.format == InputFormat::kLibsvm) {
            if (!SniffLibsvmRules(piece.text, libsvm_)) continue;
        } else {
            if (CountCsvColumns(piece.text.view(), ',') == 0) continue;
            TRY(LearnCsv(piece));
        }
        first_piece_ = std::move(piece);
        break;
    }
    return {};
}

Result<void> TextRows::LearnCsv(const TextBlock& piece) {
    const DataFile& file = files_[piece.file_idx];
    Result<char> delimiter = DetermineCsvDelimiter(piece.text.view());
    if (!delimiter.has_value()) {
        const std::string line = LineStart(FirstDataLine(piece.text.view()), 0);
        if (options_.rules == ContentTypeRules::kLegacy) return std::move(delimiter).error().Wrap(file.name);
        return Error(
            ErrorCode::kInvalidArgument,
            fmt::format("First line '{}...' of file '{}' is not 'CSV' format. Please ensure the file is in 'CSV' "
                        "format. {}",
                        line, file.name, delimiter.error().message()));
    }
    csv_.delimiter = *delimiter;
    csv_.num_columns = CountCsvColumns(piece.text.view(), csv_.delimiter);
    std::uint32_t columns_min = !labeled_ ? 1 : (csv_.weights ? 3 : 2);
    if (csv_.num_columns < columns_min) {
        return Error(
            ErrorCode::kInvalidArgument,
            fmt::format("{}: Delimiter '{}' is not found in the line. Expected '{}' as the delimiter to separate "
                        "fields. The line is '{}', and it needs a label,{} and at least one feature.",
                        file.name, csv_.delimiter, csv_.delimiter, LineStart(FirstDataLine(piece.text.view()), 0),
                        csv_.weights ? " a weight" : ""));
    }
    return {};
}

Result<bool> TextRows::Next(TextBlock& piece) {
    if (first_piece_.has_value()) {
        piece = std::move(*first_piece_);
        first_piece_.reset();
        return true;
    }
    return reader_.Next(piece);
}

Result<void> TextRows::Parse(const TextBlock& piece, RowBlock& rows) {
    CsvTextCells text_cells;
    const std::optional<TextIssue> issue = options_.format == InputFormat::kLibsvm
                                               ? ParseLibsvmBlock(piece.text, libsvm_, rows)
                                               : ParseCsvBlock(piece.text, csv_, rows, text_cells);
    if (issue) return Describe(piece, *issue);
    if (text_cells.count > 0) Count(piece, text_cells);
    return {};
}

Result<void> TextRows::ParseUnlabeled(const TextBlock& piece, FeatureRows& rows) const {
    const std::optional<TextIssue> issue = options_.format == InputFormat::kLibsvm
                                               ? ParseUnlabeledLibsvmBlock(piece.text, libsvm_, rows)
                                               : ParseUnlabeledCsvBlock(piece.text, csv_, rows);
    if (issue) return Describe(piece, *issue);
    return {};
}

void TextRows::Count(const TextBlock& piece, const CsvTextCells& cells) {
    std::lock_guard lock(text_cells_mutex_);
    const std::uint64_t offset = piece.file_offset + cells.first_offset;
    if (num_text_cells_ == 0 || std::pair(piece.file_idx, offset) < std::pair(text_cell_file_, text_cell_offset_)) {
        text_cell_file_ = piece.file_idx;
        text_cell_offset_ = offset;
    }
    num_text_cells_ += cells.count;
}

Error TextRows::Describe(const TextBlock& piece, const TextIssue& issue) const {
    const DataFile& file = files_[piece.file_idx];
    TextPlace place = FindPlaceInFile(file, piece.file_offset + issue.offset);
    std::string first_line;
    if (piece.first_in_file && OnFirstLine(piece.text.view(), issue.offset)) {
        first_line = DescribeFirstLine(file, options_, piece.text.view(), issue.offset);
    }
    if (first_line.empty() && labeled_) {
        first_line = fmt::format("Failed to load {} data with exception:\n", ToString(options_.format));
    }
    return Error(ErrorCode::kInvalidArgument, fmt::format("{}{}, line {}, column {}: {}", first_line, file.name,
                                                          place.line, place.column, issue.message));
}

void TextRows::Close(LoadReport& report) {
    if (options_.format == InputFormat::kCsv && csv_.num_columns > 0) report.csv_delimiter = csv_.delimiter;
    if (num_text_cells_ == 0) return;
    const DataFile& file = files_[text_cell_file_];
    TextPlace place = FindPlaceInFile(file, text_cell_offset_);
    report.warnings.push_back(fmt::format(
        "{} cells hold text instead of a number and count as missing; the first is in {}, line {}, column {}.",
        num_text_cells_, file.name, place.line, place.column));
}

}  // namespace espalier::data
