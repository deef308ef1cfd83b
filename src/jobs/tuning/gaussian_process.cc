#include "jobs/tuning/gaussian_process.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace espalier::jobs {
namespace {

constexpr double kRootFive = 2.2360679774997896964;
constexpr double kJitter = 1e-9;
constexpr int kSteps = 60;

// Priors on logarithms: normal with these means and deviations.
constexpr double kLengthDeviation = 1.0;
constexpr double kAmplitudeDeviation = 1.0;
constexpr double kNoiseMean = -5.0;
constexpr double kNoiseDeviation = 2.0;

double LengthMean(std::size_t num_coordinates) {
    return std::log(0.4) + 0.5 * std::log(static_cast<double>(num_coordinates));
}

/// In place: the lower triangle of the symmetric n x n matrix becomes its Cholesky factor. False when the matrix is not
/// positive definite.
bool Cholesky(std::vector<double>& matrix, std::size_t n) {
    for (std::size_t j = 0; j < n; ++j) {
        for (std::size_t i = j; i < n; ++i) {
            double sum = matrix[i * n + j];
            for (std::size_t k = 0; k < j; ++k) sum -= matrix[i * n + k] * matrix[j * n + k];
            if (i == j) {
                if (!(sum > 0)) return false;
                matrix[j * n + j] = std::sqrt(sum);
            } else {
                matrix[i * n + j] = sum / matrix[j * n + j];
            }
        }
    }
    return true;
}

/// Solves factor x = b in place.
void SolveLower(const std::vector<double>& factor, std::size_t n, std::span<double> b) {
    for (std::size_t i = 0; i < n; ++i) {
        double sum = b[i];
        for (std::size_t k = 0; k < i; ++k) sum -= factor[i * n + k] * b[k];
        b[i] = sum / factor[i * n + i];
    }
}

/// Solves factor^T x = b in place.
void SolveUpper(const std::vector<double>& factor, std::size_t n, std::span<double> b) {
    for (std::size_t i = n; i-- > 0;) {
        double sum = b[i];
        for (std::size_t k = i + 1; k < n; ++k) sum -= factor[k * n + i] * b[k];
        b[i] = sum / factor[i * n + i];
    }
}

/// Matern 5/2 of a scaled distance, for amplitude 1.
double Matern(double distance) {
    const double t = kRootFive * distance;
    return (1.0 + t + t * t / 3.0) * std::exp(-t);
}

double Square(double x) {
    return x * x;
}

}  // namespace

double GaussianProcess::Covariance(std::span<const double> a, std::span<const double> b) const {
    double squares = 0;
    for (std::size_t d = 0; d < a.size(); ++d) squares += Square((a[d] - b[d]) * inverse_lengths_[d]);
    return std::exp(parameters_.log_amplitude) * Matern(std::sqrt(squares));
}

GaussianProcess::Posterior GaussianProcess::Evaluate(const Parameters& parameters) const {
    const std::size_t n = points_.size();
    const std::size_t num_coordinates = points_[0].size();
    const double amplitude = std::exp(parameters.log_amplitude);
    const double noise = std::exp(parameters.log_noise);
    std::vector<double> inverse_squares(num_coordinates);
    for (std::size_t d = 0; d < num_coordinates; ++d) inverse_squares[d] = std::exp(-2.0 * parameters.log_lengths[d]);

    std::vector<double> matern(n * n);
    std::vector<double> slope(n * n);  // of the covariance by each squared scaled difference
    std::vector<double> factor(n * n);
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j <= i; ++j) {
            double squares = 0;
            for (std::size_t d = 0; d < num_coordinates; ++d)
                squares += Square(points_[i][d] - points_[j][d]) * inverse_squares[d];
            const double t = kRootFive * std::sqrt(squares);
            const double decay = std::exp(-t);
            matern[i * n + j] = (1.0 + t + t * t / 3.0) * decay;
            slope[i * n + j] = 5.0 / 3.0 * (1.0 + t) * decay;
            factor[i * n + j] = amplitude * matern[i * n + j] + (i == j ? noise + kJitter : 0.0);
        }
    }
    Posterior posterior{.value = -std::numeric_limits<double>::infinity(),
                        .gradient = std::vector<double>(num_coordinates + 2, 0.0)};
    if (!Cholesky(factor, n)) return posterior;

    std::vector<double> weights = values_;
    SolveLower(factor, n, weights);
    SolveUpper(factor, n, weights);
    double log_determinant = 0;
    for (std::size_t i = 0; i < n; ++i) log_determinant += 2.0 * std::log(factor[i * n + i]);
    posterior.value =
        -0.5 * std::inner_product(values_.begin(), values_.end(), weights.begin(), 0.0) - 0.5 * log_determinant;

    // d/dp = 1/2 sum_ij (w_i w_j - K^-1_ij) dK_ij/dp
    std::vector<double> column(n);
    for (std::size_t j = 0; j < n; ++j) {
        std::fill(column.begin(), column.end(), 0.0);
        column[j] = 1.0;
        SolveLower(factor, n, column);
        SolveUpper(factor, n, column);
        for (std::size_t i = j; i < n; ++i) {
            const double pull = (weights[i] * weights[j] - column[i]) * (i == j ? 0.5 : 1.0);
            for (std::size_t d = 0; d < num_coordinates; ++d) {
                posterior.gradient[d] +=
                    pull * amplitude * slope[i * n + j] * Square(points_[i][d] - points_[j][d]) * inverse_squares[d];
            }
            posterior.gradient[num_coordinates] += pull * amplitude * matern[i * n + j];
            if (i == j) posterior.gradient[num_coordinates + 1] += pull * noise;
        }
    }
    const auto add_prior = [&](std::size_t index, double value, double mean, double deviation) {
        posterior.value -= 0.5 * Square((value - mean) / deviation);
        posterior.gradient[index] -= (value - mean) / Square(deviation);
    };
    for (std::size_t d = 0; d < num_coordinates; ++d)
        add_prior(d, parameters.log_lengths[d], LengthMean(num_coordinates), kLengthDeviation);
    add_prior(num_coordinates, parameters.log_amplitude, 0.0, kAmplitudeDeviation);
    add_prior(num_coordinates + 1, parameters.log_noise, kNoiseMean, kNoiseDeviation);
    return posterior;
}

