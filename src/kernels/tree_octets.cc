#include "kernels/tree_octets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/tree_octets.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace espalier::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::CappedTag<float, kOctet>;
using Places = hn::RebindToSigned<Floats>;

/// kTogether times hn::Lanes(Floats()) trees, beginning at lane `lane` of the first octet; a lane's part of the octets
/// lies `stride` numbers further for each.
template <std::size_t kTogether>
HWY_INLINE void WalkTogether(const TreeOctets& octets, std::size_t first, std::size_t lane, const float* row,
                             float* out) {
    const Floats d;
    const Places di;
    const std::size_t num_internal = (std::size_t{1} << octets.depth) - 1;
    const float* conditions[kTogether];
    const std::int32_t* columns[kTogether];
    hn::Vec<Places> at[kTogether];  // node x 8 + lane
    const auto lanes = hn::Iota(di, static_cast<std::int32_t>(lane));
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kTogether; ++i) {
        conditions[i] = octets.conditions + (first + i) * num_internal * kOctet;
        columns[i] = reinterpret_cast<const std::int32_t*>(octets.columns) + (first + i) * num_internal * kOctet;
        at[i] = lanes;
    }
    const auto in_row = hn::Set(di, static_cast<std::int32_t>(~kMissingGoesLeft));
    // Of node n, lane l: 8 n + l -> 8 (2 n + 2) + l, or one node less for the left child.
    const auto to_right = hn::Sub(hn::Set(di, 2 * static_cast<std::int32_t>(kOctet)), lanes);
    const auto one_less = hn::Set(di, static_cast<std::int32_t>(kOctet));
    for (int level = 0; level < octets.depth; ++level) {
#pragma GCC unroll 4
        for (std::size_t i = 0; i < kTogether; ++i) {
            const auto column = level == 0 ? hn::LoadU(di, columns[i] + lane) : hn::GatherIndex(di, columns[i], at[i]);
            const auto condition =
                level == 0 ? hn::LoadU(d, conditions[i] + lane) : hn::GatherIndex(d, conditions[i], at[i]);
            const auto value = hn::GatherIndex(d, row, hn::And(column, in_row));
            const auto missing_left = hn::And(hn::IsNaN(value), hn::RebindMask(d, hn::Lt(column, hn::Zero(di))));
            const auto left = hn::Or(hn::Lt(value, condition), missing_left);
            const auto right_child = hn::Add(hn::Add(at[i], at[i]), to_right);
            at[i] = hn::Sub(right_child, hn::IfThenElseZero(hn::RebindMask(di, left), one_less));
        }
    }
    const auto to_leaf = hn::Set(di, static_cast<std::int32_t>(num_internal * kOctet));
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kTogether; ++i) {
        const float* leaves = octets.leaves + (first + i) * (num_internal + 1) * kOctet;
        hn::StoreU(hn::GatherIndex(d, leaves, hn::Sub(at[i], to_leaf)), d, out + (first + i) * kOctet + lane);
    }
}

void Walk(const TreeOctets& octets, const float* row, float* out) {
    constexpr std::size_t kTogether = 4;
    for (std::size_t lane = 0; lane < kOctet; lane += hn::Lanes(Floats())) {
        std::size_t first = 0;
        for (; first + kTogether <= octets.num_octets; first += kTogether)
            WalkTogether<kTogether>(octets, first, lane, row, out);
        for (; first < octets.num_octets; ++first) WalkTogether<1>(octets, first, lane, row, out);
    }
}

}  // namespace espalier::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace espalier::kernels {

HWY_EXPORT(Walk);

void WalkOctets(const TreeOctets& octets, const float* row, float* out) {
    HWY_DYNAMIC_DISPATCH(Walk)(octets, row, out);
}

}  // namespace espalier::kernels
#endif  // HWY_ONCE
