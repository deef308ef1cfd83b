#include "model/sample_files.h"
#include "sample_model.h"

namespace espalier::fuzz {

std::vector<std::string> Seeds() {
    return {model::SampleOnnx()};
}

std::vector<std::string> Words() {
    return {"TreeEnsembleClassifier",
            "class_ids",
            "class_weights",
            "BRANCH_GTE",
            "BRANCH_LT",
            "LOGISTIC",
            "SOFTMAX",
            "AVERAGE",
            "n_targets",
            "ZipMap"};
}

}  // namespace espalier::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    espalier::fuzz::CheckModelBytes(espalier::fuzz::AsText(data, size));
    return 0;
}