/// Resilient steps: a step of its own for each parameter, longer while the sign of its slope stays, shorter when it
/// turns (Riedmiller and Braun, 1993). Keeps the best that was seen.
GaussianProcess::Parameters GaussianProcess::Climb(Parameters start) const {
    const std::size_t num_coordinates = points_[0].size();
    const auto entry = [&](Parameters& parameters, std::size_t index) -> double& {
        if (index < num_coordinates) return parameters.log_lengths[index];
        return index == num_coordinates ? parameters.log_amplitude : parameters.log_noise;
    };
    Parameters best = start;
    double best_value = -std::numeric_limits<double>::infinity();
    std::vector<double> steps(num_coordinates + 2, 0.2);
    std::vector<double> last(num_coordinates + 2, 0.0);
    for (int step = 0; step < kSteps; ++step) {
        const Posterior posterior = Evaluate(start);
        if (posterior.value > best_value) {
            best_value = posterior.value;
            best = start;
        }
        for (std::size_t i = 0; i < steps.size(); ++i) {
            const double turn = posterior.gradient[i] * last[i];
            if (turn > 0) steps[i] = std::min(steps[i] * 1.2, 0.5);
            if (turn < 0) steps[i] = std::max(steps[i] * 0.5, 1e-4);
            last[i] = turn < 0 ? 0.0 : posterior.gradient[i];
            const double sign = last[i] > 0 ? 1.0 : (last[i] < 0 ? -1.0 : 0.0);
            entry(start, i) = std::clamp(entry(start, i) + sign * steps[i], -12.0, 6.0);
        }
    }
    return best;
}

void GaussianProcess::Factor() {
    const std::size_t n = points_.size();
    const double noise = std::exp(parameters_.log_noise);
    inverse_lengths_.clear();
    for (const double log_length : parameters_.log_lengths) inverse_lengths_.push_back(std::exp(-log_length));
    for (double jitter = kJitter;; jitter *= 100) {
        factor_.assign(n * n, 0.0);
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t j = 0; j <= i; ++j)
                factor_[i * n + j] = Covariance(points_[i], points_[j]) + (i == j ? noise + jitter : 0.0);
        }
        if (Cholesky(factor_, n)) break;
    }
    weights_ = values_;
    SolveLower(factor_, n, weights_);
    SolveUpper(factor_, n, weights_);
}

GaussianProcess GaussianProcess::Fit(std::vector<std::vector<double>> points, std::span<const double> values) {
    GaussianProcess process;
    process.points_ = std::move(points);
    const auto count = static_cast<double>(values.size());
    process.mean_ = std::accumulate(values.begin(), values.end(), 0.0) / count;
    double squares = 0;
    for (const double value : values) squares += Square(value - process.mean_);
    process.scale_ = squares > 0 ? std::sqrt(squares / count) : 1.0;
    for (const double value : values) process.values_.push_back((value - process.mean_) / process.scale_);

    const std::size_t num_coordinates = process.points_[0].size();
    const Parameters smooth = {.log_lengths = std::vector<double>(num_coordinates, LengthMean(num_coordinates)),
                               .log_amplitude = 0.0,
                               .log_noise = kNoiseMean};
    Parameters rough = smooth;
    for (double& length : rough.log_lengths) length -= 1.0;
    rough.log_noise = -1.0;
    const Parameters from_smooth = process.Climb(smooth);
    const Parameters from_rough = process.Climb(rough);
    const bool smooth_wins = process.Evaluate(from_smooth).value >= process.Evaluate(from_rough).value;
    process.parameters_ = smooth_wins ? from_smooth : from_rough;
    process.Factor();
    return process;
}

GaussianProcess::Prediction GaussianProcess::Predict(std::span<const double> point) const {
    const std::size_t n = points_.size();
    std::vector<double> covariances(n);
    for (std::size_t i = 0; i < n; ++i) covariances[i] = Covariance(point, points_[i]);
    const double mean = std::inner_product(covariances.begin(), covariances.end(), weights_.begin(), 0.0);
    SolveLower(factor_, n, covariances);
    double variance = std::exp(parameters_.log_amplitude);
    for (const double part : covariances) variance -= part * part;
    return {.mean = mean_ + scale_ * mean, .deviation = scale_ * std::sqrt(std::max(variance, 0.0))};
}

GaussianProcess GaussianProcess::Believe(const std::vector<double>& point) const {
    GaussianProcess more = *this;
    const double expected = (Predict(point).mean - mean_) / scale_;
    more.points_.push_back(point);
    more.values_.push_back(expected);
    more.Factor();
    return more;
}

}  // namespace espalier::jobs
