#include "base/trace_context.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "base/digest.h"
#include "base/encoding.h"

namespace espalier {
namespace {

constexpr std::size_t kTraceIdDigits = 32;
constexpr std::size_t kSpanIdDigits = 16;

/// Lower-case hex, as upper case is forbidden, and not all zero.
bool IsId(std::string_view text) {
    const bool hex =
        std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
    return hex && text.find_first_not_of('0') != std::string_view::npos;
}

bool IsHexByte(std::string_view text) {
    return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// Never all zero: 0 is replaced.
std::string NewId(std::size_t digits) {
    thread_local std::mt19937_64 random = [] {
        std::random_device device;
        std::seed_seq seed{device(), device(), device(), device()};
        return std::mt19937_64(seed);
    }();
    std::string id;
    while (id.size() < digits) id += fmt::format("{:016x}", std::max<std::uint64_t>(random(), 1));
    return id;
}

}  // namespace

std::string TraceContext::ToText() const {
    return fmt::format("00-{}-{}-{}", trace_id, span_id, sampled ? "01" : "00");
}

TraceContext TraceContext::Child() const {
    return {.trace_id = trace_id, .span_id = NewId(kSpanIdDigits), .sampled = sampled, .state = state};
}

TraceContext TraceContext::NamedChild(std::string_view name) const {
    const std::string digest = HexEncode(Sha256::Of(fmt::format("{}/{}", trace_id, name)));
    return {.trace_id = trace_id, .span_id = digest.substr(0, kSpanIdDigits), .sampled = sampled, .state = state};
}

std::optional<TraceContext> ParseTraceParent(std::string_view text, std::string_view state) {
    // version "-" trace id "-" span id "-" flags; later versions may go on behind another dash.
    constexpr std::size_t kSize = 2 + 1 + kTraceIdDigits + 1 + kSpanIdDigits + 1 + 2;
    if (text.size() < kSize) return std::nullopt;
    const std::string_view version = text.substr(0, 2);
    const std::string_view trace_id = text.substr(3, kTraceIdDigits);
    const std::string_view span_id = text.substr(4 + kTraceIdDigits, kSpanIdDigits);
    const std::string_view flags = text.substr(kSize - 2, 2);
    const bool dashes = text[2] == '-' && text[3 + kTraceIdDigits] == '-' && text[kSize - 3] == '-';
    const bool ends = version == "00" ? text.size() == kSize : text.size() == kSize || text[kSize] == '-';
    if (!dashes || !ends || !IsHexByte(version) || version == "ff") return std::nullopt;
    if (!IsId(trace_id) || !IsId(span_id) || !IsHexByte(flags)) return std::nullopt;
    const char low = flags[1];
    const int value = low <= '9' ? low - '0' : low - 'a' + 10;
    return TraceContext{.trace_id = std::string(trace_id),
                        .span_id = std::string(span_id),
                        .sampled = (value & 1) != 0,
                        .state = state.size() <= kTraceStateBytesMax ? std::string(state) : ""};
}

TraceContext NewTrace() {
    return {.trace_id = NewId(kTraceIdDigits), .span_id = NewId(kSpanIdDigits)};
}

}  // namespace espalier
