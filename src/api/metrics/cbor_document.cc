#include "api/metrics/cbor_document.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "api/json_protocol.h"
#include "api/metrics/metric_reading.h"

namespace espalier::api::metrics {
namespace {

using nlohmann::json;

enum Major : std::uint8_t { kUnsigned = 0, kNegative = 1, kText = 3, kArray = 4, kMap = 5, kTag = 6, kSimple = 7 };

class Writer {
  public:
    void Value(const json& value, bool is_time) {
        if (is_time && value.is_number()) Head(kTag, 1);
        if (value.is_object()) return Map(value);
        if (value.is_array()) {
            Head(kArray, value.size());
            for (const json& element : value) Value(element, is_time);
        } else if (value.is_string()) {
            Text(value.get_ref<const std::string&>());
        } else if (value.is_boolean()) {
            Byte(kSimple, value.get<bool>() ? 21 : 20);
        } else if (value.is_number_float()) {
            Byte(kSimple, 27);
            Big(std::bit_cast<std::uint64_t>(value.get<double>()), 8);
        } else if (value.is_number_unsigned()) {
            Head(kUnsigned, value.get<std::uint64_t>());
        } else if (value.is_number_integer()) {
            const auto number = value.get<std::int64_t>();
            if (number >= 0) return Head(kUnsigned, static_cast<std::uint64_t>(number));
            Head(kNegative, static_cast<std::uint64_t>(-1 - number));
        } else {
            Byte(kSimple, 22);  // null
        }
    }
    std::string Take() { return std::move(bytes_); }

  private:
    void Map(const json& map) {
        Head(kMap, map.size());
        for (const auto& [name, member] : map.items()) {
            Text(name);
            Value(member, IsTimeMember(name));
        }
    }
    void Text(const std::string& text) {
        Head(kText, text.size());
        bytes_ += text;
    }
    void Byte(Major major, unsigned low) { bytes_ += static_cast<char>(major << 5 | low); }
    void Big(std::uint64_t value, int num_bytes) {
        for (int shift = 8 * (num_bytes - 1); shift >= 0; shift -= 8)
            bytes_ += static_cast<char>(value >> shift & 0xFF);
    }
    /// The initial byte and the argument in its shortest form.
    void Head(Major major, std::uint64_t argument) {
        if (argument < 24) return Byte(major, static_cast<unsigned>(argument));
        const int num_bytes = argument <= 0xFF ? 1 : argument <= 0xFFFF ? 2 : argument <= 0xFFFFFFFF ? 4 : 8;
        Byte(major, 24 + static_cast<unsigned>(std::countr_zero(static_cast<unsigned>(num_bytes))));
        Big(argument, num_bytes);
    }

    std::string bytes_;
};

class Reader {
  public:
    explicit Reader(std::string_view bytes) : rest_(bytes) {}
    bool at_end() const { return rest_.empty(); }

    /// False when the bytes are no document.
    bool Value(json& value, int depth) {
        if (depth > kNestingDepthMax || rest_.empty()) return false;
        const auto initial = static_cast<unsigned char>(rest_[0]);
        rest_.remove_prefix(1);
        const auto major = static_cast<Major>(initial >> 5);
        const unsigned low = initial & 31;
        if (major == kSimple) return Simple(low, value);
        const bool open_ended = low == 31;
        std::uint64_t argument = 0;
        if (!open_ended && !Argument(low, argument)) return false;
        switch (major) {
            case kUnsigned:
                value = argument;
                return !open_ended;
            case kNegative:
                value = -1 - static_cast<std::int64_t>(argument);
                return !open_ended && argument <= static_cast<std::uint64_t>(INT64_MAX);
            case kText:
                return open_ended ? Chunks(value) : Text(argument, value);
            case kArray:
                return Array(open_ended, argument, value, depth);
            case kMap:
                return Map(open_ended, argument, value, depth);
            case kTag:
                return !open_ended && Value(value, depth + 1);
            default:
                return false;  // byte strings are in none of CloudWatch's requests
        }
    }

  private:
    static constexpr char kBreak = static_cast<char>(0xFF);

    bool Argument(unsigned low, std::uint64_t& argument) {
        argument = low;
        if (low < 24) return true;
        if (low > 27) return false;
        const std::size_t num_bytes = std::size_t{1} << (low - 24);
        if (rest_.size() < num_bytes) return false;
        argument = 0;
        for (char byte : rest_.substr(0, num_bytes)) argument = argument << 8 | static_cast<unsigned char>(byte);
        rest_.remove_prefix(num_bytes);
        return true;
    }
    bool Simple(unsigned low, json& value) {
        std::uint64_t bits = 0;
        if (low == 20 || low == 21) {
            value = low == 21;
        } else if (low == 22 || low == 23) {
            value = nullptr;
        } else if (low < 25 || !Argument(low, bits)) {
            return false;
        } else if (low == 27) {
            value = std::bit_cast<double>(bits);
        } else if (low == 26) {
            value = static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
        } else {
            value = HalfToDouble(static_cast<unsigned>(bits));
        }
        return true;
    }
    static double HalfToDouble(unsigned half) {
        const int exponent = static_cast<int>(half >> 10 & 31);
        const double mantissa = half & 1023;
        double value = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(mantissa + 1024, exponent - 25);
        if (exponent == 31) value = mantissa == 0 ? HUGE_VAL : std::nan("");
        return (half & 0x8000) != 0 ? -value : value;
    }
    bool Text(std::uint64_t size, json& value) {
        if (size > rest_.size()) return false;
        value = std::string(rest_.substr(0, size));
        rest_.remove_prefix(size);
        return true;
    }
    bool TakeBreak() {
        if (!rest_.starts_with(kBreak)) return false;
        rest_.remove_prefix(1);
        return true;
    }
    bool Chunks(json& value) {
        std::string text;
        while (!TakeBreak()) {
            json chunk;
            if (!Value(chunk, kNestingDepthMax) || !chunk.is_string()) return false;
            text += chunk.get_ref<const std::string&>();
        }
        value = std::move(text);
        return true;
    }
    bool Array(bool open_ended, std::uint64_t size, json& value, int depth) {
        value = json::array();
        for (std::uint64_t i = 0; open_ended ? !TakeBreak() : i < size; ++i) {
            json element;
            if (!Value(element, depth + 1)) return false;
            value.push_back(std::move(element));
        }
        return true;
    }
    bool Map(bool open_ended, std::uint64_t size, json& value, int depth) {
        value = json::object();
        for (std::uint64_t i = 0; open_ended ? !TakeBreak() : i < size; ++i) {
            json name;
            if (!Value(name, kNestingDepthMax) || !name.is_string()) return false;
            if (!Value(value[name.get_ref<const std::string&>()], depth + 1)) return false;
        }
        return true;
    }

    std::string_view rest_;
};

}  // namespace

std::optional<json> FromCbor(std::string_view bytes) {
    if (bytes.empty()) return json::object();
    json document;
    Reader reader(bytes);
    if (!reader.Value(document, 1) || !reader.at_end() || !document.is_object()) return std::nullopt;
    return document;
}

std::string ToCbor(const json& document) {
    Writer writer;
    writer.Value(document, false);
    return writer.Take();
}

}  // namespace espalier::api::metrics
