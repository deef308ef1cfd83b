// exp and log over arrays of floats: what kernels/float_math.h gives for each, bit for bit, several at a time.
//
// The same double operations in the same order in every lane, so results do not depend on the instruction set. In and
// out may be the same array, but may not overlap otherwise. Oracle: float_math.h, compared in array_math_test.cc.
// Thread-safe: pure functions.
#pragma once

#include <cstddef>

namespace espalier::kernels {

/// out[i] = Exp(x[i]).
void ExpOfEach(const float* x, std::size_t size, float* out);

/// out[i] = Log(x[i]).
void LogOfEach(const float* x, std::size_t size, float* out);

}  // namespace espalier::kernels
