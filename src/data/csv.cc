#include "data/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "data/row_writers.h"
#include "kernels/plain_rows.h"
#include "kernels/text_number.h"
#include "kernels/value_range.h"

namespace espalier::data {
namespace {

// In the order of preference when several stand in the first line: that of Python's csv.Sniffer, which the images ask.
constexpr std::string_view kDelimiters = ",\t; :";

// What numbers and quoted cells are made of separates nothing.
bool MaySeparate(char c) {
    const bool letter_or_digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return c > ' ' && c < 0x7F && !letter_or_digit && std::string_view(".+-_\"'").find(c) == std::string_view::npos;
}

bool IsLineEnd(char c) {
    return c == '\n' || c == '\r';
}

std::string_view Trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

std::string_view FirstLine(std::string_view text) {
    std::size_t begin = text.find_first_not_of(" \t\r\n");
    if (begin == std::string_view::npos) return {};
    begin = text.find_last_of("\r\n", begin) == std::string_view::npos ? 0 : text.find_last_of("\r\n", begin) + 1;
    std::size_t end = text.find_first_of("\r\n", begin);
    return text.substr(begin, end == std::string_view::npos ? end : end - begin);
}

enum class CellKind { kNumber, kMissing, kText, kIssue };

// Confined to one call of ParseCsvBlock or ParseCsvRequest.
template <typename Writer>
class Parser {
  public:
    // `labeled` is nullptr for a request; otherwise `writer` writes to it.
    Parser(PaddedText text, const CsvRules& rules, Writer& writer, RowBlock* labeled, CsvTextCells& text_cells)
        : text_(text), rules_(rules), writer_(writer), labeled_(labeled), text_cells_(text_cells) {
        const char four[] = {'0', rules.delimiter, '0', rules.delimiter, '0', rules.delimiter, '0', rules.delimiter};
        four_zeros_ = kernels::Load8(four);
        if (labeled == nullptr || rules.weights) return;
        const std::size_t line_end = text.view().find('\n');
        const bool returns = line_end != std::string_view::npos && line_end > 0 && text.begin[line_end - 1] == '\r';
        plain_form_ = {rules.delimiter, returns ? '\r' : '\n', rules.num_columns};
    }

    std::optional<TextIssue> Run() {
        const char* p = text_.begin;
        while (p < text_.end) {
            if constexpr (std::is_same_v<Writer, RowBlockWriter>) {
                if (!rules_.weights) p = TakePlainRows(p);
                if (p == text_.end) break;
            }
            if constexpr (std::is_same_v<Writer, RowBlockWriter>) writer_.EndFullRows();
            const char* line = p;
            while (*p == ' ' || (*p == '\t' && rules_.delimiter != '\t')) ++p;
            if (IsLineEnd(*p)) {
                ++p;
                continue;
            }
            p = ParseLine(line);
            if (p == nullptr) break;
        }
        writer_.Finish();
        return std::move(issue_);
    }

  private:
    static constexpr std::size_t kPlainRows = 32;
    static constexpr int kWaitsMax = 63;

    const char* Fail(const char* at, std::string message) {
        if (!issue_) issue_ = TextIssue{static_cast<std::size_t>(at - text_.begin), std::move(message)};
        return nullptr;
    }

    // Takes rows of plain numbers as long as they come; returns the place behind them. Where they don't, or where they
    // hold many zeros, which ParseLine takes four at a time, it does not ask again for a while.
    const char* TakePlainRows(const char* p)
        requires std::is_same_v<Writer, RowBlockWriter>
    {
        while (p < text_.end && IsLineEnd(*p)) ++p;
        if (lines_to_wait_ > 0) {
            --lines_to_wait_;
            return p;
        }
        const std::uint32_t num_features = rules_.num_columns - 1;
        std::size_t num_zeros = 0;
        std::size_t num_rows = kPlainRows;
        while (num_rows == kPlainRows && 4 * num_zeros <= kPlainRows * num_features) {
            const std::size_t first = labeled_->labels.size();
            labeled_->labels.resize(first + kPlainRows);
            float* const values = writer_.next_values();
            num_rows =
                kernels::ParsePlainRows(p, text_.end, plain_form_, kPlainRows, labeled_->labels.data() + first, values);
            labeled_->labels.resize(first + num_rows);
            const std::span<const float> cells(values, num_rows * num_features);
            num_zeros = kernels::RangeOf(cells).num_zeros;
            if (num_zeros == 0) {
                writer_.AddFullRows(num_rows, num_features);
                continue;
            }
            writer_.EndFullRows();
            plain_cells_.assign(cells.begin(), cells.end());
            for (std::size_t row = 0; row < num_rows; ++row) {
                writer_.AddRow({plain_cells_.data() + row * num_features, num_features});
            }
        }
        const bool pays = num_rows > 0 && 4 * num_zeros <= num_rows * num_features;
        waits_ = pays ? 0 : std::min(2 * waits_ + 1, kWaitsMax);
        lines_to_wait_ = waits_;
        return p;
    }

