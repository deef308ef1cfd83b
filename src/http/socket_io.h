// Blocking reads and writes with a deadline on a non-blocking socket, for worker threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>

#include "base/result.h"

namespace espalier::http {

/// The next bytes; 0 when the peer has closed its side. kUnavailable when nothing came before `deadline`; kIo for a
/// broken connection.
Result<std::size_t> ReadSome(int socket, std::span<char> out, std::chrono::steady_clock::time_point deadline);

/// All of `bytes`; kUnavailable when the peer takes less than kBodyProgressBytesMin within `stall_timeout`. With
/// `more`, the kernel may wait for the bytes that follow to fill a packet.
Result<void> WriteAll(int socket, std::string_view bytes, bool more, std::chrono::milliseconds stall_timeout);

/// Bytes [offset, offset + size_bytes) of the file, by sendfile. kCorruptData when the file ends earlier.
Result<void> WriteFile(int socket, int fd, std::uint64_t offset, std::uint64_t size_bytes,
                       std::chrono::milliseconds stall_timeout);

}  // namespace espalier::http
