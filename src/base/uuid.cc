#include "base/uuid.h"

#include <sys/random.h>

#include <array>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "base/encoding.h"

namespace espalier {

std::string NewUuid() {
    std::array<std::uint8_t, 16> bytes;
    // The kernel gives up to 256 bytes at once and without interruption.
    CHECK(::getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
    bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x40);
    bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
    std::string text = HexEncode(std::span<const std::uint8_t>(bytes));
    for (std::size_t at : {20, 16, 12, 8}) text.insert(at, 1, '-');
    return text;
}

}  // namespace espalier
