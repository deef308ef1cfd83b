#include "kernels/key_sort.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "base/check.h"

namespace espalier::kernels {

namespace {

// Below it clearing and adding up the counts costs more than it saves.
constexpr std::size_t kRadixMin = 2048;
// From here on two passes over 65,536 counts are faster than three over 2,048.
constexpr std::size_t kTwoPassesMin = std::size_t{1} << 18;

std::uint32_t KeyOf(std::uint32_t element) {
    return element;
}
std::uint32_t KeyOf(std::uint64_t element) {
    return static_cast<std::uint32_t>(element >> 32);
}

template <int kDigitBits, int kNumDigits, typename T>
void SortByDigits(std::span<T> elements, std::span<T> scratch) {
    constexpr std::uint32_t kDigits = 1U << kDigitBits;
    std::vector<std::array<std::uint32_t, kDigits>> places(kNumDigits);
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

template <typename T>
void Sort(std::span<T> elements, std::span<T> scratch) {
    CHECK(scratch.size() >= elements.size());
    if (elements.size() < kRadixMin) {
        std::stable_sort(elements.begin(), elements.end(), [](T a, T b) { return KeyOf(a) < KeyOf(b); });
    } else if (elements.size() < kTwoPassesMin) {
        SortByDigits<11, 3>(elements, scratch);
    } else {
        SortByDigits<16, 2>(elements, scratch);
    }
}

}  // namespace

void SortKeys(std::span<std::uint32_t> keys, std::span<std::uint32_t> scratch) {
    Sort(keys, scratch);
}

void SortKeys(std::span<std::uint64_t> pairs, std::span<std::uint64_t> scratch) {
    Sort(pairs, scratch);
}

}  // namespace espalier::kernels
