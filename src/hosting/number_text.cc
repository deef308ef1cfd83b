#include "hosting/number_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

namespace espalier::hosting {
namespace {

// repr() writes an exponent below 1e-4 and from 1e16 on.
constexpr int kExponentMin = -4;
constexpr int kExponentMax = 16;
// Whole numbers below this need no search for the shortest digits: classes and counts.
constexpr float kSmallWhole = 16777216.0F;

void AppendFinite(std::string& out, float value) {
    if (std::fabs(value) < kSmallWhole && std::trunc(value) == value && !(value == 0 && std::signbit(value))) {
        std::array<char, 16> digits;
        auto end = std::to_chars(digits.data(), digits.data() + digits.size(), static_cast<int>(value));
        out.append(digits.data(), end.ptr).append(".0");
        return;
    }
    // "-d.ddde-05": shortest digits that read back as the same double, then laid out as Python does.
    std::array<char, 40> buffer;
    auto written = std::to_chars(buffer.data(), buffer.data() + buffer.size(), static_cast<double>(value),
                                 std::chars_format::scientific);
    std::string_view text(buffer.data(), static_cast<std::size_t>(written.ptr - buffer.data()));
    if (text.front() == '-') {
        out += '-';
        text.remove_prefix(1);
    }
    const std::size_t mark = text.find('e');
    int exponent = 0;
    const char* exponent_begin = text.data() + mark + 1 + (text[mark + 1] == '+' ? 1 : 0);
    std::from_chars(exponent_begin, text.data() + text.size(), exponent);
    std::string_view fraction = mark > 2 ? text.substr(2, mark - 2) : std::string_view();
    const char first = text.front();
    if (exponent < kExponentMin || exponent >= kExponentMax) {
        out += first;
        if (!fraction.empty()) out.append(".").append(fraction);
        out.append("e").append(text.substr(mark + 1));
    } else if (exponent < 0) {
        out.append("0.").append(static_cast<std::size_t>(-exponent - 1), '0');
        out += first;
        out.append(fraction);
    } else {
        const auto whole = static_cast<std::size_t>(exponent);
        out += first;
        if (fraction.size() <= whole) {
            out.append(fraction).append(whole - fraction.size(), '0').append(".0");
        } else {
            out.append(fraction.substr(0, whole)).append(".").append(fraction.substr(whole));
        }
    }
}

}  // namespace

void AppendPythonFloat(std::string& out, float value) {
    if (std::isnan(value)) {
        out += "nan";
    } else if (std::isinf(value)) {
        out += value > 0 ? "inf" : "-inf";
    } else {
        AppendFinite(out, value);
    }
}

void AppendPythonJsonFloat(std::string& out, float value) {
    if (std::isnan(value)) {
        out += "NaN";
    } else if (std::isinf(value)) {
        out += value > 0 ? "Infinity" : "-Infinity";
    } else {
        AppendFinite(out, value);
    }
}

}  // namespace espalier::hosting
