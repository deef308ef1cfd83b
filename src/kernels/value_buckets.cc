#include "kernels/value_buckets.h"

#include <algorithm>
#include <cmath>

#include "kernels/key_sort.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/value_buckets.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace espalier::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Lanes = hn::CappedTag<std::int32_t, 16>;

HWY_INLINE void FindBuckets(Lanes d, const float* values, const BucketMap& map, std::uint32_t* buckets) {
    const hn::RebindToUnsigned<Lanes> du;
    const auto bits = hn::BitCast(d, hn::LoadU(hn::RebindToFloat<Lanes>(), values));
    const auto magnitude = hn::And(bits, hn::Set(d, 0x7FFFFFFF));
    const auto above = hn::Max(hn::Sub(magnitude, hn::Set(d, static_cast<std::int32_t>(map.floor))), hn::Zero(d));
    const auto sign = hn::ShiftRight<31>(bits);
    const auto place = hn::Sub(hn::Xor(above, sign), sign);
    const auto from_lowest = hn::BitCast(du, hn::Sub(place, hn::Set(d, map.lowest)));
    hn::StoreU(hn::ShiftRightSame(from_lowest, map.shift), du, buckets);
}

void Count(std::span<const float> values, const BucketMap& map, std::uint16_t* counts) {
    const Lanes d;
    const std::size_t lanes = hn::Lanes(d);
    std::uint32_t buckets[hn::MaxLanes(d)];
    std::size_t i = 0;
    for (; i + lanes <= values.size(); i += lanes) {
        FindBuckets(d, values.data() + i, map, buckets);
        for (std::size_t lane = 0; lane < lanes; ++lane) ++counts[buckets[lane]];
    }
    for (; i < values.size(); ++i) ++counts[map.BucketOf(values[i])];
}

HWY_INLINE std::uint32_t IsChosen(const std::uint32_t* chosen, std::uint32_t bucket) {
    return chosen[bucket / 32] >> bucket % 32 & 1;
}

std::uint32_t* Copy(std::span<const float> values, const BucketMap& map, const std::uint32_t* chosen,
                    std::uint32_t* keys) {
    const Lanes d;
    const std::size_t lanes = hn::Lanes(d);
    const hn::RebindToUnsigned<Lanes> du;
    std::uint32_t buckets[hn::MaxLanes(d)];
    std::uint32_t ordered[hn::MaxLanes(d)];
    // Each key is written, and the next over it unless it was chosen: which are is anybody's guess.
    std::size_t i = 0;
    for (; i + lanes <= values.size(); i += lanes) {
        FindBuckets(d, values.data() + i, map, buckets);
        const auto bits = hn::BitCast(d, hn::LoadU(hn::RebindToFloat<Lanes>(), values.data() + i));
        const auto flips = hn::Or(hn::BitCast(du, hn::ShiftRight<31>(bits)), hn::Set(du, 0x80000000U));
        hn::StoreU(hn::Xor(hn::BitCast(du, bits), flips), du, ordered);
        for (std::size_t lane = 0; lane < lanes; ++lane) {
            *keys = ordered[lane];
            keys += IsChosen(chosen, buckets[lane]);
        }
    }
    for (; i < values.size(); ++i) {
        *keys = OrderedBits(values[i]);
        keys += IsChosen(chosen, map.BucketOf(values[i]));
    }
    return keys;
}

}  // namespace espalier::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace espalier::kernels {

HWY_EXPORT(Count);
HWY_EXPORT(Copy);

BucketMap BucketMap::Of(float low, float high, int bucket_bits) {
    // So many octaves below the greatest magnitude a value is one in a thousand million, if it comes near 0 at all.
    constexpr int kOctaves = 30;
    BucketMap map;
    if (low < 0 && high > 0) map.floor = std::bit_cast<std::uint32_t>(std::ldexp(std::max(-low, high), -kOctaves));
    map.lowest = map.PlaceOf(low);
    const auto range = static_cast<std::uint32_t>(map.PlaceOf(high)) - static_cast<std::uint32_t>(map.lowest);
    map.shift = std::max(0, static_cast<int>(std::bit_width(range)) - bucket_bits);
    return map;
}

float BucketMap::Below(std::uint32_t bucket) const {
    const auto place = static_cast<std::int32_t>(static_cast<std::uint32_t>(lowest) + (bucket << shift)) - 1;
    if (place == 0) return 0;
    const auto magnitude = static_cast<std::uint32_t>(place < 0 ? -place : place) + floor;
    return std::bit_cast<float>(magnitude | (place < 0 ? 0x80000000U : 0));
}

void CountInBuckets(std::span<const float> values, const BucketMap& map, std::uint16_t* counts) {
    HWY_DYNAMIC_DISPATCH(Count)(values, map, counts);
}

std::uint32_t* CopyChosen(std::span<const float> values, const BucketMap& map, const std::uint32_t* chosen,
                          std::uint32_t* keys) {
    return HWY_DYNAMIC_DISPATCH(Copy)(values, map, chosen, keys);
}

}  // namespace espalier::kernels
#endif  // HWY_ONCE
