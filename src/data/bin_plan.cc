#include "data/bin_plan.h"

#include <vector>

#include "data/cut_points.h"
#include "data/value_summaries.h"

namespace espalier::data {

BinLayout PlanBins(const CompactRows& rows, std::span<const std::int64_t> weight_units, std::size_t num_features,
                   int max_bin, WorkerTeam& team) {
    std::vector<FeatureCuts> cuts(num_features);
    std::vector<BinLayout::Shape> shapes(num_features);
    ForEachSummary(rows, weight_units, num_features, team, [&](std::size_t f, const ValueSummary& summary, int) {
        cuts[f] = CutFeature(summary, max_bin);
        shapes[f] = BinLayout::ShapeOf(summary, cuts[f].values, rows.num_rows());
    });
    return BinLayout::Create(shapes, JoinCuts(cuts));
}

}  // namespace espalier::data
