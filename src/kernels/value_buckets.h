// Many floats by the high bits of their values: counted in buckets, and picked out of some of them.
//
// Nouns: BucketMap (from values to buckets, rising). A bucket holds the values whose bits agree but for the lowest, so
// buckets are as wide as values are large; about 0 many octaves hold next to no values, so what is smaller than a floor
// goes to one bucket. Which bucket is computed a vector at a time. About 1 ns a value while the counts that are in use
// fit the second cache. Oracle: BucketMap::BucketOf. Thread-safe: pure functions.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace espalier::kernels {

struct BucketMap {
    std::uint32_t floor = 0;  ///< bits of the greatest magnitude that counts as 0
    std::int32_t lowest = 0;  ///< place of the lowest value
    int shift = 0;            ///< low bits of places that don't count

    /// Of numbers from `low` to `high`: fewer than 2^bucket_bits buckets.
    static BucketMap Of(float low, float high, int bucket_bits);

    /// A number of the same order as the value's, but for what the floor takes.
    std::int32_t PlaceOf(float value) const {
        const auto bits = std::bit_cast<std::uint32_t>(value);
        const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
        const auto above = static_cast<std::int32_t>(magnitude > floor ? magnitude - floor : 0);
        return bits >> 31 != 0 ? -above : above;
    }
    std::uint32_t BucketOf(float value) const {
        return (static_cast<std::uint32_t>(PlaceOf(value)) - static_cast<std::uint32_t>(lowest)) >> shift;
    }
    /// The highest value below a bucket's that is not the lowest one's.
    float Below(std::uint32_t bucket) const;
};

/// ++counts[bucket] for each value. counts: [buckets], they wrap around.
void CountInBuckets(std::span<const float> values, const BucketMap& map, std::uint16_t* counts);

/// The values of chosen buckets, as OrderedBits (kernels/key_sort.h) in the order they stand there. chosen: a bit a
/// bucket, so that it fits the first cache. Returns the place behind the last; one more may be written to.
std::uint32_t* CopyChosen(std::span<const float> values, const BucketMap& map, const std::uint32_t* chosen,
                          std::uint32_t* keys);

}  // namespace espalier::kernels
