#include "data/bin_plan.h"

#include <vector>

#include "data/cut_points.h"
#include "data/value_summaries.h"

namespace espalier::data {

BinLayout PlanBins(const CompactRows& rows, std::span<const std::int64_t> weight_units, std::size_t num_features,
                   int max_bin, WorkerTeam& team) {
    std::vector<FeatureCuts> cuts(num_features);
    std::vector<BinLayout::Shape> shapes(num_features);
    const auto visit = [&](std::size_t f, const ValueSummary& summary, const SketchPlan* plan) {
        cuts[f] = CutFeature(summary, max_bin, false, {.plan = plan});
        shapes[f] = BinLayout::ShapeOf(summary, cuts[f].values, rows.num_rows());
    };
    ForEachSummary(rows, weight_units, num_features, team, visit, static_cast<std::size_t>(max_bin));
    return BinLayout::Create(shapes, JoinCuts(cuts), rows.num_rows());
}

}  // namespace espalier::data
