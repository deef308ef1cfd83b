// Arithmetic on runs of histogram cells: siblings by subtraction, chunks and ranks by addition, a feature's total.
//
// Exact integers; no alignment or padding is asked for. Oracles and sizes: cell_arithmetic_test.cc. Thread-safe: pure
// functions.
#pragma once

#include <span>

#include "kernels/gradient_pair.h"

namespace espalier::kernels {

/// sibling[i] = parent[i] - child[i]; sibling may be the parent itself.
void Subtract(std::span<const PackedPair> parent, std::span<const PackedPair> child, PackedPair* sibling);
void Subtract(std::span<const WidePair> parent, std::span<const WidePair> child, WidePair* sibling);

/// sum[i] = a[i] + b[i].
void Add(std::span<const PackedPair> a, std::span<const PackedPair> b, PackedPair* sum);
void Add(std::span<const WidePair> a, std::span<const WidePair> b, WidePair* sum);

/// total[i] += part[i].
void Accumulate(std::span<PackedPair> total, std::span<const PackedPair> part);
void Accumulate(std::span<WidePair> total, std::span<const WidePair> part);

/// The sum of all cells.
PackedPair SumOf(std::span<const PackedPair> cells);
WidePair SumOf(std::span<const WidePair> cells);

}  // namespace espalier::kernels
