#include "learn/survival_loss.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/double_math.h"

namespace espalier::learn {

namespace {

using kernels::Exp;
using kernels::Log;

constexpr double kGradientMax = 15;
constexpr double kHessianMin = 1e-16;
constexpr double kHessianMax = 15;
constexpr double kSmall = 1e-12;

/// Density, its first two derivatives and its integral, at one point.
struct NoiseAt {
    double pdf = 0;
    double cdf = 0;
    double slope = 0;      ///< of the density
    double curvature = 0;  ///< of the density
};

NoiseAt NormalAt(double z) {
    const double pdf = Exp(-z * z / 2) / std::sqrt(2 * kernels::kPi);
    return {pdf, 0.5 * (1 + kernels::Erf(z / std::sqrt(2.0))), -z * pdf, (z * z - 1) * pdf};
}

NoiseAt LogisticAt(double z) {
    const double w = Exp(z);
    if (std::isinf(w) || std::isinf(w * w)) return {0, std::isinf(w) ? 1 : w / (1 + w), 0, 0};
    const double pdf = w / ((1 + w) * (1 + w));
    return {pdf, w / (1 + w), pdf * (1 - w) / (1 + w), pdf * (w * w - 4 * w + 1) / ((1 + w) * (1 + w))};
}

NoiseAt ExtremeAt(double z) {
    const double w = Exp(z);
    const double cdf = 1 - Exp(-w);
    if (std::isinf(w)) return {0, cdf, 0, 0};
    const double pdf = w * Exp(-w);
    return {pdf, cdf, (1 - w) * pdf, std::isinf(w * w) ? 0 : (w * w - 3 * w + 1) * pdf};
}

NoiseAt At(NoiseDistribution noise, double z) {
    if (noise == NoiseDistribution::kNormal) return NormalAt(z);
    return noise == NoiseDistribution::kLogistic ? LogisticAt(z) : ExtremeAt(z);
}

/// What the derivatives tend to where both parts of the quotient vanish; `far_above`: the time lies above the margin.
AftDerivatives Limits(NoiseDistribution noise, bool event, bool right_censored, bool left_censored, bool far_above,
                      double sigma) {
    const double wide = 1 / sigma;
    double grad = far_above ? -kGradientMax : kGradientMax;
    double hess = kHessianMin;
    switch (noise) {
        case NoiseDistribution::kNormal:
            hess = 1 / (sigma * sigma);
            if ((right_censored && !far_above) || (left_censored && far_above)) hess = kHessianMin;
            break;
        case NoiseDistribution::kLogistic:
            grad = far_above ? -wide : wide;
            break;
        case NoiseDistribution::kExtreme:
            grad = far_above ? -kGradientMax : wide;
            if (far_above && !left_censored) hess = kHessianMax;
            break;
    }
    if (!event && ((right_censored && !far_above) || (left_censored && far_above))) grad = 0;
    return {grad, hess};
}

}  // namespace

NoiseDistribution NoiseDistributionOf(std::string_view name) {
    if (name == "logistic") return NoiseDistribution::kLogistic;
    return name == "extreme" ? NoiseDistribution::kExtreme : NoiseDistribution::kNormal;
}

TimeBounds BoundsOf(const RowsView& rows, std::size_t row) {
    const float label = rows.labels[row];
    if (rows.upper_bounds != nullptr) return {static_cast<double>(label), static_cast<double>(rows.upper_bounds[row])};
    const double time = std::fabs(static_cast<double>(label));
    return {time, label > 0 ? time : std::numeric_limits<double>::infinity()};
}

double AftLoss(NoiseDistribution noise, TimeBounds bounds, double margin, double sigma) {
    const double z_lower = (Log(bounds.lower) - margin) / sigma;
    if (bounds.lower == bounds.upper) {
        return -Log(std::max(At(noise, z_lower).pdf / (sigma * bounds.lower), kSmall));
    }
    const double above = std::isinf(bounds.upper) ? 1 : At(noise, (Log(bounds.upper) - margin) / sigma).cdf;
    const double below = bounds.lower <= 0 ? 0 : At(noise, z_lower).cdf;
    return -Log(std::max(above - below, kSmall));
}

AftDerivatives AftDerivativesOf(NoiseDistribution noise, TimeBounds bounds, double margin, double sigma) {
    const bool event = bounds.lower == bounds.upper;
    const bool right_censored = !event && std::isinf(bounds.upper);
    const bool left_censored = !event && bounds.lower <= 0;
    AftDerivatives derivatives;
    double grad_denominator = 0;
    double hess_denominator = 0;
    bool far_above = false;
    if (event) {
        const double z = (Log(bounds.lower) - margin) / sigma;
        const NoiseAt at = At(noise, z);
        far_above = z > 0;
        grad_denominator = sigma * at.pdf;
        hess_denominator = sigma * sigma * at.pdf * at.pdf;
        derivatives.grad = at.slope / grad_denominator;
        derivatives.hess = -(at.pdf * at.curvature - at.slope * at.slope) / hess_denominator;
    } else {
        const double z_upper = right_censored ? 0 : (Log(bounds.upper) - margin) / sigma;
        const double z_lower = left_censored ? 0 : (Log(bounds.lower) - margin) / sigma;
        const NoiseAt upper = right_censored ? NoiseAt{.cdf = 1} : At(noise, z_upper);
        const NoiseAt lower = left_censored ? NoiseAt{} : At(noise, z_lower);
        far_above = z_upper > 0 || z_lower > 0;
        const double mass = upper.cdf - lower.cdf;
        const double pdf_step = upper.pdf - lower.pdf;
        grad_denominator = sigma * mass;
        hess_denominator = grad_denominator * grad_denominator;
        derivatives.grad = pdf_step / grad_denominator;
        derivatives.hess = -(mass * (upper.slope - lower.slope) - pdf_step * pdf_step) / hess_denominator;
    }
    const AftDerivatives limits = Limits(noise, event, right_censored, left_censored, far_above, sigma);
    if (grad_denominator < kSmall && !std::isfinite(derivatives.grad)) derivatives.grad = limits.grad;
    if (hess_denominator < kSmall && !std::isfinite(derivatives.hess)) derivatives.hess = limits.hess;
    derivatives.grad = std::clamp(derivatives.grad, -kGradientMax, kGradientMax);
    derivatives.hess = std::clamp(derivatives.hess, kHessianMin, kHessianMax);
    return derivatives;
}

}  // namespace espalier::learn
