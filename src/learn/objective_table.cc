#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "learn/objectives/families.h"

namespace espalier::learn {

namespace {

constexpr std::size_t kBlockRows = 2048;

struct Row {
    std::string_view name;
    ObjectiveMaker make;
};

constexpr Row kTable[] = {
    {"binary:hinge", MakeHinge},
    {"binary:logistic", MakeLogistic},
    {"binary:logitraw", MakeLogistic},
    {"count:poisson", MakePoisson},
    {"multi:softmax", MakeSoftmax},
    {"multi:softprob", MakeSoftmax},
    {"rank:map", MakeLambdaRank},
    {"rank:ndcg", MakeLambdaRank},
    {"rank:pairwise", MakeLambdaRank},
    {"reg:absoluteerror", MakeQuantileError},
    {"reg:gamma", MakeGamma},
    {"reg:linear", MakeSquaredError},
    {"reg:logistic", MakeLogistic},
    {"reg:pseudohubererror", MakePseudoHuber},
    {"reg:quantileerror", MakeQuantileError},
    {"reg:squarederror", MakeSquaredError},
    {"reg:squaredlogerror", MakeSquaredLogError},
    {"reg:tweedie", MakeTweedie},
    {"survival:aft", MakeAft},
    {"survival:cox", MakeCox},
};

}  // namespace

Result<void> RowObjective::Gradients(const RowsView& rows, int, WorkerTeam& team, collective::Comm&, float* grad,
                                     float* hess) const {
    team.ForBlocks(rows.num_rows, kBlockRows,
                   [&](std::size_t begin, std::size_t end, int) { GradientsOf(rows, begin, end, grad, hess); });
    return {};
}

std::vector<std::string_view> TrainableObjectives() {
    std::vector<std::string_view> names;
    for (const Row& row : kTable) names.push_back(row.name);
    return names;
}

Result<std::unique_ptr<Objective>> MakeObjective(const TrainParams& params) {
    const auto row = std::find_if(std::begin(kTable), std::end(kTable),
                                  [&](const Row& candidate) { return candidate.name == params.objective; });
    if (row != std::end(kTable)) return row->make(params);
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("objective '{}' is not implemented by this build. Use one of: {}.", params.objective,
                             fmt::join(TrainableObjectives(), ", ")));
}

bool UsesRowIdentity(const TrainParams& params) {
    const auto objective = MakeObjective(params);
    return params.subsample < 1 || (objective.has_value() && (*objective)->needs_row_identity());
}

}  // namespace espalier::learn
