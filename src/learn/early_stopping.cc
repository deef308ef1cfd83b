#include "learn/early_stopping.h"

#include <fmt/format.h>

#include <cstdlib>

namespace espalier::learn {

EarlyStopping::EarlyStopping(const TrainParams& params, std::size_t num_sets,
                             std::span<const std::unique_ptr<Metric>> watched, int rounds_before)
    : rounds_(params.early_stopping_rounds),
      cuts_model_(params.early_stopping_rule == EarlyStoppingRule::kSaveBest),
      rounds_before_(rounds_before) {
    const bool has_rounds_to_cut = params.booster != model::Booster::kGblinear;
    if (cuts_model_ && (num_sets < 2 || params.eval_metrics.empty())) rounds_ = 0;
    cuts_model_ = cuts_model_ && has_rounds_to_cut;
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
    return IsDue(round);
}

void EarlyStopping::Restore(const model::TreeEnsemble& model) {
    const auto round = model.attributes.find("best_iteration");
    const auto score = model.attributes.find("best_score");
    if (round == model.attributes.end() || score == model.attributes.end()) return;
    any_round_ = true;
    best_round_ = static_cast<int>(std::strtol(round->second.c_str(), nullptr, 10)) - rounds_before_;
    best_score_ = std::strtod(score->second.c_str(), nullptr);
}

void EarlyStopping::Note(model::TreeEnsemble& model) const {
    if (!active()) return;
    model.attributes["best_iteration"] = fmt::format("{}", best_round_ + rounds_before_);
    model.attributes["best_score"] = fmt::format("{}", best_score_);
}

void EarlyStopping::CutModel(model::TreeEnsemble& model) const {
    if (!active() || !cuts_model_) return;
    model.iteration_indptr.resize(static_cast<std::size_t>(best_round_ + rounds_before_) + 2);
    model.trees.resize(static_cast<std::size_t>(model.iteration_indptr.back()));
    model.tree_info.resize(model.trees.size());
    if (!model.weight_drop.empty()) model.weight_drop.resize(model.trees.size());
}

}  // namespace espalier::learn
