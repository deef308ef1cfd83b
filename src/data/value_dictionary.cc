#include "data/value_dictionary.h"

#include <algorithm>

namespace espalier::data {

std::optional<std::uint8_t> ValueDictionary::CodeOf(float value) {
    std::lock_guard lock(mutex_);
    const auto end = values_.begin() + static_cast<std::ptrdiff_t>(size_);
    const auto found = std::find(values_.begin(), end, value);
    if (found == end) {
        if (size_ == kValuesMax) return std::nullopt;
        values_[size_++] = value;
    }
    return static_cast<std::uint8_t>(found - values_.begin());
}

std::optional<std::uint8_t> DictionaryCache::Learn(float value, std::size_t slot) {
    const std::optional<std::uint8_t> code = dictionary_.CodeOf(value);
    if (!code.has_value()) return std::nullopt;
    keys_[slot] = std::bit_cast<std::uint32_t>(value);
    codes_[slot] = *code;
    return code;
}

}  // namespace espalier::data
