// exp and log over arrays of floats, and softmax over classes: what kernels/float_math.h gives for each, bit for bit,
// several at a time.
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

/// Rows of a strip as softmax works on them: few enough for what is kept of each to stay in the first cache.
inline constexpr std::size_t kSoftmaxRows = 512;

/// For each of `size` <= kSoftmaxRows rows i: highest = the greatest of `lowest` and the margins of its classes,
/// exps[k * exps_stride + i] = Exp(margins[k * stride + i] - highest), and totals[i] their sum, made in double in the
/// classes' order. exps may be the margins themselves.
void ExpsOfClasses(const float* margins, std::size_t stride, std::size_t num_classes, std::size_t size, float lowest,
                   float* exps, std::size_t exps_stride, float* totals);

/// classes[i]: the first class with the greatest of margins[k * stride + i], for `size` rows i.
void GreatestClasses(const float* margins, std::size_t stride, std::size_t num_classes, std::size_t size,
                     float* classes);

/// From such exps, in `grad`, the gradients of softmax's loss in their place: p = exp / total, weights: null for 1
/// each, grad = (p - [label is the class]) weight, hess = max(2 p (1 - p) weight, hess_min).
void SoftmaxGradients(const float* labels, const float* weights, const float* totals, std::size_t num_classes,
                      std::size_t size, float hess_min, float* grad, float* hess, std::size_t stride);

}  // namespace espalier::kernels
