// The walk over a feature's bins that every scalar split scan shares; only the loss change differs.
#pragma once

#include "kernels/split_scan.h"

namespace espalier::kernels {

/// Forward over the bins with missing values right, then backward with missing values left, as `kind` says.
/// loss_change_of(left sums) gives each candidate's loss change, 0 for one that is not allowed.
template <typename Pair, typename LossChangeOf>
void ScanBins(ScanKind kind, const Pair* bins, std::size_t num_bins, WidePair total, std::uint32_t feature, float floor,
              const LossChangeOf& loss_change_of, SplitCandidate& best) {
    SplitCandidate mine;
    mine.feature = feature;
    mine.loss_change = floor;
    WidePair left;
    for (std::size_t bin = 0; bin < num_bins; ++bin) {
        left.g += SumG(bins[bin]);
        left.h += SumH(bins[bin]);
        if (kind == ScanKind::kBackward) continue;
        const float loss_change = loss_change_of(left);
        if (loss_change > mine.loss_change) {
            mine.loss_change = loss_change;
            mine.bin = static_cast<std::int32_t>(bin);
            mine.left = left;
        }
    }
    if (kind != ScanKind::kHist || !(left == total)) {
        // `left` becomes everything but the bins from `bin` on.
        left = total;
        for (std::size_t bin = num_bins; bin-- > 0;) {
            left.g -= SumG(bins[bin]);
            left.h -= SumH(bins[bin]);
            const float loss_change = loss_change_of(left);
            if (loss_change > mine.loss_change) {
                mine.loss_change = loss_change;
                mine.bin = static_cast<std::int32_t>(bin) - 1;
                mine.left = left;
                mine.default_left = true;
            }
        }
    }
    if (!(mine.loss_change > floor) || !best.IsBeatenBy(mine)) return;
    best = mine;
    if (kind != ScanKind::kHist) FindNeighbours(bins, num_bins, best);
}

}  // namespace espalier::kernels
