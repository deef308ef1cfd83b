// Messages of application/vnd.amazon.eventstream, as the bodies of streamed answers hold them.
//
// A message: total length, length of the headers (both u32, big-endian), CRC-32 of these eight bytes; headers; payload;
// CRC-32 of everything before. A header: length of its name (u8), name, type 7 (text), length of the value (u16),
// value. SDKs take payloads up to 24 MiB, so who writes cuts at kEventPayloadBytesMax. Source: the Smithy specification
// "application/vnd.amazon.eventstream"; botocore's sagemaker-runtime model. Thread-safe: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace espalier::api::runtime {

inline constexpr std::string_view kEventStreamType = "application/vnd.amazon.eventstream";
inline constexpr std::size_t kEventPayloadBytesMax = 1 << 20;

/// Appends `bytes` as PayloadPart events, as many as it takes; none for no bytes.
void AppendPayloadParts(std::string& out, std::string_view bytes);

/// Appends the message that ends a stream which is not whole. `exception` names a member of the operation's stream,
/// `json` is its document.
void AppendException(std::string& out, std::string_view exception, std::string_view json);

}  // namespace espalier::api::runtime
