#include "engine/npy_file.h"

#include <cstdint>
#include <cstdio>
#include <fstream>

namespace espalier::bench {

Result<Matrix> ReadNpy(const std::string& path) {
    constexpr std::size_t kPrefixBytes = 10;
    std::ifstream file(path, std::ios::binary);
    char prefix[kPrefixBytes] = {};
    file.read(prefix, kPrefixBytes);
    if (!file || std::string_view(prefix, 8) != std::string_view("\x93NUMPY\x01\x00", 8)) {
        return Error(ErrorCode::kInvalidArgument, path + " is not a NumPy file of version 1.0");
    }
    std::string header(static_cast<std::size_t>(static_cast<std::uint8_t>(prefix[8])) |
                           static_cast<std::size_t>(static_cast<std::uint8_t>(prefix[9])) << 8,
                       '\0');
    file.read(header.data(), static_cast<std::streamsize>(header.size()));
    Matrix matrix;
    const std::size_t shape = header.find("'shape': (");
    if (header.find("'<f4'") == std::string::npos || header.find("False") == std::string::npos ||
        shape == std::string::npos ||
        std::sscanf(header.c_str() + shape, "'shape': (%zu, %zu)", &matrix.num_rows, &matrix.num_columns) != 2) {
        return Error(ErrorCode::kInvalidArgument, path + " does not hold rows x columns of float32 in C order");
    }
    matrix.values.resize(matrix.num_rows * matrix.num_columns);
    file.read(reinterpret_cast<char*>(matrix.values.data()),
              static_cast<std::streamsize>(matrix.values.size() * sizeof(float)));
    if (!file) return Error(ErrorCode::kCorruptData, path + " ends within the array");
    return matrix;
}

}  // namespace espalier::bench
