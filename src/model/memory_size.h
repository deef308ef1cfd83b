// What arrays take in memory. Internal to model/. Thread-safe: pure functions.
#pragma once

#include <cstddef>
#include <vector>

namespace espalier::model {

/// The elements of all these vectors, with room they keep.
template <typename... Elements>
std::size_t BytesOf(const std::vector<Elements>&... vectors) {
    return ((vectors.capacity() * sizeof(Elements)) + ... + std::size_t{0});
}

}  // namespace espalier::model
