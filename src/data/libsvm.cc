#include "data/libsvm.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "data/row_writers.h"
#include "kernels/text_match.h"
#include "kernels/text_number.h"

namespace espalier::data {
namespace {

using kernels::CountDigits;
using kernels::DigitsValue;
using kernels::Load4;
using kernels::Load8;
using kernels::ParseFloat;

constexpr std::uint32_t kGuessedIndices = 4096;

// " 123:", the length in the top byte: most rows count up, so the next index is guessed and compared instead of read.
class IndexText {
  public:
    constexpr IndexText() = default;
    consteval explicit IndexText(std::uint32_t index) {
        std::uint64_t word = ':';
        std::uint64_t length = 2;
        do {
            word = (word << 8) | ('0' + index % 10);
            ++length;
            index /= 10;
        } while (index > 0);
        word_ = (word << 8) | ' ' | length << 56;
    }
    constexpr std::uint32_t length() const { return static_cast<std::uint32_t>(word_ >> 56); }
    constexpr std::uint32_t digits() const { return length() - 2; }
    constexpr char At(std::uint32_t i) const { return static_cast<char>(word_ >> (8 * i)); }
    /// `text`: the eight bytes at the place in question.
    bool Begins(std::uint64_t text) const { return (text ^ word_) << (64 - 8 * length()) == 0; }

  private:
    std::uint64_t word_ = 0;
};

consteval std::array<IndexText, kGuessedIndices> MakeIndexTexts() {
    std::array<IndexText, kGuessedIndices> texts{};
    for (std::uint32_t idx = 0; idx < kGuessedIndices; ++idx) texts[idx] = IndexText(idx);
    return texts;
}
constexpr std::array<IndexText, kGuessedIndices> kIndexTexts = MakeIndexTexts();

// " 0:0.0 1:0.0 2:0.0 …": what a run of explicit zeros looks like, so that it is compared as a whole. Entries of as
// many digits have one length, so the place of an entry is computed.
template <std::size_t kZeroLength>
struct ZeroText {
    static constexpr std::uint32_t kDecades[] = {0, 10, 100, 1000, kGuessedIndices};  // ends, by digits

    /// Bytes of the entry of an index of `digits` digits.
    static constexpr std::size_t EntryLength(std::size_t digits) { return digits + 2 + kZeroLength; }
    static constexpr std::size_t DecadeStart(std::size_t digits) {
        std::size_t start = 0;
        for (std::size_t d = 1; d < digits; ++d) start += (kDecades[d] - kDecades[d - 1]) * EntryLength(d);
        return start;
    }
    /// bytes / EntryLength(digits), without a division.
    static std::size_t WholeEntries(std::size_t bytes, std::size_t digits) {
        switch (digits) {
            case 1:
                return bytes / EntryLength(1);
            case 2:
                return bytes / EntryLength(2);
            case 3:
                return bytes / EntryLength(3);
            default:
                return bytes / EntryLength(4);
        }
    }
    static constexpr std::size_t kBytes = DecadeStart(5);

    std::array<char, kBytes + sizeof(std::uint64_t)> bytes{};

    consteval ZeroText() {
        std::size_t at = 0;
        for (std::uint32_t idx = 0; idx < kGuessedIndices; ++idx) {
            const IndexText& text = kIndexTexts[idx];
            for (std::uint32_t i = 0; i < text.length(); ++i) bytes[at++] = text.At(i);
            for (std::size_t i = 0; i < kZeroLength; ++i) bytes[at++] = i == 1 ? '.' : '0';
        }
    }
};
constexpr ZeroText<3> kLongZeros;   // " 7:0.0"
constexpr ZeroText<1> kShortZeros;  // " 7:0"

constexpr std::uint32_t kZeroText = 0x302E30;     // "0.0"
constexpr std::uint32_t kZeroEnded = 0x20302E30;  // "0.0 "
constexpr std::uint32_t kQidText = 0x3A646971;    // "qid:"

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

// Entries of the form " index:0.0" (or " index:0") that stand at p one after the other, their indices counting up from
// `index`, which becomes the one behind the last; at most to `end`. Returns the place behind them.
template <std::size_t kZeroLength>
const char* SkipZeroEntries(const ZeroText<kZeroLength>& zeros, const char* p, std::uint32_t& index,
                            std::uint32_t end) {
    std::size_t last_length = 0;
    while (index < end) {
        std::size_t digits = kIndexTexts[index].digits();
        std::size_t length = zeros.EntryLength(digits);
        const char* expected =
            zeros.bytes.data() + zeros.DecadeStart(digits) + (index - zeros.kDecades[digits - 1]) * length;
        std::size_t bytes_max = (std::min(zeros.kDecades[digits], end) - index) * length;
        std::size_t same = kernels::MatchLength(p, expected, bytes_max);
        auto whole = static_cast<std::uint32_t>(zeros.WholeEntries(same, digits));
        p += whole * length;
        index += whole;
        if (whole > 0) last_length = length;
        if (same < bytes_max) break;
    }
    if (last_length > 0 && !EndsToken(*p)) {  // " 7:0.0" was the beginning of " 7:0.05"
        --index;
        p -= last_length;
    }
    return p;
}

// The values of short fractions "0.123": files of few distinct values (pixels, shares) repeat their texts, and looking
// one up takes a third of the time of reading it. Zero is not among them. Confined to one thread.
class FractionValues {
  public:
    /// Begins a block. Data that does not repeat itself uses up the misses and goes on without.
    void Begin() { misses_left_ = kMissesMax; }

