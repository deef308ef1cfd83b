#include "learn/evaluation.h"

namespace espalier::learn {

Result<Evaluation> Evaluation::Create(const TrainParams& params, const Objective& objective, std::size_t num_sets) {
    std::vector<std::string> names = params.eval_metrics;
    if (names.empty()) names.push_back(objective.DefaultMetric(ProfileOf(params.version).default_metrics));
    Evaluation evaluation;
    for (std::size_t set = 0; set < num_sets; ++set) {
        auto& metrics = evaluation.metrics_.emplace_back();
        for (const std::string& name : names) metrics.push_back(TRY(MakeMetric(name, params)));
    }
    return evaluation;
}

Result<std::vector<MetricValue>> Evaluation::Evaluate(std::span<const PreparedSet> sets, WorkerTeam& team,
                                                      collective::Comm& comm) {
    std::vector<MetricValue> all;
    for (std::size_t i = 0; i < sets.size(); ++i) {
        for (const auto& metric : metrics_[i]) {
            all.push_back({sets[i].name, metric->name(), TRY(metric->Evaluate(sets[i].View(), team, comm))});
        }
    }
    return all;
}

}  // namespace espalier::learn
