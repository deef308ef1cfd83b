#include "data/libsvm.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "kernels/text_number.h"

namespace espalier::data {
namespace {

using kernels::CountDigits;
using kernels::DigitsValue;
using kernels::Load4;
using kernels::Load8;
using kernels::ParseFloat;

// " 123:" as one word: most rows count up, so the next index is guessed and compared instead of read.
struct IndexText {
    std::uint64_t word;
    std::uint64_t length;
};
constexpr std::uint32_t kGuessedIndices = 4096;  // 64 KB: a dense row of that many features walks it in order

consteval std::array<IndexText, kGuessedIndices> MakeIndexTexts() {
    std::array<IndexText, kGuessedIndices> texts{};
    for (std::uint32_t idx = 0; idx < kGuessedIndices; ++idx) {
        std::uint64_t word = ':';
        std::uint64_t length = 1;
        std::uint32_t rest = idx;
        do {
            word = (word << 8) | ('0' + rest % 10);
            ++length;
            rest /= 10;
        } while (rest > 0);
        texts[idx] = {(word << 8) | ' ', length + 1};
    }
    return texts;
}
constexpr std::array<IndexText, kGuessedIndices> kIndexTexts = MakeIndexTexts();

constexpr std::uint32_t kZeroAndBlank = 0x20302E30;  // "0.0 "
constexpr std::uint32_t kQidText = 0x3A646971;       // "qid:"

bool IsBlank(char c) {
    return c == ' ' || c == '\t';
}
bool IsLineEnd(char c) {
    return c == '\n' || c == '\r';
}
bool EndsToken(char c) {
    return IsBlank(c) || IsLineEnd(c) || c == '#';
}

const char* SkipBlanks(const char* p) {
    while (IsBlank(*p)) ++p;
    return p;
}

const char* SkipLine(const char* p) {
    while (!IsLineEnd(*p)) ++p;
    return p;
}

std::string_view TokenAt(const char* p) {
    const char* end = p;
    while (!EndsToken(*end)) ++end;
    return {p, static_cast<std::size_t>(end - p)};
}

// Confined to one call of ParseLibsvmBlock.
class Parser {
  public:
    // `labeled` is nullptr for a request; otherwise `rows` is its rows.
    Parser(PaddedText text, const LibsvmRules& rules, FeatureRows& out, LabeledRows* labeled)
        : text_(text),
          rules_(rules),
          out_(out),
          labeled_(labeled),
          guessed_end_(std::min(kGuessedIndices, rules.feature_idx_max)),
          num_entries_(out.num_entries()) {
        // The shortest entry is " 1": the arrays can hold every entry the text may have.
        std::size_t worst = num_entries_ + text.size() / 2 + 1;
        out.feature_idx.resize(worst);
        out.values.resize(worst);
        indices_ = out.feature_idx.data();
        values_ = out.values.data();
    }

    std::optional<TextIssue> Run() {
        const char* p = text_.begin;
        while (p < text_.end) {
            p = SkipBlanks(p);
            if (*p == '#') p = SkipLine(p);
            if (IsLineEnd(*p)) {
                ++p;
                continue;
            }
            p = ParseRow(p);
            if (p == nullptr) break;
        }
        out_.feature_idx.resize(num_entries_);
        out_.values.resize(num_entries_);
        return std::move(issue_);
    }

  private:
    const char* Fail(const char* at, std::string message) {
        issue_ = TextIssue{static_cast<std::size_t>(at - text_.begin), std::move(message)};
        return nullptr;
    }

    const char* ParseRow(const char* p) {
        std::size_t row_start = num_entries_;
        const char* line = p;
        p = labeled_ == nullptr ? SkipRequestLabel(p) : ParseLabel(p);
        if (p == nullptr) return nullptr;
        row_rises_ = true;
        p = ParseEntries(p);
        if (p == nullptr) return nullptr;
        if (!row_rises_ && !SortRow(row_start, line)) return nullptr;
        if (num_entries_ > row_start) {
            out_.num_features = std::max(out_.num_features, indices_[num_entries_ - 1] + 1);
            first_guess_ = indices_[row_start];
        }
        out_.row_offsets.push_back(num_entries_);
        return p;
    }

    // A request's first token without ':' is the label of a training row; what it says does not matter, unless it is
    // a line of CSV: that would be a row without features, answered with the same number for every line.
    const char* SkipRequestLabel(const char* p) {
        std::string_view token = TokenAt(p);
        if (token.find(':') == std::string_view::npos) {
            if (token.find(',') != std::string_view::npos) return FailLabel(p);
            p += token.size();
        }
        const char* q = SkipBlanks(p);
        if (Load4(q) == kQidText) return q + TokenAt(q).size();
        return p;
    }

