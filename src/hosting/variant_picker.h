// Which variant takes a request, and which requests are mirrored and captured.
//
// Every request of an endpoint draws a number n from one counter and with it a point (x, y, z) of a low-discrepancy
// sequence in the unit cube: x picks the variant, y decides mirroring, z decides capture. A fourth coordinate, the
// multiples of the golden ratio, picks the fleet while an update is rolled out. So a weight of 30 % gives 30
// % of any long run to within a few requests, not to within the noise of dice, and the three choices do not correlate.
// Source: the additive recurrence of M. Roberts, "The Unreasonable Effectiveness of Quasirandom Sequences", with the
// root of t^4 = t + 1 as generalised golden ratio. Thread-safe: no lock, one atomic addition a request.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace espalier::hosting {

/// A point of the unit cube; each coordinate is a fraction of 2^64.
struct TrafficPoint {
    std::uint64_t pick = 0;
    std::uint64_t mirror = 0;
    std::uint64_t capture = 0;
    std::uint64_t fleet = 0;
};

class TrafficSequence {
  public:
    TrafficPoint Next();

  private:
    std::atomic<std::uint64_t> next_{1};
};

/// A share of requests in [0, 1] as a bound for a coordinate. Immutable.
class TrafficShare {
  public:
    TrafficShare() = default;
    /// Clamped to [0, 1].
    explicit TrafficShare(double share);
    bool Takes(std::uint64_t coordinate) const { return all_ || coordinate < bound_; }

  private:
    bool all_ = false;
    std::uint64_t bound_ = 0;
};

/// Splits the unit interval by weights. Immutable.
class VariantPicker {
  public:
    VariantPicker() = default;
    /// weights >= 0, finite.
    explicit VariantPicker(std::span<const double> weights);
    /// Index of the variant that takes a request; nullopt when every weight is 0.
    std::optional<std::size_t> Pick(std::uint64_t coordinate) const;

  private:
    struct Slice {
        std::uint64_t last;  ///< the highest coordinate that belongs to it
        std::size_t variant_idx;
    };
    std::vector<Slice> slices_;  // variants of weight 0 have none
};

}  // namespace espalier::hosting
