// UBJSON (draft 12) as XGBoost writes it: big-endian; objects without counts; arrays `[ $ type # count raw`,
// `[ # count values` or `[ values ]`. High-precision numbers and counted objects are not part of it.
#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "model/cursor_place.h"

namespace espalier::model {
namespace {

// Bytes of a value of this type; 0 if the type is no number.
std::size_t NumberBytes(char type) {
    switch (type) {
        case 'i':
        case 'U':
            return 1;
        case 'I':
            return 2;
        case 'l':
        case 'd':
            return 4;
        case 'L':
        case 'D':
            return 8;
        default:
            return 0;
    }
}

template <typename T>
T LoadBigEndian(const char* p) {
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) bits = (bits << 8) | static_cast<unsigned char>(p[i]);
    if constexpr (std::is_same_v<T, float>) {
        return std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    } else if constexpr (std::is_same_v<T, double>) {
        return std::bit_cast<double>(bits);
    } else {
        return static_cast<T>(bits);
    }
}

// An integer of one of the integer types.
std::int64_t IntegerAt(char type, const char* p) {
    switch (type) {
        case 'i':
            return LoadBigEndian<std::int8_t>(p);
        case 'U':
            return LoadBigEndian<std::uint8_t>(p);
        case 'I':
            return LoadBigEndian<std::int16_t>(p);
        case 'l':
            return LoadBigEndian<std::int32_t>(p);
        default:
            return LoadBigEndian<std::int64_t>(p);
    }
}

struct ArrayHead {
    char type = 0;                       // 0: each element has its own marker
    std::optional<std::uint64_t> count;  // absent: ended by ']'
};

class UbjsonCursor final : public CursorPlace {
  public:
    explicit UbjsonCursor(std::string_view document) : CursorPlace(document, "UBJSON") {}

    Result<ValueKind> Peek() override {
        if (p_ == end_) return Fail("the document ends where a value should stand");
        switch (*p_) {
            case '{':
                return ValueKind::kObject;
            case '[':
                return ValueKind::kArray;
            case 'S':
            case 'C':
                return ValueKind::kString;
            case 'T':
            case 'F':
                return ValueKind::kBool;
            case 'Z':
                return ValueKind::kNull;
            default:
                if (NumberBytes(*p_) > 0) return ValueKind::kNumber;
                return Fail(fmt::format("the type marker 0x{:02x} is not known", static_cast<unsigned char>(*p_)));
        }
    }

    Result<void> ReadObject(const std::function<Result<void>(std::string_view)>& on_member) override {
        TRY(ExpectByte('{'));
        TRY(Deepen());
        if (p_ != end_ && (*p_ == '$' || *p_ == '#')) return Fail("counted objects are not supported");
        while (!TakeByte('}')) {
            std::size_t length = TRY(ReadCount());
            std::string_view key(p_, length);
            p_ += length;
            TRY(on_member(key));
        }
        --depth_;
        return {};
    }

    Result<void> ReadArray(const std::function<Result<void>()>& on_element) override {
        ArrayHead head = TRY(ReadArrayHead());
        if (head.type != 0) {
            if (head.count == std::uint64_t{0}) return {};
            return Fail("an array of numbers stands where another is expected");
        }
        TRY(Deepen());
        if (head.count) {
            for (std::uint64_t i = 0; i < *head.count; ++i) TRY(on_element());
        } else {
            while (!TakeByte(']')) TRY(on_element());
        }
        --depth_;
        return {};
    }

    Result<void> ReadString(std::string& value) override {
        if (TakeByte('C')) {
            TRY(Need(1));
            value.assign(1, *p_++);
            return {};
        }
        TRY(ExpectByte('S'));
        std::size_t length = TRY(ReadCount());
        value.assign(p_, length);
        p_ += length;
        return {};
    }

    Result<void> ReadFloats(std::vector<float>& values) override {
        return ReadNumbers(values, [](char type, const char* p) -> std::optional<float> {
            if (type == 'd') return LoadBigEndian<float>(p);
            if (type == 'D') return static_cast<float>(LoadBigEndian<double>(p));
            return static_cast<float>(IntegerAt(type, p));
        });
    }

    Result<void> ReadInts(std::vector<std::int32_t>& values) override { return ReadIntegers(values); }
    Result<void> ReadInt64s(std::vector<std::int64_t>& values) override { return ReadIntegers(values); }

    Result<void> ReadInteger(std::int64_t& value) override {
        TRY(Need(1));
        char type = *p_;
        std::size_t size = NumberBytes(type);
        if (size == 0 || type == 'd' || type == 'D') return Fail("a whole number is expected");
        TRY(Need(1 + size));
        value = IntegerAt(type, p_ + 1);
        p_ += 1 + size;
        return {};
    }

