#include "kernels/split_scan.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/split_sieve.h"

namespace espalier::kernels {

namespace {

// Prefixes are sieved in pieces of this many, so that the scratch stays in the L1 cache.
constexpr std::size_t kPieceBins = 512;
// The sieve rounds otherwise than the decision: a candidate that ties there differs by at most a few 2^-24.
constexpr double kGenerous = 1e-5;
// Beyond it, the products of a sieve in float could overflow.
constexpr double kLambdaMax = static_cast<double>(std::int64_t{1} << 60);

PackedPair PairOf(const WidePair& sum, PackedPair) {
    return Pack(sum.g, sum.h);
}
WidePair PairOf(const WidePair& sum, WidePair) {
    return sum;
}
SplitSieve SieveFor(PackedPair) {
    return {};
}
WideSplitSieve SieveFor(WidePair) {
    return {};
}

/// Prefix sums of one direction, sieved and decided piece by piece.
template <typename Pair>
class Scan {
  public:
    Scan(const GainParams& params, WidePair total, float node_gain, std::uint32_t feature, float floor)
        : params_(params), total_(total), node_gain_(node_gain) {
        best_.feature = feature;
        best_.loss_change = floor;
        // gain = (g unit_g)^2 / (h unit_h + lambda): in integer units the bar is scaled by unit_h / unit_g^2.
        scale_ = params.hess_unit / (params.grad_unit * params.grad_unit);
        sieve_.total_g = static_cast<Integer>(total.g);
        sieve_.total_h = static_cast<Integer>(total.h);
        // The greatest integer is never reached by both sides.
        sieve_.hess_min =
            static_cast<Integer>(std::min(std::ceil(static_cast<double>(params.min_child_weight) / params.hess_unit),
                                          static_cast<double>(std::numeric_limits<Integer>::max() / 2)));
        sieve_.lambda = static_cast<Float>(static_cast<double>(params.lambda) / params.hess_unit);
        // With a limit on the weight, alpha makes a gain no greater than it would be without both.
        sieve_.alpha =
            static_cast<Float>(params.max_delta_step != 0 ? 0.0 : static_cast<double>(params.alpha) / params.grad_unit);
    }

    /// Forward: prefix of bins 0 … bin. Returns the sum of all bins.
    Pair Forward(const Pair* bins, std::size_t num_bins) {
        Pair prefix{};
        for (std::size_t begin = 0; begin < num_bins; begin += kPieceBins) {
            const std::size_t size = std::min(num_bins - begin, kPieceBins);
            for (std::size_t i = 0; i < size; ++i) {
                prefix += bins[begin + i];
                prefixes_[i] = prefix;
            }
            Decide(size, false, [=](std::size_t i) { return static_cast<std::int32_t>(begin + i); });
        }
        return prefix;
    }

    /// Backward: everything but the bins from `bin` on, missing included.
    void Backward(const Pair* bins, std::size_t num_bins) {
        Pair rest = PairOf(total_, Pair{});
        for (std::size_t end = num_bins; end > 0; end -= std::min(end, kPieceBins)) {
            const std::size_t size = std::min(end, kPieceBins);
            for (std::size_t i = 0; i < size; ++i) {
                rest -= bins[end - 1 - i];
                prefixes_[i] = rest;
            }
            Decide(size, true, [=](std::size_t i) { return static_cast<std::int32_t>(end - 1 - i) - 1; });
        }
    }

    const SplitCandidate& best() const { return best_; }
    bool any_heavy() const { return any_heavy_; }

  private:
    using Sieve = decltype(SieveFor(Pair{}));
    using Integer = decltype(Sieve::total_g);
    using Float = decltype(Sieve::bar);

    template <typename BinOf>
    void Decide(std::size_t size, bool default_left, BinOf bin_of) {
        std::fill(prefixes_ + size, prefixes_ + (size + 7) / 8 * 8, prefixes_[size - 1]);
        const double bar = static_cast<double>(node_gain_) + static_cast<double>(best_.loss_change);
        sieve_.bar = static_cast<Float>((bar - kGenerous * bar) * scale_);
        any_heavy_ = FindPassingSplits(sieve_, prefixes_, size, passed_) || any_heavy_;
        Pair before{};  // An empty bin repeats the prefix before it.
        for (std::size_t block = 0; block * 8 < size; ++block) {
            for (unsigned bits = passed_[block]; bits != 0; bits &= bits - 1) {
                const std::size_t i = block * 8 + static_cast<std::size_t>(__builtin_ctz(bits));
                if (i >= size) break;
                if (prefixes_[i] == before) continue;
                before = prefixes_[i];
                const WidePair left{SumG(before), SumH(before)};
                const float loss_change = SplitLossChange(params_, total_, node_gain_, left);
                if (!(loss_change > best_.loss_change)) continue;
                best_.loss_change = loss_change;
                best_.bin = bin_of(i);
                best_.default_left = default_left;
                best_.left = left;
            }
        }
    }

    const GainParams& params_;
    const WidePair total_;
    const float node_gain_;
    double scale_ = 1;
    Sieve sieve_{};
    SplitCandidate best_;
    bool any_heavy_ = false;
    Pair prefixes_[kPieceBins + 8];
    std::uint8_t passed_[kPieceBins / 8 + 1];
};

}  // namespace

template <typename Pair>
bool ScanFeature(const GainParams& params, const Pair* bins, std::size_t num_bins, WidePair total, float node_gain,
                 std::uint32_t feature, SplitCandidate& best, ScanKind kind) {
    if (static_cast<double>(params.lambda) / params.hess_unit > kLambdaMax) {
        ScanFeatureScalar(params, bins, num_bins, total, node_gain, feature, best, kind);
        return true;
    }
    // A lower feature wins a tie: it has to reach the best, a higher one has to beat it.
    float floor = params.loss_change_floor;
    if (best.found() && best.feature < feature) floor = std::max(floor, best.loss_change);
    Scan<Pair> scan(params, total, node_gain, feature, floor);
    if (kind == ScanKind::kHist) {
        if (!(scan.Forward(bins, num_bins) == PairOf(total, Pair{}))) scan.Backward(bins, num_bins);
    } else {
        if (kind == ScanKind::kBothWays) scan.Forward(bins, num_bins);
        scan.Backward(bins, num_bins);
    }
    if (scan.best().loss_change > floor && best.IsBeatenBy(scan.best())) {
        best = scan.best();
        if (kind != ScanKind::kHist) FindNeighbours(bins, num_bins, best);
    }
    return scan.any_heavy();
}

template bool ScanFeature(const GainParams&, const PackedPair*, std::size_t, WidePair, float, std::uint32_t,
                          SplitCandidate&, ScanKind);
template bool ScanFeature(const GainParams&, const WidePair*, std::size_t, WidePair, float, std::uint32_t,
                          SplitCandidate&, ScanKind);

}  // namespace espalier::kernels
