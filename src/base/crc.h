// Cyclic redundancy checks, streaming: CRC-32 (zlib, gzip), CRC-32C (Castagnoli; our guard against bit rot) and
// CRC-64/NVME, the three that S3 clients send.
//
//   Crc32 crc; crc.Update(part1); crc.Update(part2); crc.value(); AsBigEndian(crc.value())
//
// All three are reflected, start with all ones and end with all bits inverted. Portable code is slicing-by-8 tables;
// where the CPU has them, the SSE4.2 crc32 instruction (CRC-32C) or carry-less multiplication (the other two) are
// chosen at run time. Source: Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ", Intel 2009;
// NVM Express base specification 2.0 (CRC-64). One object is thread-compatible; the static functions are thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace espalier {

enum class CrcKind { kCrc32, kCrc32c, kCrc64Nvme };

template <CrcKind kKind, typename Word>
class Crc {
  public:
    void Update(std::string_view bytes) { state_ = Extend(state_, bytes); }
    /// The check value of everything given to Update so far.
    Word value() const { return static_cast<Word>(~state_); }

    static Word Of(std::string_view bytes) {
        Crc crc;
        crc.Update(bytes);
        return crc.value();
    }
    /// The check value of a joined with b, from their own values and the length of b. O(log(b_bytes)).
    static Word Combine(Word a, Word b, std::uint64_t b_bytes);
    /// Update by the table code whatever the CPU can do: the oracle of the tests. Takes and gives the inverted state.
    static Word ExtendPortable(Word state, std::string_view bytes);

  private:
    static Word Extend(Word state, std::string_view bytes);
    Word state_ = static_cast<Word>(~Word{0});
};

using Crc32 = Crc<CrcKind::kCrc32, std::uint32_t>;
using Crc32c = Crc<CrcKind::kCrc32c, std::uint32_t>;
using Crc64Nvme = Crc<CrcKind::kCrc64Nvme, std::uint64_t>;

extern template class Crc<CrcKind::kCrc32, std::uint32_t>;
extern template class Crc<CrcKind::kCrc32c, std::uint32_t>;
extern template class Crc<CrcKind::kCrc64Nvme, std::uint64_t>;

/// The bytes in network order, as S3 encodes them in base64.
std::string AsBigEndian(std::uint32_t value);
std::string AsBigEndian(std::uint64_t value);

}  // namespace espalier
