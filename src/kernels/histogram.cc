#include "kernels/histogram.h"

namespace espalier::kernels {

namespace {

// A row list jumps through memory; 12 rows ahead hides one miss to L3 behind the additions of a typical row.
constexpr std::size_t kPrefetchRows = 12;

}  // namespace

template <typename Pair, typename Cell>
void AddRows(std::span<const std::uint32_t> rows, const std::uint32_t* row_offsets, const Cell* cells,
             const Pair* pairs, Pair* histogram) {
    const std::size_t num_rows = rows.size();
    for (std::size_t i = 0; i < num_rows; ++i) {
        if (i + kPrefetchRows < num_rows) {
            const std::uint32_t ahead = rows[i + kPrefetchRows];
            __builtin_prefetch(cells + row_offsets[ahead]);
            __builtin_prefetch(pairs + ahead);
        }
        const std::uint32_t row = rows[i];
        const Pair pair = pairs[row];
        const Cell* at = cells + row_offsets[row];
        const Cell* const end = cells + row_offsets[row + 1];
        for (; at + 4 <= end; at += 4) {
            // Cells of one row are different cells, so the four additions do not wait for each other.
            histogram[at[0]] += pair;
            histogram[at[1]] += pair;
            histogram[at[2]] += pair;
            histogram[at[3]] += pair;
        }
        for (; at < end; ++at) histogram[*at] += pair;
    }
}

template <typename Pair>
void AddDenseRows(std::span<const std::uint32_t> rows, std::size_t stride, const std::uint16_t* cells,
                  const Pair* pairs, Pair* histogram) {
    const std::size_t num_rows = rows.size();
    for (std::size_t i = 0; i < num_rows; ++i) {
        if (i + kPrefetchRows < num_rows) {
            const std::uint16_t* ahead = cells + rows[i + kPrefetchRows] * stride;
            __builtin_prefetch(ahead);
            __builtin_prefetch(ahead + 32);
            __builtin_prefetch(pairs + rows[i + kPrefetchRows]);
        }
        const Pair pair = pairs[rows[i]];
        const std::uint16_t* at = cells + rows[i] * stride;
        const std::uint16_t* const end = at + stride;
        for (; at + 4 <= end; at += 4) {
            histogram[at[0]] += pair;
            histogram[at[1]] += pair;
            histogram[at[2]] += pair;
            histogram[at[3]] += pair;
        }
        for (; at < end; ++at) histogram[*at] += pair;
    }
}

template <typename Pair>
void Subtract(std::span<Pair> parent, std::span<const Pair> child) {
    for (std::size_t i = 0; i < parent.size(); ++i) parent[i] -= child[i];
}

template <typename Pair>
void Accumulate(std::span<Pair> total, std::span<const Pair> part) {
    for (std::size_t i = 0; i < total.size(); ++i) total[i] += part[i];
}

template void AddRows(std::span<const std::uint32_t>, const std::uint32_t*, const std::uint16_t*, const PackedPair*,
                      PackedPair*);
template void AddRows(std::span<const std::uint32_t>, const std::uint32_t*, const std::uint32_t*, const PackedPair*,
                      PackedPair*);
template void AddRows(std::span<const std::uint32_t>, const std::uint32_t*, const std::uint16_t*, const WidePair*,
                      WidePair*);
template void AddRows(std::span<const std::uint32_t>, const std::uint32_t*, const std::uint32_t*, const WidePair*,
                      WidePair*);
template void AddDenseRows(std::span<const std::uint32_t>, std::size_t, const std::uint16_t*, const PackedPair*,
                           PackedPair*);
template void AddDenseRows(std::span<const std::uint32_t>, std::size_t, const std::uint16_t*, const WidePair*,
                           WidePair*);
template void Subtract(std::span<PackedPair>, std::span<const PackedPair>);
template void Subtract(std::span<WidePair>, std::span<const WidePair>);
template void Accumulate(std::span<PackedPair>, std::span<const PackedPair>);
template void Accumulate(std::span<WidePair>, std::span<const WidePair>);

}  // namespace espalier::kernels