    /// The value of the text at p if it begins with a fraction of 1 to 8 digits that was learnt; then `stop` is the
    /// place behind these digits, whatever stands there. Else nullptr. No branch depends on a digit.
    const float* Known(const char* p, const char*& stop) const {
        const std::uint64_t word = Load8(p + 2);
        // The first byte below '0' ends the digits; one above '9' is in no key.
        const std::uint64_t ends = (word - 0x3030303030303030ULL) & 0x8080808080808080ULL;
        // Of 0, countr_zero is a branch, and about every other fraction of a pixel has eight digits.
        const int digit_bits = (std::countr_zero(ends | 1ULL << 63) & ~7) + (static_cast<int>(ends == 0) << 3);
        const std::uint64_t key = KeyOf(word, digit_bits);
        std::size_t slot = SlotOf(key);
        slot ^= slots_[slot].key != key ? 1U : 0U;
        stop = p + 2 + digit_bits / 8;
        return slots_[slot].key == key && Load2(p) == kFractionText ? &slots_[slot].value : nullptr;
    }

    /// The value of the token at p if it is a fraction of 1 to 8 digits that was seen before or can be learnt; then
    /// `stop` is the place behind it. Else nullptr, and nothing is known of the token.
    const float* Find(const char* p, const char* end, const char*& stop) {
        const float* known = Known(p, stop);
        if (known != nullptr && EndsToken(*stop)) return known;
        return known != nullptr || misses_left_ == 0 ? nullptr : Learn(p, end, stop);
    }

  private:
    static constexpr int kSlotBits = 11;
    static constexpr int kMissesMax = 8192;
    static constexpr std::uint16_t kFractionText = 0x2E30;  // "0."

    struct Slot {
        std::uint64_t key = 0;
        float value = 0;
    };

    static std::uint16_t Load2(const char* p) {
        std::uint16_t word;
        std::memcpy(&word, p, sizeof word);
        return word;
    }
    /// No digit is a zero byte, so their number is in it.
    static std::uint64_t KeyOf(std::uint64_t word, int digit_bits) { return word << ((64 - digit_bits) % 64); }
    static std::size_t SlotOf(std::uint64_t key) { return (key * 0x9E3779B97F4A7C15ULL) >> (64 - kSlotBits); }

    // Two slots for a key; a taken pair gives way now and then only, so that three keys of one pair don't chase each
    // other.
    const float* Learn(const char* p, const char* end, const char*& stop) {
        const std::uint64_t word = Load8(p + 2);
        const int digits = CountDigits(word);
        stop = p + 2 + digits;
        if (digits == 0 || Load2(p) != kFractionText) return nullptr;
        --misses_left_;
        float value;
        if (ParseFloat(p, end, value) != stop || !EndsToken(*stop) || value == 0) return nullptr;
        const std::uint64_t key = KeyOf(word, 8 * digits);
        std::size_t slot = SlotOf(key);
        if (slots_[slot].key != 0) slot ^= 1;
        if (slots_[slot].key != 0 && misses_left_ % 16 != 0) return nullptr;
        slots_[slot] = {key, value};
        return &slots_[slot].value;
    }

    std::array<Slot, 1 << kSlotBits> slots_{};
    int misses_left_ = 0;
};

// The thread's, which lives on from block to block and from request to request.
FractionValues& ThreadFractions() {
    thread_local FractionValues fractions;
    fractions.Begin();
    return fractions;
}

// Confined to one call of ParseLibsvmBlock.
template <typename Writer>
class Parser {
  public:
    // `labeled` is nullptr for a request; otherwise `writer` writes to it.
    Parser(PaddedText text, const LibsvmRules& rules, Writer& writer, RowBlock* labeled, FractionValues& fractions)
        : text_(text),
          rules_(rules),
          writer_(writer),
          labeled_(labeled),
          fractions_(fractions),
          guessed_end_(std::min(kGuessedIndices, rules.feature_idx_max)) {}

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
        writer_.Finish();
        return std::move(issue_);
    }

  private:
    const char* Fail(const char* at, std::string message) {
        issue_ = TextIssue{static_cast<std::size_t>(at - text_.begin), std::move(message)};
        return nullptr;
    }

