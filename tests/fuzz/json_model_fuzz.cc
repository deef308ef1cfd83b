#include "sample_model.h"

namespace espalier::fuzz {

std::vector<std::string> Seeds() {
    model::TreeEnsemble logistic = SampleModel();
    logistic.objective = "binary:logistic";
    logistic.num_class = 0;
    logistic.base_score = {0.5F};
    logistic.tree_info = {0, 0};
    return {model::WriteModel(SampleModel(), model::ModelFormat::kJson),
            model::WriteModel(logistic, model::ModelFormat::kJson)};
}

std::vector<std::string> Words() {
    return ModelWords();
}

}  // namespace espalier::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    espalier::fuzz::CheckModelBytes(espalier::fuzz::AsText(data, size));
    return 0;
}
