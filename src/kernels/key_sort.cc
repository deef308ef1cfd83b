#include "kernels/key_sort.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace espalier::kernels {

namespace {

constexpr int kDigitBits = 11;
constexpr int kNumDigits = 3;
constexpr std::uint32_t kDigits = 1U << kDigitBits;
// Below it clearing and adding up the counts costs more than it saves.
constexpr std::size_t kRadixMin = 2048;

std::uint32_t KeyOf(std::uint32_t element) {
    return element;
}
std::uint32_t KeyOf(std::uint64_t element) {
    return static_cast<std::uint32_t>(element >> 32);
}

template <typename T>
void Sort(std::span<T> elements, std::span<T> scratch) {
    CHECK(scratch.size() >= elements.size());
    if (elements.size() < kRadixMin) {
        std::stable_sort(elements.begin(), elements.end(), [](T a, T b) { return KeyOf(a) < KeyOf(b); });
        return;
    }
    std::array<std::array<std::uint32_t, kDigits>, kNumDigits> places{};
    for (const T element : elements) {
        const std::uint32_t key = KeyOf(element);
        for (int d = 0; d < kNumDigits; ++d)
            ++places[static_cast<std::size_t>(d)][key >> (kDigitBits * d) & (kDigits - 1)];
    }
    T* from = elements.data();
    T* to = scratch.data();
    for (int d = 0; d < kNumDigits; ++d) {
        auto& place = places[static_cast<std::size_t>(d)];
        const int shift = kDigitBits * d;
        if (place[KeyOf(from[0]) >> shift & (kDigits - 1)] == elements.size()) continue;
        std::uint32_t before = 0;
        for (std::uint32_t& count : place) before += std::exchange(count, before);
        for (std::size_t i = 0; i < elements.size(); ++i)
            to[place[KeyOf(from[i]) >> shift & (kDigits - 1)]++] = from[i];
        std::swap(from, to);
    }
    if (from != elements.data()) std::memcpy(elements.data(), from, elements.size_bytes());
}

}  // namespace

void SortKeys(std::span<std::uint32_t> keys, std::span<std::uint32_t> scratch) {
    Sort(keys, scratch);
}

void SortKeys(std::span<std::uint64_t> pairs, std::span<std::uint64_t> scratch) {
    Sort(pairs, scratch);
}

}  // namespace espalier::kernels
