#include "kernels/cell_arithmetic.h"

#include <cstddef>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cell_arithmetic.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace espalier::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

void SubtractIntegers(const std::int64_t* parent, const std::int64_t* child, std::size_t size, std::int64_t* sibling) {
    const hn::ScalableTag<std::int64_t> d;
    const std::size_t lanes = hn::Lanes(d);
    std::size_t i = 0;
    for (; i + lanes <= size; i += lanes) {
        hn::StoreU(hn::Sub(hn::LoadU(d, parent + i), hn::LoadU(d, child + i)), d, sibling + i);
    }
    for (; i < size; ++i) sibling[i] = parent[i] - child[i];
}

void AddIntegers(const std::int64_t* a, const std::int64_t* b, std::size_t size, std::int64_t* sum) {
    const hn::ScalableTag<std::int64_t> d;
    const std::size_t lanes = hn::Lanes(d);
    std::size_t i = 0;
    for (; i + lanes <= size; i += lanes) {
        hn::StoreU(hn::Add(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, sum + i);
    }
    for (; i < size; ++i) sum[i] = a[i] + b[i];
}

std::int64_t SumIntegers(const std::int64_t* cells, std::size_t size) {
    const hn::ScalableTag<std::int64_t> d;
    const std::size_t lanes = hn::Lanes(d);
    auto sums = hn::Zero(d);
    auto more_sums = hn::Zero(d);
    std::size_t i = 0;
    for (; i + 2 * lanes <= size; i += 2 * lanes) {
        sums = hn::Add(sums, hn::LoadU(d, cells + i));
        more_sums = hn::Add(more_sums, hn::LoadU(d, cells + i + lanes));
    }
    std::int64_t sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(sums, more_sums)));
    for (; i < size; ++i) sum += cells[i];
    return sum;
}

}  // namespace espalier::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace espalier::kernels {

HWY_EXPORT(SubtractIntegers);
HWY_EXPORT(AddIntegers);
HWY_EXPORT(SumIntegers);

namespace {

const std::int64_t* Integers(std::span<const WidePair> pairs) {
    return reinterpret_cast<const std::int64_t*>(pairs.data());
}

}  // namespace

void Subtract(std::span<const PackedPair> parent, std::span<const PackedPair> child, PackedPair* sibling) {
    HWY_DYNAMIC_DISPATCH(SubtractIntegers)(parent.data(), child.data(), parent.size(), sibling);
}

void Subtract(std::span<const WidePair> parent, std::span<const WidePair> child, WidePair* sibling) {
    HWY_DYNAMIC_DISPATCH(SubtractIntegers)
    (Integers(parent), Integers(child), 2 * parent.size(), reinterpret_cast<std::int64_t*>(sibling));
}

void Add(std::span<const PackedPair> a, std::span<const PackedPair> b, PackedPair* sum) {
    HWY_DYNAMIC_DISPATCH(AddIntegers)(a.data(), b.data(), a.size(), sum);
}

void Add(std::span<const WidePair> a, std::span<const WidePair> b, WidePair* sum) {
    HWY_DYNAMIC_DISPATCH(AddIntegers)(Integers(a), Integers(b), 2 * a.size(), reinterpret_cast<std::int64_t*>(sum));
}

void Accumulate(std::span<PackedPair> total, std::span<const PackedPair> part) {
    Add(total, part, total.data());
}

void Accumulate(std::span<WidePair> total, std::span<const WidePair> part) {
    Add(total, part, total.data());
}

PackedPair SumOf(std::span<const PackedPair> cells) {
    return HWY_DYNAMIC_DISPATCH(SumIntegers)(cells.data(), cells.size());
}

WidePair SumOf(std::span<const WidePair> cells) {
    WidePair sum;
    for (const WidePair& cell : cells) sum += cell;
    return sum;
}

}  // namespace espalier::kernels
#endif  // HWY_ONCE
