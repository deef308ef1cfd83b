#include "kernels/plane_forest.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/plane_forest.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace espalier::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// The plane of one condition: a bit of `bits` for each row that right_of(row vector) tells to go right.
template <typename RightOf>
HWY_INLINE void ComparePlane(std::size_t num_rows, std::uint8_t* bits, const RightOf& right_of) {
    const hn::CappedTag<float, 16> d;
    constexpr std::size_t kBitsOfByte = 8;
    const std::size_t lanes = hn::Lanes(d);
    if (lanes >= kBitsOfByte) {
#pragma GCC unroll 8
        for (std::size_t row = 0; row < num_rows; row += lanes)
            hn::StoreMaskBits(d, right_of(row), bits + row / kBitsOfByte);
        return;
    }
    for (std::size_t row = 0; row < num_rows; row += kBitsOfByte) {
        // Narrow vectors give parts of a byte.
        unsigned byte = 0;
        for (std::size_t lane = 0; lane < kBitsOfByte; lane += lanes) {
            std::uint8_t part[8] = {};
            hn::StoreMaskBits(d, right_of(row + lane), part);
            byte |= static_cast<unsigned>(part[0]) << lane;
        }
        bits[row / kBitsOfByte] = static_cast<std::uint8_t>(byte);
    }
}

void CompareColumn(const PlaneForest& forest, std::size_t column, const float* values, std::size_t num_rows,
                   std::uint8_t* planes) {
    const hn::CappedTag<float, 16> d;
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

void AddLeaves(const PlaneTree& tree, const float* leaves, std::size_t num_rows, const std::uint8_t* planes,
               float* margins) {
    const hn::CappedTag<float, 16> d;
    const hn::RebindToSigned<decltype(d)> di;
    const hn::Rebind<std::uint8_t, decltype(d)> narrow;
    const hn::CappedTag<std::uint8_t, 64> wide;
    alignas(64) std::uint8_t numbers[kPlaneRows];
    for (std::size_t row = 0; row < num_rows; row += hn::Lanes(wide)) {
        auto number = hn::Zero(wide);
        for (std::size_t k = 0; k < tree.depth; ++k) {
            std::uint8_t bits[8];
            __builtin_memcpy(bits, planes + tree.bits[k] * kPlaneBytes + row / 8, (hn::Lanes(wide) + 7) / 8);
            const auto mask = hn::LoadMaskBits(wide, bits);
            number = hn::Or(number, hn::IfThenElseZero(mask, hn::Set(wide, static_cast<std::uint8_t>(1U << k))));
        }
        hn::Store(number, wide, numbers + row);
    }
    for (std::size_t row = 0; row < num_rows; row += hn::Lanes(d)) {
        const auto number = hn::PromoteTo(di, hn::Load(narrow, numbers + row));
        const auto leaf = hn::GatherIndex(d, leaves + tree.first_leaf, number);
        hn::Store(hn::Add(hn::Load(d, margins + row), leaf), d, margins + row);
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