    Result<void> ReadBytes(std::vector<std::uint8_t>& values) override {
        return ReadNumbers(values, [](char type, const char* p) -> std::optional<std::uint8_t> {
            if (type == 'T' || type == 'F') return static_cast<std::uint8_t>(type == 'T' ? 1 : 0);
            if (type == 'd' || type == 'D') return std::nullopt;
            std::int64_t value = IntegerAt(type, p);
            if (value < 0 || value > 255) return std::nullopt;
            return static_cast<std::uint8_t>(value);
        });
    }

    Result<void> Skip() override {
        switch (TRY(Peek())) {
            case ValueKind::kObject:
                return ReadObject([this](std::string_view) { return Skip(); });
            case ValueKind::kArray:
                return SkipArray();
            case ValueKind::kString: {
                std::string ignored;
                return ReadString(ignored);
            }
            case ValueKind::kBool:
            case ValueKind::kNull:
                ++p_;
                return {};
            case ValueKind::kNumber:
                break;
        }
        std::size_t size = 1 + NumberBytes(*p_);
        TRY(Need(size));
        p_ += size;
        return {};
    }

    Result<void> ExpectEnd() override {
        if (p_ != end_) return Fail("something follows the end of the document");
        return {};
    }

  private:
    std::uint64_t Left() const { return static_cast<std::uint64_t>(end_ - p_); }

    Result<void> Need(std::uint64_t num_bytes) const {
        if (Left() < num_bytes) return Fail("the document is cut off: a value is longer than what is left");
        return {};
    }

    // A length or count: an integer marker and its value. At least so many bytes are left.
    Result<std::uint64_t> ReadCount() {
        TRY(Need(1));
        char type = *p_;
        std::size_t size = NumberBytes(type);
        if (size == 0 || type == 'd' || type == 'D') return Fail("a length is expected");
        TRY(Need(1 + size));
        std::int64_t count = IntegerAt(type, p_ + 1);
        p_ += 1 + size;
        if (count < 0) return Fail("a length is negative");
        TRY(Need(static_cast<std::uint64_t>(count)));
        return static_cast<std::uint64_t>(count);
    }

    // Of a typed array all its bytes are there; elements without bytes of their own ('T', 'Z', …) cannot be counted
    // out.
    Result<ArrayHead> ReadArrayHead() {
        TRY(ExpectByte('['));
        ArrayHead head;
        if (TakeByte('$')) {
            TRY(Need(1));
            head.type = *p_++;
            if (NumberBytes(head.type) == 0) return Fail("an array of this type is not supported");
            if (p_ == end_ || *p_ != '#') return Fail("a typed array has no count");
        }
        if (TakeByte('#')) {
            head.count = TRY(ReadCount());
            if (head.type != 0 && *head.count > Left() / NumberBytes(head.type)) {
                return Fail("the document is cut off: an array is longer than what is left");
            }
        }
        return head;
    }

    Result<void> SkipArray() {
        const char* start = p_;
        ArrayHead head = TRY(ReadArrayHead());
        if (head.type != 0) {
            p_ += *head.count * NumberBytes(head.type);
            return {};
        }
        p_ = start;
        return ReadArray([this] { return Skip(); });
    }

    template <typename T>
    Result<void> ReadIntegers(std::vector<T>& values) {
        return ReadNumbers(values, [](char type, const char* p) -> std::optional<T> {
            if (type == 'd' || type == 'D') return std::nullopt;
            std::int64_t value = IntegerAt(type, p);
            if (value != static_cast<T>(value)) return std::nullopt;
            return static_cast<T>(value);
        });
    }

    template <typename T, typename Convert>
    Result<void> ReadNumbers(std::vector<T>& values, const Convert& convert) {
        values.clear();
        ArrayHead head = TRY(ReadArrayHead());
        auto take = [&](char type, const char* p) -> Result<void> {
            std::optional<T> value = convert(type, p);
            if (!value) return Fail("a number has the wrong type or is out of range");
            values.push_back(*value);
            return {};
        };
        if (head.type != 0) {
            values.reserve(*head.count);
            for (std::uint64_t i = 0; i < *head.count; ++i, p_ += NumberBytes(head.type)) TRY(take(head.type, p_));
            return {};
        }
        // Each element takes a marker's byte at least, so the count is bounded by the document.
        if (head.count) values.reserve(*head.count);
        for (std::uint64_t i = 0; head.count ? i < *head.count : !TakeByte(']'); ++i) {
            TRY(Need(1));
            char type = *p_;
            std::size_t size = NumberBytes(type);
            bool boolean = std::is_same_v<T, std::uint8_t> && (type == 'T' || type == 'F');
            if (size == 0 && !boolean) return Fail("a number is expected");
            TRY(Need(1 + size));
            TRY(take(type, p_ + 1));
            p_ += 1 + size;
        }
        return {};
    }
};

}  // namespace

std::unique_ptr<DocumentCursor> MakeUbjsonCursor(std::string_view document) {
    return std::make_unique<UbjsonCursor>(document);
}

}  // namespace espalier::model
