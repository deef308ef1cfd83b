// JSON (RFC 8259), and NaN, Infinity and -Infinity as XGBoost writes them.
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstring>
#include <utility>

#include "kernels/text_number.h"
#include "model/cursor_place.h"

namespace espalier::model {
namespace {

void AppendUtf8(std::uint32_t code_point, std::string& out) {
    if (code_point < 0x80) {
        out += static_cast<char>(code_point);
    } else if (code_point < 0x800) {
        out += static_cast<char>(0xC0 | (code_point >> 6));
        out += static_cast<char>(0x80 | (code_point & 0x3F));
    } else if (code_point < 0x10000) {
        out += static_cast<char>(0xE0 | (code_point >> 12));
        out += static_cast<char>(0x80 | ((code_point >> 6) & 0x3F));
        out += static_cast<char>(0x80 | (code_point & 0x3F));
    } else {
        out += static_cast<char>(0xF0 | (code_point >> 18));
        out += static_cast<char>(0x80 | ((code_point >> 12) & 0x3F));
        out += static_cast<char>(0x80 | ((code_point >> 6) & 0x3F));
        out += static_cast<char>(0x80 | (code_point & 0x3F));
    }
}

class JsonCursor final : public CursorPlace {
  public:
    explicit JsonCursor(std::string_view document) : CursorPlace(document, "JSON") {}

    Result<ValueKind> Peek() override {
        SkipBlanks();
        if (p_ == end_) return Fail("the document ends where a value should stand");
        switch (*p_) {
            case '{':
                return ValueKind::kObject;
            case '[':
                return ValueKind::kArray;
            case '"':
                return ValueKind::kString;
            case 't':
            case 'f':
                return ValueKind::kBool;
            case 'n':
                return ValueKind::kNull;
            default:
                return ValueKind::kNumber;
        }
    }

    Result<void> ReadObject(const std::function<Result<void>(std::string_view)>& on_member) override {
        TRY(Expect('{'));
        TRY(Deepen());
        if (!Take('}')) {
            std::string key;
            do {
                TRY(ReadString(key));
                TRY(Expect(':'));
                TRY(on_member(key));
            } while (Take(','));
            TRY(Expect('}'));
        }
        --depth_;
        return {};
    }

    Result<void> ReadArray(const std::function<Result<void>()>& on_element) override {
        TRY(Expect('['));
        TRY(Deepen());
        if (!Take(']')) {
            do {
                TRY(on_element());
            } while (Take(','));
            TRY(Expect(']'));
        }
        --depth_;
        return {};
    }

    Result<void> ReadString(std::string& value) override {
        TRY(Expect('"'));
        value.clear();
        for (;;) {
            const char* start = p_;
            while (p_ != end_ && *p_ != '"' && *p_ != '\\' && static_cast<unsigned char>(*p_) >= 0x20) ++p_;
            value.append(start, p_);
            if (p_ == end_) return Fail("a string is not closed");
            if (*p_ == '"') break;
            if (*p_ != '\\') return Fail("a control character stands in a string");
            TRY(ReadEscape(value));
        }
        ++p_;
        return {};
    }

    Result<void> ReadFloats(std::vector<float>& values) override {
        TRY(PrepareNumbers(values));
        return ReadArray([&]() -> Result<void> {
            SkipBlanks();
            float value;
            // The fast reader may look a few bytes beyond the number.
            bool room = end_ - p_ > static_cast<std::ptrdiff_t>(2 * kernels::kTextPadding);
            const char* stop = room ? kernels::ParseFloat(p_, end_, value) : kernels::ParseFloatSlow(p_, end_, value);
            if (stop == nullptr) return Fail("a number is expected");
            p_ = stop;
            values.push_back(value);
            return {};
        });
    }

    Result<void> ReadInts(std::vector<std::int32_t>& values) override { return ReadIntegers(values); }
    Result<void> ReadInt64s(std::vector<std::int64_t>& values) override { return ReadIntegers(values); }

    Result<void> ReadInteger(std::int64_t& value) override {
        SkipBlanks();
        auto [stop, status] = std::from_chars(p_, end_, value);
        if (status != std::errc()) return Fail("a whole number is expected");
        p_ = stop;
        return {};
    }

    Result<void> ReadBytes(std::vector<std::uint8_t>& values) override {
        TRY(PrepareNumbers(values));
        return ReadArray([&]() -> Result<void> {
            SkipBlanks();
            std::uint8_t value = 0;
            if (TakeWord("true")) {
                value = 1;
            } else if (!TakeWord("false")) {
                auto [stop, status] = std::from_chars(p_, end_, value);
                if (status != std::errc()) return Fail("true, false or a number up to 255 is expected");
                p_ = stop;
            }
            values.push_back(value);
            return {};
        });
    }

