// Counter-based random numbers: a number is a function of (seed, iteration, purpose, index, …), never of what was drawn
// before. So sampling does not depend on threads, ranks or order. Pure functions.
#pragma once

#include <cstdint>

namespace espalier::learn {

/// What a number is drawn for; part of the key.
enum class DrawPurpose : std::uint64_t {
    kRow = 1,
    kColumnByTree = 2,
    kColumnByLevel = 3,
    kColumnByNode = 4,
    kPair = 5,
    kFold = 6,
    kDartDrop = 7,
    kDartOnce = 8
};

/// A bijective mix of 64 bits in which every input bit changes about half of the output bits (the finaliser of
/// splitmix64, Steele, Lea and Flood, OOPSLA 2014).
inline std::uint64_t MixBits(std::uint64_t bits) {
    bits += 0x9E3779B97F4A7C15ULL;
    bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9ULL;
    bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EBULL;
    return bits ^ (bits >> 31);
}

/// The key of a stream of numbers; Draw(index) of one stream are independent of those of another.
class DrawStream {
  public:
    DrawStream(std::int64_t seed, std::uint64_t iteration, std::uint64_t tree, DrawPurpose purpose,
               std::uint64_t place = 0)
        : key_(MixBits(MixBits(MixBits(MixBits(static_cast<std::uint64_t>(seed)) ^ iteration) ^ tree) ^
                       (static_cast<std::uint64_t>(purpose) << 56) ^ place)) {}

    std::uint64_t Draw(std::uint64_t index) const { return MixBits(key_ ^ MixBits(index)); }
    /// In [0, 1), 53 bits.
    double Uniform(std::uint64_t index) const { return static_cast<double>(Draw(index) >> 11) * 0x1p-53; }

  private:
    std::uint64_t key_;
};

}  // namespace espalier::learn
