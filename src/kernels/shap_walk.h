// TreeSHAP contributions of one tree for eight rows at once.
//
// A leaf's game is a product: a coalition S is worth value * (prod of o_j over j in S) * (prod of z_j over the others),
// where o_j says whether the row follows all of feature j's splits on the leaf's path, and z_j is the share of rows
// that did. Its Shapley values are integrals over t in [0, 1] of products of f_j = (1 - t) z_j + t o_j, polynomials
// that Gauss-Legendre points integrate exactly. So one walk down carries the product for each point, one walk up adds
// up the leaves, and an edge's part of its feature is sum over points of (o - z) / f * (what came up), minus the same
// of the edge above it on that feature. o is 0 or 1: f, its quotients and (o - z) / f are constants of the edge (1 - t:
// for o = 0, (o - z) / f = -1 / (1 - t)). Time is linear in nodes times points; points are half the depth.
//
// All in double, one operation at a time in a fixed order: the same numbers on every instruction set. Scalar oracle:
// WalkShapScalar. Source: own derivation; compared with stock's path-dependent TreeSHAP by
// tests/parity/test_explain.py. Thread-safe: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

namespace espalier::kernels {

inline constexpr std::size_t kShapRows = 8;

/// A node other than the root, in preorder.
struct ShapEdge {
    std::int32_t depth;     ///< of the node; its parent's is one less
    std::int32_t ancestor;  ///< the nearest edge above on the same feature; -1: none
    std::int32_t slot;      ///< the feature's place in phi
    std::int32_t split;     ///< which of the tree's splits leads here
    double share;           ///< of the parent's rows that come here
    double value;           ///< of a leaf
    bool right;
    bool leaf;
};

/// Constants of an edge for each point: the quotient of f with o = 1 over the ancestor's with o = 1, the quotient of f
/// with o = 0 over the ancestor's with o = 1, and (o - z) / f for o = 1.
inline constexpr std::size_t kShapConstants = 3;

struct ShapTree {
    const ShapEdge* edges;
    const std::int32_t* events;  ///< [2 x edges] e: edge e is entered; ~e: it is left
    std::size_t num_events;
    const double* constants;  ///< [edges x kShapConstants x points]
    const double* weights;    ///< [points]
    const double* outside;    ///< [points] -1 / (1 - t)
    std::size_t num_points;
    std::size_t depth;  ///< of the deepest node
};

/// Doubles of scratch that WalkShap needs for a tree; aligned to 64 bytes.
inline std::size_t ShapScratch(std::size_t depth, std::size_t num_points) {
    return (depth + 1) * 2 * num_points * kShapRows;
}

/// Adds to phi [slots x 8] what the tree contributes. went_right [splits]: bit r is set when row r goes right.
/// flags [depth + 1]: scratch. phi and scratch are aligned to 64 bytes.
void WalkShap(const ShapTree& tree, const std::uint8_t* went_right, double* scratch, std::uint8_t* flags, double* phi);
void WalkShapScalar(const ShapTree& tree, const std::uint8_t* went_right, double* scratch, std::uint8_t* flags,
                    double* phi);

}  // namespace espalier::kernels