    const char* ParseLine(const char* line) {
        const char* p = line;
        std::uint32_t column = 0;
        if (labeled_ != nullptr) {
            p = ParseLabelAndWeight(p, column);
            if (p == nullptr) return nullptr;
        }
        std::uint32_t first_feature_column = column;
        while (column < rules_.num_columns) {
            while (column + 4 < rules_.num_columns && kernels::Load8(p) == four_zeros_) {
                writer_.AddZeros(column - first_feature_column, 4);
                column += 4;
                p += 8;
            }
            float value = 0;
            const char* cell = p;
            CellKind kind = ParseCell(p, value);
            if (kind == CellKind::kIssue) return nullptr;
            if (kind == CellKind::kText && !AcceptText(cell)) return nullptr;
            if (kind == CellKind::kNumber) writer_.Add(column - first_feature_column, value);
            ++column;
            if (IsLineEnd(*p)) break;
            if (column == rules_.num_columns) return FailRagged(line);
            ++p;  // the delimiter
        }
        if (column != rules_.num_columns || !IsLineEnd(*p)) return FailRagged(line);
        writer_.EndRow();
        return p;
    }

    const char* FailRagged(const char* line) {
        const char* end = line;
        while (!IsLineEnd(*end)) ++end;
        std::uint32_t cells = CountCsvColumns({line, static_cast<std::size_t>(end - line)}, rules_.delimiter);
        return Fail(line,
                    fmt::format("this line has {} cells, the first line has {}. Give every line the same number of "
                                "cells; leave the cell of a missing value empty.",
                                cells, rules_.num_columns));
    }

    const char* ParseLabelAndWeight(const char* p, std::uint32_t& column) {
        float value = 0;
        const char* cell = p;
        CellKind kind = ParseCell(p, value);
        if (kind == CellKind::kIssue) return nullptr;
        if (kind != CellKind::kNumber) {
            return Fail(cell,
                        fmt::format("the label {} is not a number. The first column must hold the label of every row.",
                                    QuoteToken(CellText(cell))));
        }
        labeled_->labels.push_back(value);
        ++column;
        if (IsLineEnd(*p)) return FailRagged(cell);
        ++p;
        if (!rules_.weights) return p;
        cell = p;
        kind = ParseCell(p, value);
        if (kind == CellKind::kIssue) return nullptr;
        if (kind != CellKind::kNumber || value < 0) {
            return Fail(cell,
                        fmt::format("{} is not a weight. With csv_weights=1 the second column must hold a number that "
                                    "is not negative.",
                                    QuoteToken(CellText(cell))));
        }
        labeled_->weights.push_back(value);
        ++column;
        if (IsLineEnd(*p)) return FailRagged(cell);
        return p + 1;
    }

    // Leaves p at the delimiter or line end behind the cell.
    CellKind ParseCell(const char*& p, float& value) {
        const char* cell = p;
        // A single digit: pixels, flags, counts.
        auto digit = static_cast<unsigned>(*p - '0');
        if (digit < 10 && (p[1] == rules_.delimiter || p[1] == '\n')) {
            value = static_cast<float>(digit);
            ++p;
            return CellKind::kNumber;
        }
        while (*p == ' ' && rules_.delimiter != ' ') ++p;
        const char* stop = kernels::ParseFloat(p, text_.end, value);
        if (stop != nullptr) {
            while (*stop == ' ' && rules_.delimiter != ' ') ++stop;
            if (*stop == rules_.delimiter || IsLineEnd(*stop)) {
                p = stop;
                return Classify(cell, value);
            }
        }
        return ParseOddCell(cell, p, value);
    }

    CellKind Classify(const char* cell, float value) {
        if (std::abs(value) <= std::numeric_limits<float>::max()) return CellKind::kNumber;
        if (std::isnan(value)) return CellKind::kMissing;
        Fail(cell,
             fmt::format("the value {} is infinite or too large for a 32-bit float. Leave the cell empty if the value "
                         "is missing.",
                         QuoteToken(CellText(cell))));
        return CellKind::kIssue;
    }

    // Quoted, empty or no number.
    CellKind ParseOddCell(const char* cell, const char*& p, float& value) {
        std::string unquoted;
        std::string_view content;
        const char* start = cell;
        while (*start == ' ' && rules_.delimiter != ' ') ++start;
        if (*start == '"') {
            p = Unquote(start, unquoted);
            if (p == nullptr) return CellKind::kIssue;
            content = Trim(unquoted);
        } else {
            p = start;
            while (*p != rules_.delimiter && !IsLineEnd(*p)) ++p;
            content = Trim({start, static_cast<std::size_t>(p - start)});
        }
        if (content.empty()) return CellKind::kMissing;
        const char* end = content.data() + content.size();
        const char* stop = kernels::ParseFloatSlow(content.data(), end, value);
        if (stop == end) return Classify(cell, value);
        if (stop == nullptr) return CellKind::kText;
        Fail(cell,
             fmt::format("{} begins like a number but is none. Write a plain number, or leave the cell empty if the "
                         "value is missing.",
                         QuoteToken(content)));
        return CellKind::kIssue;
    }

