// A Gaussian process over points of a cube: what to expect at a point, given the values at others.
//
// Kernel: Matern 5/2 with a length for each coordinate, plus noise. Values are standardised inside. Lengths, amplitude
// and noise are those of the greatest posterior under weak priors, found by gradient ascent from two starts; nothing is
// random. O(points^3) per step: callers keep to kPointsMax points. Immutable once fitted; thread-safe.
// Source: Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), 2.2, 4.2.1, 5.4.1; priors on lengths
// that grow with the root of the dimension: Hvarfner, Hellsten and Nardi, "Vanilla Bayesian Optimization Performs Great
// in High Dimensions" (2024).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace espalier::jobs {

class GaussianProcess {
  public:
    static constexpr std::size_t kPointsMax = 128;

    struct Prediction {
        double mean = 0;
        double deviation = 0;  ///< of the value without its noise
    };

    /// At least one point; all points have the same number of coordinates.
    static GaussianProcess Fit(std::vector<std::vector<double>> points, std::span<const double> values);

    Prediction Predict(std::span<const double> point) const;
    /// The same process with one more point whose value is what is expected there: for a trial that is under way.
    GaussianProcess Believe(const std::vector<double>& point) const;

  private:
    struct Parameters {
        std::vector<double> log_lengths;
        double log_amplitude = 0;  ///< of the variance
        double log_noise = 0;      ///< of the variance
    };
    struct Posterior {
        double value = 0;
        std::vector<double> gradient;  ///< by log_lengths..., log_amplitude, log_noise
    };

    GaussianProcess() = default;
    void Factor();
    Posterior Evaluate(const Parameters& parameters) const;
    Parameters Climb(Parameters start) const;
    double Covariance(std::span<const double> a, std::span<const double> b) const;

    std::vector<std::vector<double>> points_;
    std::vector<double> values_;  ///< standardised
    double mean_ = 0;
    double scale_ = 1;
    Parameters parameters_;
    std::vector<double> inverse_lengths_;
    std::vector<double> factor_;   ///< Cholesky's lower triangle, row-major
    std::vector<double> weights_;  ///< covariance^-1 values
};

}  // namespace espalier::jobs
