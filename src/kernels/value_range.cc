#include "kernels/value_range.h"

#include <cstddef>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/value_range.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace espalier::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

ValueRange Range(std::span<const float> values) {
    const hn::ScalableTag<float> d;
    const hn::RebindToSigned<decltype(d)> di;
    const ValueRange none;
    auto lowest = hn::Set(d, none.lowest);
    auto highest = hn::Set(d, none.highest);
    auto num_zeros = hn::Zero(di);
    auto num_missing = hn::Zero(di);
    const std::size_t lanes = hn::Lanes(d);
    std::size_t i = 0;
    for (; i + lanes <= values.size(); i += lanes) {
        const auto value = hn::LoadU(d, values.data() + i);
        // Comparisons with NaN are false, so it changes nothing.
        lowest = hn::IfThenElse(hn::Lt(value, lowest), value, lowest);
        highest = hn::IfThenElse(hn::Gt(value, highest), value, highest);
        num_zeros = hn::Sub(num_zeros, hn::BitCast(di, hn::VecFromMask(d, hn::Eq(value, hn::Zero(d)))));
        num_missing = hn::Sub(num_missing, hn::BitCast(di, hn::VecFromMask(d, hn::IsNaN(value))));
    }
    ValueRange range;
    range.lowest = hn::GetLane(hn::MinOfLanes(d, lowest));
    range.highest = hn::GetLane(hn::MaxOfLanes(d, highest));
    range.num_zeros = static_cast<std::uint32_t>(hn::GetLane(hn::SumOfLanes(di, num_zeros)));
    range.num_missing = static_cast<std::uint32_t>(hn::GetLane(hn::SumOfLanes(di, num_missing)));
    for (; i < values.size(); ++i) {
        const float value = values[i];
        range.lowest = value < range.lowest ? value : range.lowest;
        range.highest = value > range.highest ? value : range.highest;
        range.num_zeros += value == 0.0F ? 1 : 0;
        range.num_missing += value != value ? 1 : 0;
    }
    return range;
}

}  // namespace espalier::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace espalier::kernels {

HWY_EXPORT(Range);

ValueRange RangeOf(std::span<const float> values) {
    return HWY_DYNAMIC_DISPATCH(Range)(values);
}

}  // namespace espalier::kernels
#endif  // HWY_ONCE
