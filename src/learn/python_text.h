// Numbers and lists as Python reads and shows them, because the containers' rules and texts are Python's.
// Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace espalier::learn {

/// int(text): blanks around, a sign, digits with single underscores between. Nothing when it would raise or does not
/// fit.
std::optional<std::int64_t> ParsePythonInt(std::string_view text);
/// float(text): also nan, inf, infinity, exponents.
std::optional<double> ParsePythonFloat(std::string_view text);
/// repr(value): shortest text that reads back, "2.0", "1e-05", "inf".
std::string PythonRepr(double value);
/// repr of a list of strings: ['a', 'b'].
std::string PythonRepr(std::span<const std::string> values);
/// text.split(",")
std::vector<std::string> SplitCommas(std::string_view text);

}  // namespace espalier::learn
