#include "model/python_float.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string_view>

namespace espalier::model {

void AppendPythonFloat(float value, std::string& text) {
    if (std::isnan(value)) {
        text += "nan";
        return;
    }
    if (std::isinf(value)) {
        text += value < 0 ? "-inf" : "inf";
        return;
    }
    // Classes and counts: small whole numbers are most of what is printed.
    if (value >= 0 && value < 1e6F && value == std::floor(value) && !std::signbit(value)) {
        char whole[16];
        auto [end, status] = std::to_chars(whole, whole + sizeof whole, static_cast<int>(value));
        text.append(whole, end);
        text += ".0";
        return;
    }
    // repr uses an exponent outside [1e-4, 1e16); to_chars chooses by length instead, so the choice is made here.
    char buffer[64];
    auto wide = static_cast<double>(value);
    double size = std::abs(wide);
    bool fixed = size == 0 || (size >= 1e-4 && size < 1e16);
    auto [end, status] = std::to_chars(buffer, buffer + sizeof buffer, wide,
                                       fixed ? std::chars_format::fixed : std::chars_format::scientific);
    std::string_view digits(buffer, static_cast<std::size_t>(end - buffer));
    text += digits;
    if (fixed && digits.find('.') == std::string_view::npos) text += ".0";
}

}  // namespace espalier::model
