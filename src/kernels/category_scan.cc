#include "kernels/category_scan.h"

#include <algorithm>
#include <numeric>

namespace espalier::kernels {

namespace {

template <typename Pair>
class CategoryScan {
  public:
    CategoryScan(const GainParams& params, const WeightBounds* bounds, int sign, const Pair* bins, std::size_t num_bins,
                 WidePair total, float node_gain, std::uint32_t feature)
        : params_(params),
          bounds_(bounds),
          sign_(sign),
          bins_(bins),
          num_bins_(num_bins),
          total_(total),
          node_gain_(node_gain) {
        best_.feature = feature;
        best_.loss_change = params.loss_change_floor;
        best_.is_categorical = true;
    }

    void OneAgainstRest() {
        WidePair missing = total_;
        for (std::size_t bin = 0; bin < num_bins_; ++bin) missing -= SumOf(bin);
        for (std::uint32_t bin = 0; bin < num_bins_; ++bin) {
            WidePair right = SumOf(bin);
            if (Try(right, true)) right_ = {bin};
            right += missing;
            if (Try(right, false)) right_ = {bin};
        }
    }

    void SortedParts(std::size_t max_threshold) {
        std::vector<std::uint32_t> order(num_bins_);
        std::vector<float> weights(num_bins_);
        std::iota(order.begin(), order.end(), 0U);
        for (std::size_t bin = 0; bin < num_bins_; ++bin) {
            const WidePair sum = SumOf(bin);
            weights[bin] = NodeWeight(params_, static_cast<double>(sum.g) * params_.grad_unit,
                                      static_cast<double>(sum.h) * params_.hess_unit);
        }
        std::stable_sort(order.begin(), order.end(),
                         [&](std::uint32_t a, std::uint32_t b) { return weights[a] < weights[b]; });
        const std::size_t num_tried = std::min(max_threshold, num_bins_) - 1;
        std::size_t num_right = 0;
        WidePair right;
        for (std::size_t i = 0; i < num_tried; ++i) {
            right += SumOf(order[i]);
            if (Try(right, true)) num_right = i + 1;
        }
        right = total_;
        for (std::size_t i = 0; i < num_tried; ++i) {
            right -= SumOf(order[num_bins_ - 1 - i]);
            if (Try(right, false)) num_right = num_bins_ - 1 - i;
        }
        if (num_right == 0) return;
        right_.assign(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(num_right));
        std::sort(right_.begin(), right_.end());
    }

    bool found() const { return !right_.empty(); }
    const SplitCandidate& best() const { return best_; }
    std::vector<std::uint32_t>& right() { return right_; }

  private:
    WidePair SumOf(std::size_t bin) const { return {SumG(bins_[bin]), SumH(bins_[bin])}; }

    /// True when the split with these sums on the right is the best so far.
    bool Try(const WidePair& right, bool default_left) {
        WidePair left = total_;
        left -= right;
        const float loss_change = bounds_ == nullptr
                                      ? SplitLossChange(params_, total_, node_gain_, left)
                                      : BoundedLossChange(params_, *bounds_, sign_, total_, node_gain_, left);
        if (!(loss_change > best_.loss_change)) return false;
        best_.loss_change = loss_change;
        best_.default_left = default_left;
        best_.left = left;
        return true;
    }

    const GainParams& params_;
    const WeightBounds* bounds_;
    const int sign_;
    const Pair* bins_;
    const std::size_t num_bins_;
    const WidePair total_;
    const float node_gain_;
    SplitCandidate best_;
    std::vector<std::uint32_t> right_;
};

}  // namespace

template <typename Pair>
void ScanCategories(const GainParams& params, const WeightBounds* bounds, int sign, const CategoryRules& rules,
                    const Pair* bins, std::size_t num_bins, WidePair total, float node_gain, std::uint32_t feature,
                    SplitCandidate& best, std::vector<std::uint32_t>& right) {
    CategoryScan<Pair> scan(params, bounds, sign, bins, num_bins, total, node_gain, feature);
    if (num_bins < static_cast<std::size_t>(rules.max_to_onehot)) {
        scan.OneAgainstRest();
    } else {
        scan.SortedParts(static_cast<std::size_t>(rules.max_threshold));
    }
    if (!scan.found() || !best.IsBeatenBy(scan.best())) return;
    best = scan.best();
    right = std::move(scan.right());
}

template void ScanCategories(const GainParams&, const WeightBounds*, int, const CategoryRules&, const PackedPair*,
                             std::size_t, WidePair, float, std::uint32_t, SplitCandidate&, std::vector<std::uint32_t>&);
template void ScanCategories(const GainParams&, const WeightBounds*, int, const CategoryRules&, const WidePair*,
                             std::size_t, WidePair, float, std::uint32_t, SplitCandidate&, std::vector<std::uint32_t>&);

}  // namespace espalier::kernels
