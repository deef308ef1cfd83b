// What each fuzz entry is made of: one file, one parser.
//
// The entry is libFuzzer's: LLVMFuzzerTestOneInput. The same file runs under two drivers: libFuzzer (preset `fuzz`,
// long runs by hand, see tests/fuzz/README.md) and bounded_driver.cc (every test run: a few seconds, from Seeds, by a
// fixed random sequence). An entry must not only survive: it CHECKs what must hold of every parse.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace espalier::fuzz {

/// Inputs to begin with, made in code: sound ones of every shape, and near misses.
std::vector<std::string> Seeds();

/// Byte strings that mean something to the parser; the driver puts them in here and there.
std::vector<std::string> Words();

inline std::string_view AsText(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

}  // namespace espalier::fuzz
