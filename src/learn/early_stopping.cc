#include "learn/early_stopping.h"

#include <fmt/format.h>

namespace espalier::learn {

EarlyStopping::EarlyStopping(const TrainParams& params, std::size_t num_sets,
                             std::span<const std::unique_ptr<Metric>> watched)
    : rounds_(params.early_stopping_rounds), cuts_model_(params.early_stopping_rule == EarlyStoppingRule::kSaveBest) {
    if (cuts_model_ && (num_sets < 2 || params.eval_metrics.empty())) rounds_ = 0;
    metric_idx_ = watched.size() - 1;
    for (std::size_t m = 0; m < watched.size(); ++m) {
        if (watched[m]->name() == params.early_stopping_metric) metric_idx_ = m;
    }
    metric_ = watched[metric_idx_]->name();
    maximize_ = watched[metric_idx_]->maximize();
}

bool EarlyStopping::StopsAfter(int round, std::span<const double> values) {
    if (!active()) return false;
    const double value = values[metric_idx_];
    if (!any_round_ || (maximize_ ? value > best_score_ : value < best_score_)) {
        any_round_ = true;
        best_score_ = value;
        best_round_ = round;
    }
    return round - best_round_ >= rounds_;
}

void EarlyStopping::Record(model::TreeEnsemble& model) const {
    if (!active()) return;
    model.attributes["best_iteration"] = fmt::format("{}", best_round_);
    model.attributes["best_score"] = fmt::format("{}", best_score_);
    if (!cuts_model_) return;
    model.iteration_indptr.resize(static_cast<std::size_t>(best_round_) + 2);
    model.trees.resize(static_cast<std::size_t>(model.iteration_indptr.back()));
    model.tree_info.resize(model.trees.size());
}

}  // namespace espalier::learn
