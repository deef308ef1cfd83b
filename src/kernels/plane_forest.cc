#include "kernels/plane_forest.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/plane_forest.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace espalier::kernels::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

// One lane holds no byte's bits.
void Apply(const PlaneForest& forest, const float* values, std::size_t num_rows, std::uint8_t* planes, float* margins) {
    AddPlaneLeavesScalar(forest, values, num_rows, planes, margins);
}

#else

namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, 16>;
using Bytes = hn::Repartition<std::uint8_t, Floats>;
using Quad = hn::FixedTag<float, 4>;
constexpr std::size_t kQuad = 4;

/// Four vectors of rows become one of bytes, whose order is that of the planes' bits: the eight bytes from
/// 8 (2 block + v) on are, by turns, the rows of 128-bit block `block` of vector v and of vector v + 2 (v: 0 or 1).
HWY_INLINE hn::Vec<Bytes> BytesOf(hn::Vec<Floats> v0, hn::Vec<Floats> v1, hn::Vec<Floats> v2, hn::Vec<Floats> v3) {
    const hn::RebindToSigned<Floats> di;
    const hn::Repartition<std::int16_t, Floats> ds;
    const auto even = hn::ReorderDemote2To(ds, hn::BitCast(di, v0), hn::BitCast(di, v1));
    const auto odd = hn::ReorderDemote2To(ds, hn::BitCast(di, v2), hn::BitCast(di, v3));
    return hn::OddEven(hn::BitCast(Bytes(), odd), hn::BitCast(Bytes(), even));
}

/// The plane of one condition: a bit of `bits` for each row that right_of(row vector) tells to go right.
template <typename RightOf>
HWY_INLINE void ComparePlane(std::size_t num_rows, std::uint8_t* bits, const RightOf& right_of) {
    const std::size_t lanes = hn::Lanes(Floats());
    const auto mask_of = [&](std::size_t row) HWY_ATTR { return hn::VecFromMask(Floats(), right_of(row)); };
#pragma GCC unroll 2
    for (std::size_t row = 0; row < num_rows; row += 4 * lanes) {
        const auto bytes =
            BytesOf(mask_of(row), mask_of(row + lanes), mask_of(row + 2 * lanes), mask_of(row + 3 * lanes));
        hn::StoreMaskBits(Bytes(), hn::MaskFromVec(bytes), bits + row / 8);
    }
}

void CompareColumn(const PlaneForest& forest, std::size_t column, const float* values, std::size_t num_rows,
                   std::uint8_t* planes) {
    const Floats d;
    for (std::size_t c = forest.first_conditions[column]; c < forest.first_conditions[column + 1]; ++c) {
        const auto threshold = hn::Set(d, forest.conditions[c].threshold);
        std::uint8_t* const bits = planes + c * kPlaneBytes;
        if (forest.conditions[c].default_left) {
            ComparePlane(num_rows, bits,
                         [&](std::size_t row) HWY_ATTR { return hn::Ge(hn::Load(d, values + row), threshold); });
        } else {
            ComparePlane(num_rows, bits, [&](std::size_t row) HWY_ATTR {
                return hn::Not(hn::Lt(hn::Load(d, values + row), threshold));
            });
        }
    }
}

void Select(const PlaneSelect* selects, std::size_t num_selects, std::uint8_t* planes) {
    const hn::CappedTag<std::uint64_t, kPlaneBytes / 8> d;
    const auto plane = [&](std::uint32_t which) {
        return reinterpret_cast<std::uint64_t*>(planes + which * kPlaneBytes);
    };
    for (std::size_t i = 0; i < num_selects; ++i) {
        const PlaneSelect& select = selects[i];
        for (std::size_t word = 0; word < kPlaneBytes / 8; word += hn::Lanes(d)) {
            const auto condition = hn::Load(d, plane(select.condition) + word);
            const auto right = hn::And(condition, hn::Load(d, plane(select.right) + word));
            const auto left = hn::AndNot(condition, hn::Load(d, plane(select.left) + word));
            hn::Store(hn::Or(right, left), d, plane(select.out) + word);
        }
    }
}

/// margins += leaves[numbers[0]], leaves[numbers[2]], …: inserting lanes takes half the time of a gather (Zen 3).
HWY_INLINE void AddQuad(const float* leaves, std::uint64_t numbers, float* margins) {
    const auto leaf = [&](int place) { return leaves[numbers >> (16 * place) & 0xFF]; };
    auto quad = hn::Set(Quad(), leaf(0));
    quad = hn::InsertLane(quad, 1, leaf(1));
    quad = hn::InsertLane(quad, 2, leaf(2));
    quad = hn::InsertLane(quad, 3, leaf(3));
    hn::StoreU(hn::Add(hn::LoadU(Quad(), margins), quad), Quad(), margins);
}

void AddLeaves(const PlaneTree& tree, const float* leaves, std::size_t num_rows, const std::uint8_t* planes,
               float* margins) {
    const std::size_t lanes = hn::Lanes(Floats());
    const float* const own = leaves + tree.first_leaf;
    for (std::size_t row = 0; row < num_rows; row += 4 * lanes) {
        auto numbers = hn::Zero(Bytes());
        for (std::size_t k = tree.depth; k-- > 0;) {
            std::uint8_t bits[8] = {};
            __builtin_memcpy(bits, planes + tree.bits[k] * kPlaneBytes + row / 8, 4 * lanes / 8);
            // A mask is -1 in bytes, so this appends a bit.
            const auto mask = hn::VecFromMask(Bytes(), hn::LoadMaskBits(Bytes(), bits));
            numbers = hn::Sub(hn::Add(numbers, numbers), mask);
        }
        alignas(64) std::uint64_t words[8];
        hn::Store(hn::BitCast(hn::Repartition<std::uint64_t, Bytes>(), numbers),
                  hn::Repartition<std::uint64_t, Bytes>(), words);
        for (std::size_t i = 0; i < lanes / 2; ++i) {
            float* const at = margins + row + i % 2 * lanes + i / 2 * kQuad;
            AddQuad(own, words[i], at);
            AddQuad(own, words[i] >> 8, at + 2 * lanes);
        }
    }
}

void Apply(const PlaneForest& forest, const float* values, std::size_t num_rows, std::uint8_t* planes, float* margins) {
    // Whole words of 64 rows; every vector divides them.
    const std::size_t rows = (num_rows + 63) / 64 * 64;
    for (std::size_t column = 0; column < forest.num_columns; ++column)
        CompareColumn(forest, column, values + column * kPlaneStride, rows, planes);
    for (std::size_t t = 0; t < forest.num_trees; ++t) {
        const PlaneTree& tree = forest.trees[t];
        Select(forest.selects + tree.first_select, tree.num_selects, planes);
        AddLeaves(tree, forest.leaves, rows, planes, margins + tree.group * kPlaneRows);
    }
}

#endif  // HWY_TARGET == HWY_SCALAR

}  // namespace espalier::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace espalier::kernels {

HWY_EXPORT(Apply);

void AddPlaneLeaves(const PlaneForest& forest, const float* values, std::size_t num_rows, std::uint8_t* planes,
                    float* margins) {
    HWY_DYNAMIC_DISPATCH(Apply)(forest, values, num_rows, planes, margins);
}

}  // namespace espalier::kernels
#endif  // HWY_ONCE
