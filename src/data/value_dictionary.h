// ValueDictionary: the distinct values of a data set as one-byte codes, while there are no more than 256 of them.
//
// Many data sets hold few values (pixels, counts, flags); their rows then take a byte an entry, exactly. Which code a
// value gets depends on who comes first, so nothing but the values themselves may depend on it.
// Thread-safe; DictionaryCache is one thread's fast way in.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <mutex>
#include <optional>

namespace espalier::data {

class ValueDictionary {
  public:
    static constexpr std::size_t kValuesMax = 256;

    /// The code of `value` (finite, not 0), given to it now if need be; nothing when it is new and all codes are given.
    std::optional<std::uint8_t> CodeOf(float value);
    /// Of a code that CodeOf has given, once nobody asks for new ones any more.
    float ValueOf(std::uint8_t code) const { return values_[code]; }

  private:
    std::mutex mutex_;
    std::size_t size_ = 0;
    std::array<float, kValuesMax> values_{};
};

/// Remembers what it was told. Confined to one thread; the dictionary is borrowed.
class DictionaryCache {
  public:
    explicit DictionaryCache(ValueDictionary& dictionary) : dictionary_(dictionary) {}

    std::optional<std::uint8_t> CodeOf(float value) {
        const auto bits = std::bit_cast<std::uint32_t>(value);
        for (std::size_t slot = (bits * 0x9E3779B1U) >> (32 - kSlotBits);; slot = (slot + 1) % kSlots) {
            if (keys_[slot] == bits) return codes_[slot];
            if (keys_[slot] == 0) return Learn(value, slot);  // the bits of 0, which is no key
        }
    }

  private:
    // Four slots a value: most are found at the first look.
    static constexpr int kSlotBits = 10;
    static constexpr std::size_t kSlots = std::size_t{1} << kSlotBits;

    std::optional<std::uint8_t> Learn(float value, std::size_t slot);

    ValueDictionary& dictionary_;
    std::array<std::uint32_t, kSlots> keys_{};
    std::array<std::uint8_t, kSlots> codes_{};
};

}  // namespace espalier::data
