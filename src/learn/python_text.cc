#include "learn/python_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>

namespace espalier::learn {

namespace {

std::string_view Strip(std::string_view text) {
    constexpr std::string_view kBlanks = " \t\n\r\v\f";
    const std::size_t begin = text.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

/// Takes out underscores that stand between two digits; nothing when one stands elsewhere.
std::optional<std::string> WithoutUnderscores(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '_') {
            plain += text[i];
            continue;
        }
        const auto is_digit = [&](std::size_t at) {
            return at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])) != 0;
        };
        if (i == 0 || !is_digit(i - 1) || !is_digit(i + 1)) return std::nullopt;
    }
    return plain;
}

}  // namespace

std::optional<std::int64_t> ParsePythonInt(std::string_view text) {
    auto plain = WithoutUnderscores(Strip(text));
    if (!plain.has_value() || plain->empty()) return std::nullopt;
    std::string_view digits = *plain;
    if (digits.front() == '+') {
        digits.remove_prefix(1);
        if (digits.empty() || digits.front() == '-') return std::nullopt;
    }
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    return value;
}

std::optional<double> ParsePythonFloat(std::string_view text) {
    auto plain = WithoutUnderscores(Strip(text));
    if (!plain.has_value() || plain->empty()) return std::nullopt;
    std::transform(plain->begin(), plain->end(), plain->begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    std::string_view digits = *plain;
    bool negative = false;
    if (digits.front() == '+' || digits.front() == '-') {
        negative = digits.front() == '-';
        digits.remove_prefix(1);
    }
    double value = 0;
    if (digits == "inf" || digits == "infinity") {
        value = std::numeric_limits<double>::infinity();
    } else if (digits == "nan") {
        value = std::numeric_limits<double>::quiet_NaN();
    } else {
        if (digits.empty() ||
            (std::isdigit(static_cast<unsigned char>(digits.front())) == 0 && digits.front() != '.')) {
            return std::nullopt;
        }
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        if (end != digits.data() + digits.size()) return std::nullopt;
        if (error == std::errc::result_out_of_range) {
            // Python gives inf or 0; which of the two is told by the exponent's sign.
            const std::size_t exponent = digits.find('e');
            const bool tiny =
                exponent != std::string_view::npos && digits.find('-', exponent) != std::string_view::npos;
            value = tiny ? 0.0 : std::numeric_limits<double>::infinity();
        } else if (error != std::errc()) {
            return std::nullopt;
        }
    }
    return negative ? -value : value;
}

std::string PythonRepr(double value) {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
    const double magnitude = std::fabs(value);
    if (magnitude != 0 && (magnitude < 1e-4 || magnitude >= 1e16)) {
        char buf[40];
        const auto [end, error] = std::to_chars(buf, buf + sizeof(buf), value, std::chars_format::scientific);
        return std::string(buf, end);
    }
    char buf[400];
    const auto [end, error] = std::to_chars(buf, buf + sizeof(buf), value, std::chars_format::fixed);
    std::string text(buf, end);
    if (text.find('.') == std::string::npos) text += ".0";
    return text;
}

std::string PythonRepr(std::span<const std::string> values) {
    std::string text = "[";
    for (const std::string& value : values) {
        if (text.size() > 1) text += ", ";
        text += "'" + value + "'";
    }
    return text + "]";
}

std::vector<std::string> SplitCommas(std::string_view text) {
    std::vector<std::string> parts;
    for (;;) {
        const std::size_t comma = text.find(',');
        parts.emplace_back(text.substr(0, comma));
        if (comma == std::string_view::npos) return parts;
        text.remove_prefix(comma + 1);
    }
}

}  // namespace espalier::learn
