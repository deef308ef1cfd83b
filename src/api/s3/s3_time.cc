#include "api/s3/s3_time.h"

#include <fmt/format.h>
#include <time.h>

#include <array>

namespace espalier::api::s3 {
namespace {

constexpr std::array kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

tm Broken(UnixMillis time) {
    const time_t seconds = time / 1000;
    tm parts{};
    gmtime_r(&seconds, &parts);
    return parts;
}

}  // namespace

std::string FormatHttpDate(UnixMillis time) {
    const tm parts = Broken(time);
    return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[static_cast<std::size_t>(parts.tm_wday)],
                       parts.tm_mday, kMonths[static_cast<std::size_t>(parts.tm_mon)], parts.tm_year + 1900,
                       parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::optional<UnixMillis> ParseHttpDate(std::string_view text) {
    const std::string terminated(text);
    for (const char* form :
         {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y", "%Y-%m-%dT%H:%M:%SZ"}) {
        tm parts{};
        const char* end = strptime(terminated.c_str(), form, &parts);
        if (end != nullptr && *end == '\0') return static_cast<UnixMillis>(timegm(&parts)) * 1000;
    }
    return std::nullopt;
}

std::string FormatIso8601(UnixMillis time) {
    const tm parts = Broken(time);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                       parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, time % 1000);
}

}  // namespace espalier::api::s3
