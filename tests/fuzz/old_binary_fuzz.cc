#include "model/sample_files.h"
#include "sample_model.h"

namespace espalier::fuzz {

std::vector<std::string> Seeds() {
    return {model::SampleOldBinary(), model::SampleOldBinary().substr(4), model::SampleOldBinary("dart")};
}

std::vector<std::string> Words() {
    return {"gbtree", "dart", "gblinear", "binf", "reg:linear", "count:poisson", "multi:softmax"};
}

}  // namespace espalier::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    espalier::fuzz::CheckModelBytes(espalier::fuzz::AsText(data, size));
    return 0;
}
