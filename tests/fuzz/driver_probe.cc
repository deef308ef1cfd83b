// An entry that fails when it is told to: what test_fuzz.py looks at the bounded driver with.
#include <cstdlib>

#include "fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = espalier::fuzz::AsText(data, size);
    if (text == "abort") std::abort();
    if (text == "read past the end") return static_cast<const volatile std::uint8_t*>(data)[size] & 0;
    return 0;
}

namespace espalier::fuzz {

std::vector<std::string> Seeds() {
    return {"sound"};
}

std::vector<std::string> Words() {
    return {};
}

}  // namespace espalier::fuzz
