// A two-dimensional float32 array out of a NumPy file, for the benchmarks: what the peers are given, byte for byte.
// Version 1.0, C order, little-endian only; anything else is an error. Source: the NPY format's description in NumPy.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace espalier::bench {

struct Matrix {
    std::size_t num_rows = 0;
    std::size_t num_columns = 0;
    std::vector<float> values;  ///< [rows x columns] row-major
};

Result<Matrix> ReadNpy(const std::string& path);

}  // namespace espalier::bench
