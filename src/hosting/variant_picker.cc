#include "hosting/variant_picker.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace espalier::hosting {
namespace {

// 2^64 / r, 2^64 / r^2 and 2^64 / r^3 with r = 1.2207440846057594754, the root of t^4 = t + 1, rounded to odd numbers
// so that each coordinate runs through all of 2^64.
constexpr std::uint64_t kPickStep = 0xD1B54A32D192ED03;
constexpr std::uint64_t kMirrorStep = 0xABC98388FB8FAC03;
constexpr std::uint64_t kCaptureStep = 0x8CB92BA72F3D8DD7;
// 2^64 / the golden ratio, rounded to odd; no rational combination of the three above.
constexpr std::uint64_t kFleetStep = 0x9E3779B97F4A7C15;

constexpr double kTwoTo64 = 18446744073709551616.0;

}  // namespace

TrafficPoint TrafficSequence::Next() {
    const std::uint64_t n = next_.fetch_add(1, std::memory_order_relaxed);
    return {.pick = n * kPickStep, .mirror = n * kMirrorStep, .capture = n * kCaptureStep, .fleet = n * kFleetStep};
}

TrafficShare::TrafficShare(double share) {
    if (share >= 1.0) {
        all_ = true;
    } else if (share > 0.0) {
        bound_ = static_cast<std::uint64_t>(share * kTwoTo64);
    }
}

VariantPicker::VariantPicker(std::span<const double> weights) {
    double largest = 0;
    for (double weight : weights) {
        CHECK(weight >= 0 && std::isfinite(weight), "weight {}", weight);
        largest = std::max(largest, weight);
    }
    if (largest <= 0) return;
    // Weights relative to the largest, so that no sum of huge ones is infinite.
    double total = 0;
    for (double weight : weights) total += weight / largest;
    double below = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
        if (weights[i] <= 0) continue;
        below += weights[i] / largest;
        const double edge = below / total * kTwoTo64;
        slices_.push_back({edge >= kTwoTo64 ? UINT64_MAX : static_cast<std::uint64_t>(edge), i});
    }
    slices_.back().last = UINT64_MAX;
}

std::optional<std::size_t> VariantPicker::Pick(std::uint64_t coordinate) const {
    for (const Slice& slice : slices_)
        if (coordinate <= slice.last) return slice.variant_idx;
    return std::nullopt;
}

}  // namespace espalier::hosting
