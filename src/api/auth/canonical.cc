#include "api/auth/canonical.h"

#include <algorithm>
#include <chrono>
#include <ctime>

#include "base/encoding.h"

namespace espalier::api {
namespace {

bool IsHex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

char Upper(char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

/// Keeps escapes, in upper case, and escapes every other byte that needs it.
std::string EncodeUnescaped(std::string_view text, Slash slash, bool plus_is_blank) {
    std::string encoded;
    encoded.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size() && IsHex(text[i + 1]) && IsHex(text[i + 2])) {
            encoded += '%';
            encoded += Upper(text[i + 1]);
            encoded += Upper(text[i + 2]);
            i += 2;
        } else if (text[i] == '+' && plus_is_blank) {
            encoded += "%20";
        } else {
            encoded += PercentEncode(text.substr(i, 1), slash);
        }
    }
    return encoded;
}

bool IsBlank(char c) {
    return c == ' ' || c == '\t';
}

/// Blanks at both ends dropped, runs of blanks as one. Most values have none and are taken whole.
void AppendCollapsed(std::string_view value, std::string& out) {
    const bool plain = value.find('\t') == std::string_view::npos && value.find("  ") == std::string_view::npos &&
                       !value.starts_with(' ') && !value.ends_with(' ');
    if (plain) {
        out += value;
        return;
    }
    const std::size_t begin = out.size();
    bool blank_before = false;
    for (char c : value) {
        if (IsBlank(c)) {
            blank_before = out.size() > begin;
        } else {
            if (std::exchange(blank_before, false)) out += ' ';
            out += c;
        }
    }
}

std::optional<UnixMillis> ToMillis(const char* text, const char* format) {
    std::tm parts{};
    const char* end = strptime(text, format, &parts);
    if (end == nullptr || *end != '\0') return std::nullopt;
    return static_cast<UnixMillis>(timegm(&parts)) * 1000;
}

}  // namespace

std::vector<RawParameter> SplitQuery(std::string_view raw_query) {
    std::vector<RawParameter> parameters;
    while (!raw_query.empty()) {
        std::size_t end = std::min(raw_query.find('&'), raw_query.size());
        std::string_view pair = raw_query.substr(0, end);
        raw_query.remove_prefix(std::min(end + 1, raw_query.size()));
        if (pair.empty()) continue;
        std::size_t equals = std::min(pair.find('='), pair.size());
        parameters.emplace_back(pair.substr(0, equals), pair.substr(std::min(equals + 1, pair.size())));
    }
    return parameters;
}

std::optional<std::string> QueryValue(const std::vector<RawParameter>& parameters, std::string_view name) {
    for (const auto& [raw_name, raw_value] : parameters) {
        if (raw_name == name) return FormDecode(raw_value);
    }
    return std::nullopt;
}

std::string CanonicalPathOnce(std::string_view raw_path) {
    return EncodeUnescaped(raw_path, Slash::kKeep, false);
}

std::string CanonicalPathTwice(std::string_view raw_path) {
    constexpr std::size_t kTypicalSegments = 8;
    std::vector<std::string_view> segments;
    segments.reserve(kTypicalSegments);
    std::string_view rest = raw_path;
    while (!rest.empty()) {
        std::size_t end = std::min(rest.find('/'), rest.size());
        std::string_view segment = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (segment.empty() || segment == ".") continue;
        if (segment != "..") {
            segments.push_back(segment);
        } else if (!segments.empty()) {
            segments.pop_back();
        }
    }
    std::string path;
    path.reserve(raw_path.size());
    for (std::string_view segment : segments) path.append("/").append(PercentEncode(segment, Slash::kEncode));
    if (path.empty() || raw_path.ends_with('/')) path += '/';
    return path;
}

std::string CanonicalQuery(const std::vector<RawParameter>& parameters, std::string_view left_out) {
    std::vector<std::pair<std::string, std::string>> encoded;
    encoded.reserve(parameters.size());
    for (const auto& [name, value] : parameters) {
        if (name == left_out) continue;
        encoded.emplace_back(EncodeUnescaped(name, Slash::kEncode, true), EncodeUnescaped(value, Slash::kEncode, true));
    }
    std::sort(encoded.begin(), encoded.end());
    std::string query;
    for (const auto& [name, value] : encoded) {
        if (!query.empty()) query += '&';
        query.append(name).append("=").append(value);
    }
    return query;
}

void AppendCanonicalHeaderValue(const http::Headers& headers, std::string_view name, std::string& out) {
    bool first = true;
    for (const auto& [field_name, value] : headers.fields()) {
        if (!http::EqualsIgnoreCase(field_name, name)) continue;
        if (!std::exchange(first, false)) out += ',';
        AppendCollapsed(value, out);
    }
}

std::optional<UnixMillis> ParseAmzDate(std::string_view text) {
    constexpr std::size_t kBytes = 16;
    if (text.size() != kBytes || text[8] != 'T' || text[15] != 'Z') return std::nullopt;
    for (std::size_t i = 0; i < 15; ++i) {
        if (i != 8 && (text[i] < '0' || text[i] > '9')) return std::nullopt;
    }
    // Read by hand: strptime asks the locale for every field, and each request carries such a date.
    const auto number = [text](std::size_t begin, std::size_t size) {
        int value = 0;
        for (char c : text.substr(begin, size)) value = value * 10 + (c - '0');
        return value;
    };
    const std::chrono::year_month_day day(std::chrono::year(number(0, 4)),
                                          std::chrono::month(static_cast<unsigned>(number(4, 2))),
                                          std::chrono::day(static_cast<unsigned>(number(6, 2))));
    const int hour = number(9, 2);
    const int minute = number(11, 2);
    const int second = number(13, 2);  // 60 is a leap second
    if (!day.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
    const std::int64_t days = std::chrono::sys_days(day).time_since_epoch().count();
    return UnixMillis{(((days * 24 + hour) * 60 + minute) * 60 + second) * 1000};
}

std::optional<UnixMillis> ParseHttpDate(const std::string& text) {
    if (auto time = ToMillis(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT")) return time;
    return ToMillis(text.c_str(), "%a, %d %b %Y %H:%M:%S +0000");
}

std::string FormatAmzDate(UnixMillis time) {
    std::time_t seconds = time / 1000;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[32];
    std::size_t size = std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts);
    return std::string(text, size);
}

std::string LowerCase(std::string_view text) {
    std::string lower(text);
    for (char& c : lower) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return lower;
}

}  // namespace espalier::api
