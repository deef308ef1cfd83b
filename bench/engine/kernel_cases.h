// What each kernel costs a piece on each instruction set that this machine has. Inputs are made from a fixed seed; the
// outputs of all instruction sets must be the same bytes.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace espalier::bench {

struct KernelTimes {
    std::string kernel;
    std::string piece;          ///< what `nanos` are for: a cell, a row, a value …
    std::vector<double> nanos;  ///< [instruction sets] best of the repeats
};

/// instruction_sets: names as of kernels::SimdNames(). kInternal when a kernel's outputs differ.
Result<std::vector<KernelTimes>> TimeKernels(const std::vector<std::string>& instruction_sets, int repeats);

}  // namespace espalier::bench
