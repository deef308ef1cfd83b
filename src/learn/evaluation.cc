#include "learn/evaluation.h"

namespace espalier::learn {

Result<Evaluation> Evaluation::Create(const TrainParams& params, const Objective& objective, std::size_t num_sets,
                                      bool modern_defaults) {
    std::vector<std::string> names = params.eval_metrics;
    if (names.empty()) names.emplace_back(objective.DefaultMetric(modern_defaults));
    Evaluation evaluation;
    for (std::size_t set = 0; set < num_sets; ++set) {
        std::vector<std::unique_ptr<Metric>> metrics;
        for (const std::string& name : names) metrics.push_back(TRY(MakeMetric(name, params)));
        evaluation.evaluators_.emplace_back(std::move(metrics));
    }
    return evaluation;
}

Result<std::vector<MetricValue>> Evaluation::Evaluate(const std::vector<PreparedSet>& sets, WorkerTeam& team,
                                                      collective::Comm& comm) {
    std::vector<MetricValue> all;
    for (std::size_t i = 0; i < sets.size(); ++i) {
        const std::vector<double> values = TRY(evaluators_[i].Evaluate(sets[i].View(), sets[i].total_rows, team, comm));
        for (std::size_t m = 0; m < values.size(); ++m) all.push_back({sets[i].name, metrics()[m]->name(), values[m]});
    }
    return all;
}

}  // namespace espalier::learn
