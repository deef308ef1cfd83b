// Rows of features as they come from a file or a request, before binning; what every parser makes and what training and
// prediction read.
//
// Shape: compressed sparse rows. Entry e of row r lies in [row_offsets[r], row_offsets[r + 1]), feature indices rising
// and unique within a row. A stored value is present, also when it is 0; an entry that is not stored is missing. Values
// are never NaN: a NaN in the input is not stored (XGBoost: NaN is missing). Infinite values are refused by the
// parsers. Thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

namespace espalier::data {

/// std::allocator, except that resize() leaves new numbers unset: parsers size an array for the worst case, write, and
/// cut it to what they wrote, and pages nobody wrote to cost nothing.
template <typename T>
struct UnsetAllocator : std::allocator<T> {
    template <typename U>
    struct rebind {
        using other = UnsetAllocator<U>;
    };
    template <typename U>
    void construct(U* place) noexcept {
        static_assert(std::is_trivially_default_constructible_v<U>);
        ::new (static_cast<void*>(place)) U;
    }
    template <typename U, typename... Arguments>
    void construct(U* place, Arguments&&... arguments) {
        ::new (static_cast<void*>(place)) U(std::forward<Arguments>(arguments)...);
    }
};

template <typename T>
using EntryVector = std::vector<T, UnsetAllocator<T>>;

/// No source may name a feature beyond this index: the model formats store signed 32-bit indices and a count.
inline constexpr std::uint32_t kFeatureIdxMax = 2147483645U;

enum class FeatureType : std::uint8_t {
    kNumeric,
    kCategorical,  ///< values are numbers of categories: 0, 1, 2, …
};

struct FeatureRows {
    std::vector<std::uint64_t> row_offsets = {0};  ///< [rows + 1]
    EntryVector<std::uint32_t> feature_idx;        ///< [entries]
    EntryVector<float> values;                     ///< [entries] f32
    std::uint32_t num_features = 0;                ///< highest feature index + 1, or the number of CSV columns
    std::vector<FeatureType> feature_types;        ///< [features], or empty: the source names no types, all are numeric

    std::size_t num_rows() const { return row_offsets.size() - 1; }
    std::size_t num_entries() const { return values.size(); }

    /// No rows any more; the memory is kept, so a reused batch stops allocating once it has seen its largest request.
    void Clear() {
        row_offsets.resize(1);
        feature_idx.clear();
        values.clear();
        num_features = 0;
        feature_types.clear();
    }
};

/// Feature rows with what supervised learning adds to them.
struct LabeledRows {
    FeatureRows rows;
    std::vector<float> labels;             ///< [rows]
    std::vector<float> weights;            ///< [rows], or empty: every weight is 1
    std::vector<std::uint64_t> query_ids;  ///< [rows] qid of libsvm rows, or empty: the source names no queries

    void Clear() {
        rows.Clear();
        labels.clear();
        weights.clear();
        query_ids.clear();
    }
};

}  // namespace espalier::data
