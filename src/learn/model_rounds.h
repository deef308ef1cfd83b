// How many rounds a model has, whatever its booster.
#pragma once

#include <cstddef>

#include "model/tree_ensemble.h"

namespace espalier::learn {

inline std::size_t RoundsOf(const model::TreeEnsemble& model) {
    return model.booster == model::Booster::kGblinear ? static_cast<std::size_t>(model.boosted_rounds)
                                                      : model.num_rounds();
}

}  // namespace espalier::learn
