#include "sample_model.h"

namespace espalier::fuzz {

std::vector<std::string> Seeds() {
    return ModelSeeds(model::ModelFormat::kJson);
}

std::vector<std::string> Words() {
    return ModelWords();
}

}  // namespace espalier::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    espalier::fuzz::CheckModelBytes(espalier::fuzz::AsText(data, size));
    return 0;
}
