// A forest of shallow trees applied to 256 rows at once, one bit a row.
//
// Every distinct condition (column, threshold, default) of the forest is compared once for all rows into a plane: a bit
// for each row, set when the row goes right. A tree is then a program of selections over planes (`right where the
// condition's bit is set, else left`), 256 rows an operation, whose results are the bits of the leaf's number: bit k
// says which way the row goes at depth k. Leaves are looked up by that number and added tree after tree, in float: the
// sums are those of a walk, bit for bit. Time per row does not depend on the data. Scalar oracle: AddPlaneLeavesScalar.
// Thread-safe: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

namespace espalier::kernels {

inline constexpr std::size_t kPlaneRows = 256;
inline constexpr std::size_t kPlaneBytes = kPlaneRows / 8;
/// Floats from one column to the next: not a power of two, which would crowd a few sets of the cache.
inline constexpr std::size_t kPlaneStride = kPlaneRows + 16;
inline constexpr std::size_t kPlaneDepthMax = 8;

struct PlaneCondition {
    float threshold;
    bool default_left;  ///< a missing value (NaN) does not go right
};

/// planes[out] = planes[condition] ? planes[right] : planes[left], bit by bit.
struct PlaneSelect {
    std::uint32_t out;
    std::uint32_t condition;
    std::uint32_t right;
    std::uint32_t left;
};

struct PlaneTree {
    std::uint32_t first_select;
    std::uint32_t num_selects;
    std::uint32_t bits[kPlaneDepthMax];  ///< [depth] planes of the leaf's number
    std::uint32_t depth;
    std::uint32_t first_leaf;  ///< its 2^depth leaves
    std::uint32_t group;
};

struct PlaneForest {
    const std::uint32_t* first_conditions;  ///< [columns + 1] of each column
    const PlaneCondition* conditions;       ///< condition c makes plane c
    std::size_t num_columns;
    const PlaneSelect* selects;
    const PlaneTree* trees;
    std::size_t num_trees;
    const float* leaves;
};

/// Adds to margins [groups x kPlaneRows] for the first num_rows rows of values [columns x kPlaneStride], missing = NaN;
/// what stands beyond them is garbage of no consequence. planes: scratch for all planes, kPlaneBytes each. All aligned
/// to 64 bytes.
void AddPlaneLeaves(const PlaneForest& forest, const float* values, std::size_t num_rows, std::uint8_t* planes,
                    float* margins);
void AddPlaneLeavesScalar(const PlaneForest& forest, const float* values, std::size_t num_rows, std::uint8_t* planes,
                          float* margins);

}  // namespace espalier::kernels