    // The cell's text without its quotes, "" standing for "; returns the place of the delimiter or line end behind it.
    const char* Unquote(const char* start, std::string& unquoted) {
        const char* p = start + 1;
        for (;;) {
            if (IsLineEnd(*p)) return Fail(start, "the quotation mark that opens this cell is not closed on its line.");
            if (*p == '"' && p[1] != '"') break;
            if (*p == '"') ++p;
            unquoted += *p++;
        }
        ++p;
        while (*p == ' ' && rules_.delimiter != ' ') ++p;
        if (*p == rules_.delimiter || IsLineEnd(*p)) return p;
        return Fail(start, "text follows the closing quotation mark of this cell. Put the delimiter there.");
    }

    std::string_view CellText(const char* cell) const {
        const char* end = cell;
        while (*end != rules_.delimiter && !IsLineEnd(*end)) ++end;
        return Trim({cell, static_cast<std::size_t>(end - cell)});
    }

    // Text counts as missing in training, as XGBoost has it, and is told in the report; a request must hold numbers.
    bool AcceptText(const char* cell) {
        if (labeled_ == nullptr) {
            Fail(cell, fmt::format(
                           "{} is not a number. Send numbers only, without a header line; leave the cell of a missing "
                           "value empty.",
                           QuoteToken(CellText(cell))));
            return false;
        }
        if (text_cells_.count++ == 0) text_cells_.first_offset = static_cast<std::size_t>(cell - text_.begin);
        return true;
    }

    PaddedText text_;
    const CsvRules& rules_;
    Writer& writer_;
    RowBlock* labeled_;
    CsvTextCells& text_cells_;
    std::uint64_t four_zeros_ = 0;
    kernels::PlainRowForm plain_form_;
    std::vector<float> plain_cells_;  ///< of rows that turned out to have zeros
    int waits_ = 0;
    int lines_to_wait_ = 0;
    std::optional<TextIssue> issue_;
};

}  // namespace

Result<char> DetermineCsvDelimiter(std::string_view text) {
    std::string_view line = Trim(FirstLine(text));
    std::size_t best = kDelimiters.size();
    std::array<int, 128> counts{};
    bool quoted = false;
    for (char c : line) {
        if (c == '"') quoted = !quoted;
        if (quoted) continue;
        best = std::min(best, kDelimiters.find(c));
        if (MaySeparate(c)) ++counts[static_cast<std::size_t>(c)];
    }
    if (best < kDelimiters.size()) return kDelimiters[best];
    // The one that stands there most often; of several, the last in ASCII, as the sniffer has it.
    const auto most = std::max_element(counts.rbegin(), counts.rend());
    if (*most > 0) return static_cast<char>(counts.rend() - most - 1);
    float value;
    const char* end = line.data() + line.size();
    bool single = line.empty() || line.front() == '"' || kernels::ParseFloatSlow(line.data(), end, value) == end;
    if (single) return ',';
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("Could not determine delimiter on line {}", LineStart(line, 0)));
}

std::uint32_t CountCsvColumns(std::string_view text, char delimiter) {
    std::string_view line = FirstLine(text);
    if (line.empty()) return 0;
    std::uint32_t columns = 1;
    bool quoted = false;
    for (char c : line) {
        if (c == '"') quoted = !quoted;
        if (c == delimiter && !quoted) ++columns;
    }
    return columns;
}

std::optional<TextIssue> ParseCsvBlock(PaddedText text, const CsvRules& rules, RowBlock& rows,
                                       CsvTextCells& text_cells) {
    RowBlockWriter writer(rows, text.size());
    std::optional<TextIssue> issue = Parser(text, rules, writer, &rows, text_cells).Run();
    if (rows.num_rows() > 0) rows.num_features = rules.num_columns - (rules.weights ? 2 : 1);
    return issue;
}

std::optional<TextIssue> ParseUnlabeledCsvBlock(PaddedText text, const CsvRules& rules, FeatureRows& rows) {
    CsvTextCells text_cells;
    FeatureRowsWriter writer(rows, text.size());
    std::optional<TextIssue> issue = Parser(text, rules, writer, nullptr, text_cells).Run();
    if (rows.num_rows() > 0) rows.num_features = rules.num_columns;
    return issue;
}

Result<void> ParseCsvRequest(std::string_view body, FeatureRows& rows) {
    if (body.starts_with(kByteOrderMark)) body.remove_prefix(kByteOrderMark.size());
    CsvRules rules;
    rules.delimiter = TRY(DetermineCsvDelimiter(body));
    rules.num_columns = CountCsvColumns(body, rules.delimiter);
    return ParseRequestText(body, rows, [&](PaddedText text) { return ParseUnlabeledCsvBlock(text, rules, rows); });
}

}  // namespace espalier::data
