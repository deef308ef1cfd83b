#include "kernels/histogram.h"

namespace espalier::kernels {

namespace {

// A row list jumps through memory; 12 rows ahead hides one miss to L3 behind the additions of a typical row.
constexpr std::size_t kPrefetchRows = 12;
// Where a row's cells begin has to be known before they can be asked for: a second miss, asked for earlier still.
constexpr std::size_t kPrefetchOffsets = 2 * kPrefetchRows;
constexpr std::size_t kByteCells = 256;

/// Cells of one row are different cells, so the four additions do not wait for each other.
template <typename Pair, typename Cell>
inline void AddCells(const Cell* at, const Cell* end, Pair pair, Pair* histogram) {
    for (; at + 4 <= end; at += 4) {
        histogram[at[0]] += pair;
        histogram[at[1]] += pair;
        histogram[at[2]] += pair;
        histogram[at[3]] += pair;
    }
    for (; at < end; ++at) histogram[*at] += pair;
}

}  // namespace

template <typename Pair, typename Cell>
void AddRows(std::span<const std::uint16_t> rows, const std::uint32_t* row_offsets, const Cell* cells,
             const Pair* pairs, Pair* histogram) {
    const std::size_t num_rows = rows.size();
    for (std::size_t i = 0; i < num_rows; ++i) {
        if (i + kPrefetchOffsets < num_rows) {
            __builtin_prefetch(row_offsets + rows[i + kPrefetchOffsets]);
            __builtin_prefetch(pairs + rows[i + kPrefetchOffsets]);
            const Cell* ahead = cells + row_offsets[rows[i + kPrefetchRows]];
            __builtin_prefetch(ahead);
            __builtin_prefetch(ahead + 64 / sizeof(Cell));
        }
        const std::size_t row = rows[i];
        AddCells(cells + row_offsets[row], cells + row_offsets[row + 1], pairs[row], histogram);
    }
}

template <typename Pair>
void AddDenseRows(std::span<const std::uint16_t> rows, std::size_t stride, const std::uint16_t* cells,
                  const Pair* pairs, Pair* histogram) {
    const std::size_t num_rows = rows.size();
    for (std::size_t i = 0; i < num_rows; ++i) {
        if (i + kPrefetchRows < num_rows) {
            const std::uint16_t* ahead = cells + rows[i + kPrefetchRows] * stride;
            __builtin_prefetch(ahead);
            __builtin_prefetch(ahead + stride - 1);
            __builtin_prefetch(pairs + rows[i + kPrefetchRows]);
        }
        const std::uint16_t* const at = cells + rows[i] * stride;
        AddCells(at, at + stride, pairs[rows[i]], histogram);
    }
}

template <typename Pair>
void AddByteRows(std::span<const std::uint16_t> rows, std::size_t num_features, std::size_t stride,
                 const std::uint8_t* cells, const Pair* pairs, Pair* histogram) {
    const std::size_t num_rows = rows.size();
    for (std::size_t i = 0; i < num_rows; ++i) {
        if (i + kPrefetchRows < num_rows) {
            const std::uint8_t* ahead = cells + rows[i + kPrefetchRows] * stride;
            __builtin_prefetch(ahead);
            __builtin_prefetch(ahead + num_features - 1);
            __builtin_prefetch(pairs + rows[i + kPrefetchRows]);
        }
        const Pair pair = pairs[rows[i]];
        const std::uint8_t* at = cells + rows[i] * stride;
        const std::uint8_t* const end = at + num_features;
        Pair* sums = histogram;
        // The cells of one row are different, so the additions do not wait for each other.
        for (; at + 4 <= end; at += 4, sums += 4 * kByteCells) {
            sums[at[0]] += pair;
            sums[kByteCells + at[1]] += pair;
            sums[2 * kByteCells + at[2]] += pair;
            sums[3 * kByteCells + at[3]] += pair;
        }
        for (; at < end; ++at, sums += kByteCells) sums[*at] += pair;
    }
}

template void AddRows(std::span<const std::uint16_t>, const std::uint32_t*, const std::uint16_t*, const PackedPair*,
                      PackedPair*);
template void AddRows(std::span<const std::uint16_t>, const std::uint32_t*, const std::uint32_t*, const PackedPair*,
                      PackedPair*);
template void AddRows(std::span<const std::uint16_t>, const std::uint32_t*, const std::uint16_t*, const WidePair*,
                      WidePair*);
template void AddRows(std::span<const std::uint16_t>, const std::uint32_t*, const std::uint32_t*, const WidePair*,
                      WidePair*);
template void AddDenseRows(std::span<const std::uint16_t>, std::size_t, const std::uint16_t*, const PackedPair*,
                           PackedPair*);
template void AddDenseRows(std::span<const std::uint16_t>, std::size_t, const std::uint16_t*, const WidePair*,
                           WidePair*);
template void AddByteRows(std::span<const std::uint16_t>, std::size_t, std::size_t, const std::uint8_t*,
                          const PackedPair*, PackedPair*);
template void AddByteRows(std::span<const std::uint16_t>, std::size_t, std::size_t, const std::uint8_t*,
                          const WidePair*, WidePair*);

}  // namespace espalier::kernels
