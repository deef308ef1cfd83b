// The lanes of every set of eight: for packing chosen lanes of a vector, where the processor has no instruction for it.
//
// Highway 1.0.3 has such a table inside Compress, but for AVX2 builds it anew on the stack in each call, which takes
// longer than all the rest.
#pragma once

#include <array>
#include <cstdint>

namespace espalier::kernels {

/// [bits of the set][8] the lanes of the set in rising order, then zeros.
inline constexpr auto kLanesOfSet = [] {
    std::array<std::array<std::uint8_t, 8>, 256> lanes{};
    for (std::size_t set = 0; set < lanes.size(); ++set) {
        std::size_t count = 0;
        for (std::uint8_t lane = 0; lane < 8; ++lane) {
            if ((set >> lane & 1) != 0) lanes[set][count++] = lane;
        }
    }
    return lanes;
}();

}  // namespace espalier::kernels
