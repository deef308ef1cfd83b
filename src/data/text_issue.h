// What is wrong with a piece of text, and where: from an offset to the line and column a person can go to.
// Thread-safe: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace espalier::data {

/// A complaint about the text at `offset`: a sentence saying what, and one saying how to mend it.
struct TextIssue {
    std::size_t offset = 0;
    std::string message;
};

/// Both from 1. A line ends with \n, \r or \r\n; columns count bytes.
struct TextPlace {
    std::uint64_t line = 1;
    std::uint64_t column = 1;
};

/// The place of text[offset], as if `text` began at `start`.
TextPlace FindPlace(std::string_view text, std::size_t offset, TextPlace start = {});

/// The token as it may stand in a message: at most 40 bytes, in single quotes, bytes that cannot be printed as \xNN.
std::string QuoteToken(std::string_view token);

/// The first 50 bytes of the line that holds text[offset], made printable, as the images' messages quote lines.
std::string LineStart(std::string_view text, std::size_t offset);

}  // namespace espalier::data
