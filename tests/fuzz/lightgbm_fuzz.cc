#include "model/sample_files.h"
#include "sample_model.h"

namespace espalier::fuzz {

std::vector<std::string> Seeds() {
    return {model::SampleLightgbm()};
}

std::vector<std::string> Words() {
    return {"Tree=1\n",
            "num_leaves=2\n",
            "num_cat=2\n",
            "cat_boundaries=0 2\n",
            "-1",
            "1e308",
            "nan",
            "4294967295",
            "average_output\n",
            "objective=multiclass num_class:3\n",
            "end of trees\n",
            "zero_as_missing"};
}

}  // namespace espalier::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    espalier::fuzz::CheckModelBytes(espalier::fuzz::AsText(data, size));
    return 0;
}
