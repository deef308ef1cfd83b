#include "kernels/split_scan.h"

#include <algorithm>

#include "kernels/split_sieve.h"

namespace espalier::kernels {

namespace {

// Prefixes are sieved in pieces of this many, so that the scratch stays in the L1 cache.
constexpr std::size_t kPieceBins = 512;
// The sieve computes in double, the decision in float: a candidate that ties in float differs by at most a few 2^-24.
constexpr double kGenerous = 1e-5;

/// Prefix sums of one direction over the bins that are not empty, sieved and decided piece by piece.
class PackedScan {
  public:
    PackedScan(const GainParams& params, WidePair total, float node_gain, std::uint32_t feature, float floor)
        : params_(params), total_(total), node_gain_(node_gain) {
        best_.feature = feature;
        best_.loss_change = floor;
        // gain = (g unit_g)^2 / (h unit_h + lambda): in integer units the bar is scaled by unit_h / unit_g^2.
        const double grad_unit = params.grad_unit;
        scale_ = params.hess_unit / (grad_unit * grad_unit);
        sieve_.total_g = static_cast<double>(total.g);
        sieve_.total_h = static_cast<double>(total.h);
        sieve_.lambda = static_cast<double>(params.lambda) / params.hess_unit;
        sieve_.hess_min = static_cast<double>(params.min_child_weight) / params.hess_unit;
    }

    /// Forward: prefix of bins 0 … bin. Returns the sum of all bins.
    PackedPair Forward(const PackedPair* bins, std::size_t num_bins) {
        PackedPair prefix = 0;
        for (std::size_t bin = 0; bin < num_bins;) {
            std::size_t size = 0;
            const std::size_t end = std::min(num_bins, bin + kPieceBins);
            for (; bin < end; ++bin) {
                prefix += bins[bin];
                prefixes_[size] = prefix;
                at_[size] = static_cast<std::uint32_t>(bin);
                size += bins[bin] != 0 ? 1 : 0;
            }
            Decide(size, false);
        }
        return prefix;
    }

    /// Backward: everything but the bins from `bin` on, missing included.
    void Backward(const PackedPair* bins, std::size_t num_bins) {
        PackedPair rest = Pack(total_.g, total_.h);
        for (std::size_t bin = num_bins; bin > 0;) {
            std::size_t size = 0;
            const std::size_t end = bin > kPieceBins ? bin - kPieceBins : 0;
            while (bin > end) {
                --bin;
                rest -= bins[bin];
                prefixes_[size] = rest;
                at_[size] = static_cast<std::uint32_t>(bin);
                size += bins[bin] != 0 ? 1 : 0;
            }
            Decide(size, true);
        }
    }

    const SplitCandidate& best() const { return best_; }

  private:
    void Decide(std::size_t size, bool default_left) {
        if (size == 0) return;
        std::fill(prefixes_ + size, prefixes_ + (size + 7) / 8 * 8, prefixes_[size - 1]);
        const double bar = static_cast<double>(node_gain_) + static_cast<double>(best_.loss_change);
        sieve_.bar = (bar - kGenerous * bar) * scale_;
        FindPassingSplits(sieve_, prefixes_, size, passed_);
        for (std::size_t block = 0; block * 8 < size; ++block) {
            for (unsigned bits = passed_[block]; bits != 0; bits &= bits - 1) {
                const std::size_t i = block * 8 + static_cast<std::size_t>(__builtin_ctz(bits));
                if (i >= size) break;
                const WidePair left{SumG(prefixes_[i]), SumH(prefixes_[i])};
                const float loss_change = SplitLossChange(params_, total_, node_gain_, left);
                if (!(loss_change > best_.loss_change)) continue;
                best_.loss_change = loss_change;
                best_.bin = static_cast<std::int32_t>(at_[i]) - (default_left ? 1 : 0);
                best_.default_left = default_left;
                best_.left = left;
            }
        }
    }

    const GainParams& params_;
    const WidePair total_;
    const float node_gain_;
    double scale_ = 1;
    SplitSieve sieve_{};
    SplitCandidate best_;
    PackedPair prefixes_[kPieceBins + 8];
    std::uint32_t at_[kPieceBins + 8];
    std::uint8_t passed_[kPieceBins / 8 + 1];
};

}  // namespace

void ScanFeature(const GainParams& params, const PackedPair* bins, std::size_t num_bins, WidePair total,
                 float node_gain, std::uint32_t feature, SplitCandidate& best, ScanKind kind) {
    if (params.alpha != 0 || params.max_delta_step != 0) {
        return ScanFeatureScalar(params, bins, num_bins, total, node_gain, feature, best, kind);
    }
    // A lower feature wins a tie: it has to reach the best, a higher one has to beat it.
    float floor = params.loss_change_floor;
    if (best.found() && best.feature < feature) floor = std::max(floor, best.loss_change);
    PackedScan scan(params, total, node_gain, feature, floor);
    if (kind == ScanKind::kHist) {
        if (scan.Forward(bins, num_bins) != Pack(total.g, total.h)) scan.Backward(bins, num_bins);
    } else {
        if (kind == ScanKind::kBothWays) scan.Forward(bins, num_bins);
        scan.Backward(bins, num_bins);
    }
    if (!(scan.best().loss_change > floor) || !best.IsBeatenBy(scan.best())) return;
    best = scan.best();
    if (kind != ScanKind::kHist) FindNeighbours(bins, num_bins, best);
}

void ScanFeature(const GainParams& params, const WidePair* bins, std::size_t num_bins, WidePair total, float node_gain,
                 std::uint32_t feature, SplitCandidate& best, ScanKind kind) {
    ScanFeatureScalar(params, bins, num_bins, total, node_gain, feature, best, kind);
}

}  // namespace espalier::kernels
