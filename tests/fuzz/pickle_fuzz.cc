#include "model/sample_files.h"
#include "sample_model.h"

namespace espalier::fuzz {

std::vector<std::string> Seeds() {
    return {model::SamplePickle(model::SampleOldBinary()), model::SamplePickle("{}")};
}

std::vector<std::string> Words() {
    return {"(",
            ")",
            "]",
            "}",
            "u",
            "e",
            "s",
            "a",
            "t",
            "R",
            "b",
            "N",
            "K\x01",
            "h\x02",
            "q\x09",
            "copy_reg\n_reconstructor\n",
            "__builtin__\nbytearray\n",
            "CONFIG-offset:"};
}

}  // namespace espalier::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    espalier::fuzz::CheckModelBytes(espalier::fuzz::AsText(data, size));
    return 0;
}
