// Which instruction sets the kernels may use. The environment variable ESPALIER_SIMD holds it down for tests and for
// comparing: "scalar" (the plainest the build has), "sse4", "avx2", "avx3" (AVX-512); unset: the best the machine has.
// Results are the same bytes either way; only the time differs. Call once, before threads start.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace espalier::kernels {

/// kInvalidArgument for a name that is none, or that this machine does not have.
Result<void> ApplySimdEnvironment();

/// Names this machine can be held to, plainest first.
std::vector<std::string> SimdNames();

/// Holds the kernels to `name`, or to the best for "". For tests.
Result<void> LimitSimd(const std::string& name);

}  // namespace espalier::kernels