    const char* ParseRow(const char* p) {
        const char* line = p;
        p = labeled_ == nullptr ? SkipRequestLabel(p) : ParseLabel(p);
        if (p == nullptr) return nullptr;
        row_rises_ = true;
        p = ParseEntries(p);
        if (p == nullptr) return nullptr;
        if (!row_rises_ && !SortRow(line)) return nullptr;
        writer_.EndRow();
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
        std::uint64_t expected = first_guess_;  // last index + 1 once an entry is read
        bool any = false;
        for (;;) {
            std::uint64_t index = expected;
            if (expected < guessed_end_ && kIndexTexts[expected].Begins(Load8(p))) {
                p += kIndexTexts[expected].length();
            } else {
                p = SkipBlanks(p);
                if (*p == '#') p = SkipLine(p);
                if (IsLineEnd(*p)) break;
                p = ParseIndex(p, index);
                if (p == nullptr) return nullptr;
                if (any && index < expected) row_rises_ = false;
            }
            if (!any) first_guess_ = static_cast<std::uint32_t>(std::min<std::uint64_t>(index, kFeatureIdxMax));
            any = true;
            expected = index + 1;
            if (p[-1] != ':') {  // an index alone
                writer_.Add(static_cast<std::uint32_t>(index), 1.0F);
                continue;
            }
            p = TakeKnownFractions(p, index);
            expected = index + 1;
            if (*p == '0') {
                if (const char* behind = ParseZeros(p, index, expected); behind != nullptr) {
                    p = behind;
                    continue;
                }
            }
            const char* stop = nullptr;
            const float* known = fractions_.Find(p, text_.end, stop);
            if (known != nullptr) {
                writer_.AddNonzero(static_cast<std::uint32_t>(index), *known);
                p = stop;
                continue;
            }
            float value;
            stop = ParseFloat(p, text_.end, value);
            if (stop == nullptr || !EndsToken(*stop)) return FailValue(p, index);
            if (!(std::abs(value) <= std::numeric_limits<float>::max())) {
                if (std::isinf(value)) return FailInfinite(p);
                p = stop;  // nan: missing
                continue;
            }
            writer_.Add(static_cast<std::uint32_t>(index), value);
            p = stop;
        }
        return p;
    }

    // p is at the value of `index`. Takes values that are known fractions while the next index follows each of them;
    // returns the place of the first value that is none, `index` being its index then.
    const char* TakeKnownFractions(const char* p, std::uint64_t& index) {
        const EntrySpace space = writer_.space();
        const std::uint64_t first = index;
        for (; index + 1 < guessed_end_; ++index) {
            const IndexText next = kIndexTexts[index + 1];
            if (Load4(p) == kZeroEnded) break;  // else seen late, by a lookup
            const char* stop;
            const float* known = fractions_.Known(p, stop);
            if (known == nullptr || !next.Begins(Load8(stop))) break;
            space.features[index - first] = static_cast<std::uint32_t>(index);
            space.values[index - first] = *known;
            p = stop + next.length();
        }
        writer_.AddToSpace(index - first);
        return p;
    }

    // A plain 0 or 0.0 and the zeros of the next indices behind it; returns the place behind them, or nullptr when
    // this is another number. `expected` is the index behind the last.
    const char* ParseZeros(const char* p, std::uint64_t index, std::uint64_t& expected) {
        bool is_long = (Load4(p) & 0xFFFFFFU) == kZeroText;
        p += is_long ? 3 : 1;
        if (!EndsToken(*p)) return nullptr;
        auto next = static_cast<std::uint32_t>(expected);
        auto end = static_cast<std::uint32_t>(guessed_end_);
        p = is_long ? SkipZeroEntries(kLongZeros, p, next, end) : SkipZeroEntries(kShortZeros, p, next, end);
        writer_.AddZeros(static_cast<std::uint32_t>(index), next - static_cast<std::uint32_t>(index));
        expected = next;
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

    bool SortRow(const char* line) {
        std::vector<FeatureValue> row = writer_.TakeRow();
        std::stable_sort(row.begin(), row.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
        for (std::size_t i = 0; i < row.size(); ++i) {
            auto [index, value] = row[i];
            while (i + 1 < row.size() && row[i + 1].first == index) {
                if (labeled_ != nullptr) {
                    Fail(line,
                         fmt::format("feature index {} stands twice in this row. Give each feature one value.", index));
                    return false;
                }
                value += row[++i].second;
                if (!std::isfinite(value)) {
                    Fail(line, fmt::format("the values of feature {} sum to infinity.", index));
                    return false;
                }
            }
            writer_.Add(index, value);
        }
        return true;
    }

    PaddedText text_;
    const LibsvmRules& rules_;
    Writer& writer_;
    RowBlock* labeled_;
    FractionValues& fractions_;
    std::uint64_t guessed_end_;
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

std::optional<TextIssue> ParseLibsvmBlock(PaddedText text, const LibsvmRules& rules, RowBlock& rows) {
    RowBlockWriter writer(rows, text.size());
    return Parser(text, rules, writer, &rows, ThreadFractions()).Run();
}

std::optional<TextIssue> ParseUnlabeledLibsvmBlock(PaddedText text, const LibsvmRules& rules, FeatureRows& rows) {
    FeatureRowsWriter writer(rows, text.size());
    return Parser(text, rules, writer, nullptr, ThreadFractions()).Run();
}

Result<void> ParseLibsvmRequest(std::string_view body, FeatureRows& rows) {
    return ParseRequestText(body, rows, [&rows](PaddedText text) { return ParseUnlabeledLibsvmBlock(text, {}, rows); });
}

}  // namespace espalier::data