    Result<void> Skip() override {
        switch (TRY(Peek())) {
            case ValueKind::kObject:
                return ReadObject([this](std::string_view) { return Skip(); });
            case ValueKind::kArray:
                return ReadArray([this] { return Skip(); });
            case ValueKind::kString: {
                std::string ignored;
                return ReadString(ignored);
            }
            case ValueKind::kBool:
                if (TakeWord("true") || TakeWord("false")) return {};
                return Fail("a value is expected");
            case ValueKind::kNull:
                if (TakeWord("null")) return {};
                [[fallthrough]];  // nan
            case ValueKind::kNumber:
                break;
        }
        float ignored;
        const char* stop = kernels::ParseFloatSlow(p_, end_, ignored);
        if (stop == nullptr) return Fail("a value is expected");
        p_ = stop;
        return {};
    }

    Result<void> ExpectEnd() override {
        SkipBlanks();
        // Some writers close the text with a zero byte.
        while (p_ != end_ && *p_ == '\0') ++p_;
        if (p_ != end_) return Fail("something follows the end of the document");
        return {};
    }

  private:
    void SkipBlanks() {
        while (p_ != end_ && (*p_ == ' ' || *p_ == '\n' || *p_ == '\r' || *p_ == '\t')) ++p_;
    }

    bool Take(char c) {
        SkipBlanks();
        return TakeByte(c);
    }

    Result<void> Expect(char c) {
        SkipBlanks();
        return ExpectByte(c);
    }

    bool TakeWord(std::string_view word) {
        if (!std::string_view(p_, static_cast<std::size_t>(end_ - p_)).starts_with(word)) return false;
        p_ += word.size();
        return true;
    }

    // Arrays of numbers hold no brackets: their commas tell how many there are, so nothing is allocated twice.
    template <typename T>
    Result<void> PrepareNumbers(std::vector<T>& values) {
        values.clear();
        if (TRY(Peek()) != ValueKind::kArray) return Fail("an array is expected");
        const void* close = std::memchr(p_, ']', static_cast<std::size_t>(end_ - p_));
        if (close == nullptr) return Fail("an array is not closed");
        std::size_t commas = 0;
        for (const char* q = p_; q != close; ++q) commas += *q == ',' ? 1 : 0;
        values.reserve(commas + 1);
        return {};
    }

    template <typename T>
    Result<void> ReadIntegers(std::vector<T>& values) {
        TRY(PrepareNumbers(values));
        return ReadArray([&]() -> Result<void> {
            SkipBlanks();
            T value = 0;
            auto [stop, status] = std::from_chars(p_, end_, value);
            if (status != std::errc()) return Fail(fmt::format("a {}-bit integer is expected", 8 * sizeof(T)));
            p_ = stop;
            values.push_back(value);
            return {};
        });
    }

    Result<void> ReadEscape(std::string& value) {
        ++p_;
        if (p_ == end_) return Fail("a string is not closed");
        char c = *p_++;
        constexpr std::string_view kEscapes = "\"\\/bfnrt";
        constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
        if (std::size_t at = kEscapes.find(c); at != std::string_view::npos) {
            value += kMeanings[at];
            return {};
        }
        if (c != 'u') return Fail("an unknown escape stands in a string");
        std::uint32_t code_point = TRY(ReadHex4());
        if (code_point >= 0xDC00 && code_point < 0xE000) return Fail("half a surrogate pair stands in a string");
        if (code_point >= 0xD800 && code_point < 0xDC00) {
            if (!TakeWord("\\u")) return Fail("half a surrogate pair stands in a string");
            std::uint32_t low = TRY(ReadHex4());
            if (low < 0xDC00 || low >= 0xE000) return Fail("half a surrogate pair stands in a string");
            code_point = 0x10000 + ((code_point - 0xD800) << 10) + (low - 0xDC00);
        }
        AppendUtf8(code_point, value);
        return {};
    }

    Result<std::uint32_t> ReadHex4() {
        std::uint32_t value = 0;
        if (end_ - p_ < 4) return Fail("a string is not closed");
        auto [stop, status] = std::from_chars(p_, p_ + 4, value, 16);
        if (status != std::errc() || stop != p_ + 4) return Fail("four hexadecimal digits are expected");
        p_ = stop;
        return value;
    }
};

}  // namespace

std::unique_ptr<DocumentCursor> MakeJsonCursor(std::string_view document) {
    return std::make_unique<JsonCursor>(document);
}

}  // namespace espalier::model