    const char* ParseLabel(const char* p) {
        float label;
        const char* stop = ParseFloat(p, text_.end, label);
        if (stop == nullptr || (!EndsToken(*stop) && *stop != ':')) return FailLabel(p);
        if (!std::isfinite(label)) {
            return Fail(
                p, fmt::format("the label {} is not a finite number. Every row needs one; leave the row out if its "
                               "label is not known.",
                               QuoteToken(TokenAt(p))));
        }
        if ((*stop == ':') != rules_.weights) {
            return Fail(p, rules_.weights
                               ? "this row has no weight although the first row has one. Write label:weight "
                                 "in every row, or in none."
                               : fmt::format("{} gives this row a weight although the first row has none. Write "
                                             "label:weight in every row, or in none.",
                                             QuoteToken(TokenAt(p))));
        }
        labeled_->labels.push_back(label);
        if (rules_.weights) {
            const char* weight_at = stop + 1;
            float weight;
            stop = ParseFloat(weight_at, text_.end, weight);
            if (stop == nullptr || !EndsToken(*stop) || !(weight >= 0 && weight <= std::numeric_limits<float>::max())) {
                return Fail(weight_at, fmt::format("{} is not a weight. Write a number that is not negative after the "
                                                   "label's colon.",
                                                   QuoteToken(TokenAt(weight_at))));
            }
            labeled_->weights.push_back(weight);
        }
        return ParseQuery(stop);
    }

    const char* ParseQuery(const char* p) {
        const char* q = SkipBlanks(p);
        bool has_query = Load4(q) == kQidText;
        if (has_query != rules_.queries) {
            return Fail(q, rules_.queries
                               ? "this row has no qid although the first row has one. Write qid:N after the label "
                                 "of every row, or of none."
                               : "this row has a qid although the first row has none. Write qid:N after the label "
                                 "of every row, or of none.");
        }
        if (!has_query) return p;
        std::uint64_t query = 0;
        const char* stop = ParseInteger(q + 4, query);
        if (stop == nullptr || !EndsToken(*stop)) {
            return Fail(q, fmt::format("{} is not a query. Write qid: and a whole number.", QuoteToken(TokenAt(q))));
        }
        labeled_->query_ids.push_back(query);
        return stop;
    }

    const char* FailLabel(const char* p) {
        std::string_view token = TokenAt(p);
        std::string hint = "Begin each line with the label, then index:value pairs separated by blanks.";
        if (token.find(',') != std::string_view::npos) hint += " If the data is CSV, set the ContentType to text/csv.";
        return Fail(p, fmt::format("{} is not a label. {}", QuoteToken(token), hint));
    }

    // Up to 19 digits; nullptr if there is none or there are more.
    static const char* ParseInteger(const char* p, std::uint64_t& value) {
        const char* start = p;
        value = 0;
        while (*p >= '0' && *p <= '9') {
            if (p - start == 19) return nullptr;
            value = value * 10 + static_cast<std::uint64_t>(*p++ - '0');
        }
        return p == start ? nullptr : p;
    }

    // From behind a token to the end of the line, which it returns.
    const char* ParseEntries(const char* p) {
        std::uint32_t* indices = indices_ + num_entries_;
        float* values = values_ + num_entries_;
        std::uint64_t expected = first_guess_;  // last index + 1 once an entry is read
        bool any = false;
        for (;;) {
            std::uint64_t index = expected;
            if (expected < guessed_end_ &&
                ((Load8(p) ^ kIndexTexts[expected].word) << (64 - 8 * kIndexTexts[expected].length)) == 0) {
                p += kIndexTexts[expected].length;
            } else {
                p = SkipBlanks(p);
                if (*p == '#') p = SkipLine(p);
                if (IsLineEnd(*p)) break;
                p = ParseIndex(p, index);
                if (p == nullptr) return nullptr;
                if (any && index < expected) row_rises_ = false;
                if (p[-1] != ':') {  // an index alone
                    *indices++ = static_cast<std::uint32_t>(index);
                    *values++ = 1.0F;
                    expected = index + 1;
                    any = true;
                    continue;
                }
            }
            any = true;
            expected = index + 1;
            if (Load4(p) == kZeroAndBlank) {
                *indices++ = static_cast<std::uint32_t>(index);
                *values++ = 0.0F;
                p += 3;
                continue;
            }
            float value;
            const char* stop = ParseFloat(p, text_.end, value);
            if (stop == nullptr || !EndsToken(*stop)) return FailValue(p, index);
            if (!(std::abs(value) <= std::numeric_limits<float>::max())) {
                if (std::isinf(value)) return FailInfinite(p);
                p = stop;  // nan: missing
                continue;
            }
            *indices++ = static_cast<std::uint32_t>(index);
            *values++ = value;
            p = stop;
        }
        num_entries_ = static_cast<std::size_t>(values - values_);
        return p;
    }

