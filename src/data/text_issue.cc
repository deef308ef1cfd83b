#include "data/text_issue.h"

#include <fmt/format.h>

#include <algorithm>

namespace espalier::data {
namespace {

constexpr std::size_t kTokenBytesMax = 40;
constexpr std::size_t kLineStartBytes = 50;

std::string Printable(std::string_view text) {
    std::string shown;
    for (char c : text) {
        auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte >= 0x7F) {
            shown += fmt::format("\\x{:02x}", byte);
        } else {
            shown += c;
        }
    }
    return shown;
}

}  // namespace

TextPlace FindPlace(std::string_view text, std::size_t offset, TextPlace start) {
    TextPlace place = start;
    for (std::size_t i = 0; i < offset && i < text.size(); ++i) {
        bool ends_line = text[i] == '\n' || (text[i] == '\r' && (i + 1 == text.size() || text[i + 1] != '\n'));
        if (ends_line) {
            ++place.line;
            place.column = 1;
        } else {
            ++place.column;
        }
    }
    return place;
}

std::string QuoteToken(std::string_view token) {
    bool cut = token.size() > kTokenBytesMax;
    return fmt::format("'{}{}'", Printable(token.substr(0, kTokenBytesMax)), cut ? "…" : "");
}

std::string LineStart(std::string_view text, std::size_t offset) {
    offset = std::min(offset, text.size());
    std::size_t begin = offset;
    while (begin > 0 && text[begin - 1] != '\n' && text[begin - 1] != '\r') --begin;
    std::size_t end = begin;
    while (end < text.size() && end - begin < kLineStartBytes && text[end] != '\n' && text[end] != '\r') ++end;
    return Printable(text.substr(begin, end - begin));
}

}  // namespace espalier::data
