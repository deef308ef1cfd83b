#include "api/runtime/event_stream.h"

#include <cstdint>

#include "base/crc.h"

namespace espalier::api::runtime {
namespace {

constexpr char kTextHeader = 7;
constexpr std::size_t kPreludeBytes = 12;
constexpr std::size_t kChecksumBytes = 4;

void AppendHeader(std::string& out, std::string_view name, std::string_view value) {
    out += static_cast<char>(name.size());
    out += name;
    out += kTextHeader;
    out += static_cast<char>(value.size() >> 8);
    out += static_cast<char>(value.size() & 0xFF);
    out += value;
}

void AppendMessage(std::string& out, std::string_view headers, std::string_view payload) {
    const std::size_t begin = out.size();
    const std::size_t total = kPreludeBytes + headers.size() + payload.size() + kChecksumBytes;
    out += AsBigEndian(static_cast<std::uint32_t>(total));
    out += AsBigEndian(static_cast<std::uint32_t>(headers.size()));
    out += AsBigEndian(Crc32::Of(std::string_view(out).substr(begin)));
    out += headers;
    out += payload;
    out += AsBigEndian(Crc32::Of(std::string_view(out).substr(begin)));
}

}  // namespace

void AppendPayloadParts(std::string& out, std::string_view bytes) {
    std::string headers;
    AppendHeader(headers, ":event-type", "PayloadPart");
    AppendHeader(headers, ":content-type", "application/octet-stream");
    AppendHeader(headers, ":message-type", "event");
    while (!bytes.empty()) {
        const std::string_view part = bytes.substr(0, kEventPayloadBytesMax);
        AppendMessage(out, headers, part);
        bytes.remove_prefix(part.size());
    }
}

void AppendException(std::string& out, std::string_view exception, std::string_view json) {
    std::string headers;
    AppendHeader(headers, ":exception-type", exception);
    AppendHeader(headers, ":content-type", "application/json");
    AppendHeader(headers, ":message-type", "exception");
    AppendMessage(out, headers, json);
}

}  // namespace espalier::api::runtime
