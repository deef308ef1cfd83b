// CodeArray: whole numbers in 8, 16 or 32 bits each, whichever is the narrowest that holds the greatest of them.
// LineVector: a vector that begins at a cache line, so that rows of 32 or 64 bytes lie in one line.
//
// Thread-safe to read; different elements may be set at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace espalier::data {

template <typename T>
struct LineAllocator {
    using value_type = T;
    static constexpr std::align_val_t kLine{64};
    LineAllocator() = default;
    template <typename U>
    explicit LineAllocator(const LineAllocator<U>&) {}
    T* allocate(std::size_t size) { return static_cast<T*>(::operator new(size * sizeof(T), kLine)); }
    void deallocate(T* place, std::size_t) { ::operator delete(place, kLine); }
    friend bool operator==(const LineAllocator&, const LineAllocator&) { return true; }
};

template <typename T>
using LineVector = std::vector<T, LineAllocator<T>>;

class CodeArray {
  public:
    CodeArray() = default;
    /// Empty, for codes up to `highest`.
    explicit CodeArray(std::uint32_t highest) {
        if (highest > 0xFFFF) {
            codes_ = std::vector<std::uint32_t>();
        } else if (highest > 0xFF) {
            codes_ = std::vector<std::uint16_t>();
        }
    }

    /// body(vector of uint8, uint16 or uint32).
    template <typename Body>
    decltype(auto) Visit(Body&& body) {
        return std::visit(std::forward<Body>(body), codes_);
    }
    template <typename Body>
    decltype(auto) Visit(Body&& body) const {
        return std::visit(std::forward<Body>(body), codes_);
    }

    /// `size` codes of `fill`.
    void Assign(std::size_t size, std::uint32_t fill) {
        Visit([=](auto& codes) { codes.assign(size, static_cast<CodeOf<decltype(codes)>>(fill)); });
    }
    std::size_t size() const {
        return Visit([](const auto& codes) { return codes.size(); });
    }
    std::uint32_t operator[](std::size_t i) const {
        return Visit([i](const auto& codes) { return static_cast<std::uint32_t>(codes[i]); });
    }
    /// The first code, of code_bytes() each: for loops that write many columns at a time.
    void* data() {
        return Visit([](auto& codes) { return static_cast<void*>(codes.data()); });
    }
    std::size_t code_bytes() const {
        return Visit([](const auto& codes) { return sizeof(codes[0]); });
    }
    void PushBack(std::uint32_t code) {
        Visit([=](auto& codes) { codes.push_back(static_cast<CodeOf<decltype(codes)>>(code)); });
    }
    void Reserve(std::size_t size) {
        Visit([=](auto& codes) { codes.reserve(size); });
    }
    std::size_t memory_bytes() const {
        return Visit([](const auto& codes) { return codes.size() * sizeof(codes[0]); });
    }

  private:
    template <typename Vector>
    using CodeOf = typename std::remove_cvref_t<Vector>::value_type;

    std::variant<std::vector<std::uint8_t>, std::vector<std::uint16_t>, std::vector<std::uint32_t>> codes_;
};

}  // namespace espalier::data