    // Returns the place behind "index:" or behind "index" alone.
    const char* ParseIndex(const char* p, std::uint64_t& index) {
        std::uint64_t word = Load8(p);
        int digits = CountDigits(word);
        const char* stop = p + digits;
        if (digits == 0) return FailIndex(p);
        if (digits < 8) {
            index = DigitsValue(word, digits);
        } else {
            stop = ParseInteger(p, index);
        }
        if (stop == nullptr || index > rules_.feature_idx_max) {
            return Fail(p, fmt::format("the feature index in {} is larger than {}, the largest one allowed here.",
                                       QuoteToken(TokenAt(p)), rules_.feature_idx_max));
        }
        if (*stop == ':') return stop + 1;
        if (!EndsToken(*stop)) return FailIndex(p);
        return stop;
    }

    const char* FailIndex(const char* p) {
        if (Load4(p) == kQidText) {
            return Fail(p, fmt::format("{} must stand right after the label.", QuoteToken(TokenAt(p))));
        }
        return Fail(
            p, fmt::format("{} does not begin with a feature index. Write index:value pairs with whole numbers from "
                           "0 as indices, separated by blanks.",
                           QuoteToken(TokenAt(p))));
    }

    const char* FailValue(const char* p, std::uint64_t index) {
        return Fail(p,
                    fmt::format("{} is not a number, so feature {} has no value. Write index:value pairs separated by "
                                "blanks; leave a missing feature out.",
                                QuoteToken(TokenAt(p)), index));
    }

    const char* FailInfinite(const char* p) {
        return Fail(
            p, fmt::format("the value {} is infinite or too large for a 32-bit float. Write nan or leave the feature "
                           "out if it is missing.",
                           QuoteToken(TokenAt(p))));
    }

    bool SortRow(std::size_t row_start, const char* line) {
        std::size_t count = num_entries_ - row_start;
        std::vector<std::pair<std::uint32_t, float>> entries(count);
        for (std::size_t i = 0; i < count; ++i) entries[i] = {indices_[row_start + i], values_[row_start + i]};
        std::stable_sort(entries.begin(), entries.end(),
                         [](const auto& a, const auto& b) { return a.first < b.first; });
        std::size_t kept = row_start;
        for (auto [index, value] : entries) {
            if (kept > row_start && indices_[kept - 1] == index) {
                if (labeled_ != nullptr) {
                    Fail(line,
                         fmt::format("feature index {} stands twice in this row. Give each feature one value.", index));
                    return false;
                }
                values_[kept - 1] += value;
                if (!std::isfinite(values_[kept - 1])) {
                    Fail(line, fmt::format("the values of feature {} sum to infinity.", index));
                    return false;
                }
            } else {
                indices_[kept] = index;
                values_[kept++] = value;
            }
        }
        num_entries_ = kept;
        return true;
    }

    PaddedText text_;
    const LibsvmRules& rules_;
    FeatureRows& out_;
    LabeledRows* labeled_;
    std::uint64_t guessed_end_;
    std::size_t num_entries_;
    std::uint32_t* indices_;
    float* values_;
    std::uint64_t first_guess_ = 1;  // most rows begin like the row before
    bool row_rises_ = true;
    std::optional<TextIssue> issue_;
};

}  // namespace

bool SniffLibsvmRules(PaddedText text, LibsvmRules& rules) {
    const char* p = text.begin;
    while (p < text.end) {
        p = SkipBlanks(p);
        if (*p == '#') p = SkipLine(p);
        if (!IsLineEnd(*p)) break;
        ++p;
    }
    if (p >= text.end) return false;
    std::string_view label = TokenAt(p);
    rules.weights = label.find(':') != std::string_view::npos;
    rules.queries = Load4(SkipBlanks(p + label.size())) == kQidText;
    return true;
}

std::optional<TextIssue> ParseLibsvmBlock(PaddedText text, const LibsvmRules& rules, LabeledRows& rows) {
    return Parser(text, rules, rows.rows, &rows).Run();
}

std::optional<TextIssue> ParseUnlabeledLibsvmBlock(PaddedText text, const LibsvmRules& rules, FeatureRows& rows) {
    return Parser(text, rules, rows, nullptr).Run();
}

Result<void> ParseLibsvmRequest(std::string_view body, FeatureRows& rows) {
    return ParseRequestText(body, rows, [&rows](PaddedText text) { return ParseUnlabeledLibsvmBlock(text, {}, rows); });
}

}  // namespace espalier::data
