#include "model/importance.h"

namespace espalier::model {

double Importance::by(std::string_view name) const {
    if (name == "weight") return static_cast<double>(weight);
    if (name == "gain") return gain();
    if (name == "cover") return cover();
    return name == "total_gain" ? total_gain : total_cover;
}

std::map<std::int32_t, Importance> FeatureImportances(const TreeEnsemble& ensemble) {
    std::map<std::int32_t, Importance> importances;
    std::vector<std::int32_t> open;
    for (const Tree& tree : ensemble.trees) {
        // From the root, as old trees keep pruned nodes.
        open.assign(1, 0);
        while (!open.empty()) {
            auto at = static_cast<std::size_t>(open.back());
            open.pop_back();
            if (tree.is_leaf(at)) continue;
            Importance& importance = importances[tree.split_indices[at]];
            ++importance.weight;
            importance.total_gain += static_cast<double>(tree.loss_changes[at]);
            importance.total_cover += static_cast<double>(tree.sum_hessian[at]);
            open.insert(open.end(), {tree.left_children[at], tree.right_children[at]});
        }
    }
    return importances;
}

}  // namespace espalier::model
