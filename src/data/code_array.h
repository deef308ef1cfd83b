// CodeArray: whole numbers in 8, 16 or 32 bits each, whichever is the narrowest that holds the greatest of them.
//
// Thread-safe to read; different elements may be set at once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <variant>

#include "data/stored_array.h"

namespace espalier::data {

class CodeArray {
  public:
    CodeArray() = default;
    /// `size` codes, unset; none will be above `highest`.
    CodeArray(std::size_t size, std::uint32_t highest, ArrayStore& store) {
        if (highest > 0xFFFF) {
            codes_ = store.Make<std::uint32_t>(size);
        } else if (highest > 0xFF) {
            codes_ = store.Make<std::uint16_t>(size);
        } else {
            codes_ = store.Make<std::uint8_t>(size);
        }
    }

    /// body(StoredArray of uint8, uint16 or uint32).
    template <typename Body>
    decltype(auto) Visit(Body&& body) {
        return std::visit(std::forward<Body>(body), codes_);
    }
    template <typename Body>
    decltype(auto) Visit(Body&& body) const {
        return std::visit(std::forward<Body>(body), codes_);
    }

    std::size_t size() const {
        return Visit([](const auto& codes) { return codes.size(); });
    }
    std::uint32_t operator[](std::size_t i) const {
        return Visit([i](const auto& codes) { return static_cast<std::uint32_t>(codes[i]); });
    }
    /// The upper bits of `code` are lost where they do not fit.
    void Set(std::size_t i, std::uint32_t code) {
        Visit([=](auto& codes) { codes[i] = static_cast<CodeOf<decltype(codes)>>(code); });
    }
    /// The first code, of code_bytes() each: for loops that write many columns at a time.
    void* data() {
        return Visit([](auto& codes) { return static_cast<void*>(codes.data()); });
    }
    std::size_t code_bytes() const {
        return Visit([](const auto& codes) { return sizeof(codes[0]); });
    }
    /// All of them, as Set does.
    void Fill(std::uint32_t code) {
        Visit([=](auto& codes) { std::fill(codes.begin(), codes.end(), static_cast<CodeOf<decltype(codes)>>(code)); });
    }
    std::size_t memory_bytes() const {
        return Visit([](const auto& codes) { return codes.size() * sizeof(codes[0]); });
    }

    /// Names the fields for data/array_archive.h.
    template <typename Archive>
    void Exchange(Archive& archive) {
        std::uint64_t width = codes_.index();
        archive(width);
        if constexpr (Archive::kReads) {
            if (width == 1) codes_ = StoredArray<std::uint16_t>();
            if (width == 2) codes_ = StoredArray<std::uint32_t>();
        }
        Visit([&archive](auto& codes) { archive(codes); });
    }

  private:
    template <typename Array>
    using CodeOf = typename std::decay_t<Array>::value_type;

    std::variant<StoredArray<std::uint8_t>, StoredArray<std::uint16_t>, StoredArray<std::uint32_t>> codes_;
};

}  // namespace espalier::data
