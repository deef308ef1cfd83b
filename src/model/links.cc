#include "model/links.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/array_math.h"
#include "model/objective_table.h"

namespace espalier::model {

void SigmoidOfEach(const float* margins, std::size_t size, float* out) {
    for (std::size_t i = 0; i < size; ++i) out[i] = NegatedForSigmoid(margins[i]);
    kernels::ExpOfEach(out, size, out);
    for (std::size_t i = 0; i < size; ++i) out[i] = SigmoidOfExp(out[i]);
}

void Softmax(std::span<float> margins) {
    float largest = margins[0];
    for (float margin : margins) largest = std::max(margin, largest);
    double sum = 0;
    for (float& margin : margins) {
        margin = kernels::Exp(margin - largest);
        sum += static_cast<double>(margin);
    }
    for (float& margin : margins) margin /= static_cast<float>(sum);
}

std::size_t ArgMax(std::span<const float> margins) {
    return static_cast<std::size_t>(std::max_element(margins.begin(), margins.end()) - margins.begin());
}

Result<std::vector<float>> BaseMargins(const TreeEnsemble& ensemble) {
    const ObjectiveInfo* objective = FindObjective(ensemble.objective);
    if (objective == nullptr) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("the objective '{}' is not one this build can apply", ensemble.objective));
    }
    std::vector<float> margins(ensemble.num_groups());
    for (std::size_t group = 0; group < margins.size(); ++group) {
        // Stock's gblinear takes the first intercept for every group, in training as in prediction.
        bool first = ensemble.base_score.size() == 1 || ensemble.booster == Booster::kGblinear;
        float score = ensemble.base_score[first ? 0 : group];
        switch (objective->link) {
            case Link::kSigmoid:
                score = std::clamp(score, 1e-6F, 1.0F - 1e-6F);
                margins[group] = -kernels::Log(1.0F / score - 1.0F);
                break;
            case Link::kExp:
                margins[group] = kernels::Log(score);
                break;
            case Link::kIdentity:
            case Link::kHinge:
            case Link::kArgmax:
            case Link::kSoftmax:
                margins[group] = score;
                break;
        }
    }
    return margins;
}

}  // namespace espalier::model
