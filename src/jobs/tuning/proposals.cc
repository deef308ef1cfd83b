#include "jobs/tuning/proposals.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "jobs/tuning/gaussian_process.h"

namespace espalier::jobs {
namespace {

constexpr std::uint64_t kFirstTrialsMin = 3;
constexpr std::uint64_t kFirstTrialsMax = 8;
constexpr std::size_t kSpreadCandidates = 768;
constexpr std::size_t kNearCandidates = 48;  // around each of the best points
constexpr std::size_t kBestPoints = 5;
constexpr std::size_t kRefinements = 3;
constexpr double kNearDeviation = 0.15;

/// Numbers that depend on what they are for only (splitmix64: Steele, Lea and Flood, 2014).
class Draws {
  public:
    Draws(std::uint64_t seed, std::uint64_t number, std::uint64_t purpose)
        : state_(Mix(Mix(Mix(seed) ^ number) ^ purpose)) {}

    double Even() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }
    double Normal() {
        const double radius = std::sqrt(-2.0 * std::log(1.0 - Even()));
        return radius * std::cos(2.0 * std::numbers::pi * Even());
    }

  private:
    static std::uint64_t Mix(std::uint64_t x) {
        x += 0x9E3779B97F4A7C15ULL;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
        return x ^ (x >> 31);
    }
    std::uint64_t Next() {
        state_ += 0x9E3779B97F4A7C15ULL;
        return Mix(state_);
    }

    std::uint64_t state_;
};

enum Purpose : std::uint64_t { kRandomPoint, kSpreadShift, kCandidates };

/// Point `index` of an even sequence (Roberts' R_d: powers of the root of x^(d+1) = x + 1), shifted by the seed.
class SpreadPoints {
  public:
    SpreadPoints(std::size_t num_coordinates, std::uint64_t seed, std::uint64_t number, std::uint64_t purpose) {
        double root = 2.0;
        for (int i = 0; i < 50; ++i) root = std::pow(1.0 + root, 1.0 / (static_cast<double>(num_coordinates) + 1.0));
        Draws draws(seed, number, purpose);
        double power = 1.0;
        for (std::size_t d = 0; d < num_coordinates; ++d) {
            power /= root;
            steps_.push_back(power);
            shifts_.push_back(draws.Even());
        }
    }

    CubePoint At(std::uint64_t index) const {
        CubePoint point;
        for (std::size_t d = 0; d < steps_.size(); ++d) {
            const double place = shifts_[d] + static_cast<double>(index + 1) * steps_[d];
            point.push_back(place - std::floor(place));
        }
        return point;
    }

  private:
    std::vector<double> steps_;
    std::vector<double> shifts_;
};

/// Values far above the middle are drawn in: how bad a bad trial was says little about where good ones are.
std::vector<double> DrawnIn(const std::vector<TrialValue>& trials) {
    std::vector<double> sorted;
    for (const TrialValue& trial : trials) sorted.push_back(trial.value);
    std::sort(sorted.begin(), sorted.end());
    const double middle = sorted[sorted.size() / 2];
    const double spread = middle - sorted.front();
    std::vector<double> values;
    for (const TrialValue& trial : trials) {
        const double above = trial.value - middle;
        values.push_back(above > 0 && spread > 0 ? middle + spread * std::log1p(above / spread) : trial.value);
    }
    return values;
}

/// Of too many trials the best half and the latest half.
std::vector<TrialValue> Telling(const std::vector<TrialValue>& trials) {
    if (trials.size() <= GaussianProcess::kPointsMax) return trials;
    std::vector<std::size_t> order(trials.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return trials[a].value < trials[b].value; });
    std::set<std::size_t> kept(order.begin(), order.begin() + GaussianProcess::kPointsMax / 2);
    for (std::size_t i = trials.size(); kept.size() < GaussianProcess::kPointsMax;) kept.insert(--i);
    std::vector<TrialValue> chosen;
    for (const std::size_t i : kept) chosen.push_back(trials[i]);
    return chosen;
}

/// log of phi(z) + z Phi(z), the expected improvement of a standard normal beyond -z; exact enough far out, where the
/// thing itself is 0 in double.
double LogImprovement(double z) {
    const double log_density = -0.5 * z * z - 0.5 * std::log(2.0 * std::numbers::pi);
    if (z < -5.0) return log_density - 2.0 * std::log(-z);
    return std::log(std::exp(log_density) + z * 0.5 * std::erfc(-z / std::numbers::sqrt2));
}

/// Searches the cube for the point a model promises most of.
class ImprovementSearch {
  public:
    ImprovementSearch(const SearchSpace& space, const TrialHistory& history)
        : space_(space), process_(FitTo(space, history)) {
        best_value_ = std::numeric_limits<double>::infinity();
        for (const TrialValue& trial : Telling(history.ended)) {
            const std::vector<double> features = space.Features(trial.point);
            best_value_ = std::min(best_value_, process_.Predict(features).mean);
            tried_.insert(features);
        }
        for (const CubePoint& point : history.pending) tried_.insert(space.Features(point));
    }

    /// log of the expected improvement.
    double Score(const CubePoint& point) const {
        const GaussianProcess::Prediction prediction = process_.Predict(space_.Features(point));
        if (prediction.deviation <= 0) return -std::numeric_limits<double>::infinity();
        return std::log(prediction.deviation) + LogImprovement((best_value_ - prediction.mean) / prediction.deviation);
    }
    bool IsTried(const CubePoint& point) const { return tried_.contains(space_.Features(point)); }

    std::pair<CubePoint, double> Best(std::uint64_t seed, std::uint64_t number, std::span<const CubePoint> near) const {
        Draws draws(seed, number, kCandidates);
        const SpreadPoints spread(space_.size(), seed, number, kCandidates);
        Choice choice;
        for (std::size_t i = 0; i < kSpreadCandidates; ++i) Consider(spread.At(i), choice);
        for (const CubePoint& center : near) {
            for (std::size_t i = 0; i < kNearCandidates; ++i) Consider(Near(center, kNearDeviation, draws), choice);
        }
        double deviation = kNearDeviation / 3.0;
        for (std::size_t round = 0; round < kRefinements; ++round, deviation /= 3.0) {
            const CubePoint center = choice.point;
            for (std::size_t i = 0; i < kNearCandidates; ++i) Consider(Near(center, deviation, draws), choice);
        }
        return {choice.point, choice.score};
    }

  private:
    struct Choice {
        CubePoint point;
        bool is_new = false;
        double score = -std::numeric_limits<double>::infinity();
    };

    static GaussianProcess FitTo(const SearchSpace& space, const TrialHistory& history) {
        const std::vector<TrialValue> trials = Telling(history.ended);
        std::vector<std::vector<double>> points;
        for (const TrialValue& trial : trials) points.push_back(space.Features(trial.point));
        GaussianProcess process = GaussianProcess::Fit(std::move(points), DrawnIn(trials));
        for (const CubePoint& point : history.pending) process = process.Believe(space.Features(point));
        return process;
    }

    /// A point that has not been tried yet goes before any that has.
    void Consider(CubePoint point, Choice& choice) const {
        const bool is_new = !IsTried(point);
        if (choice.is_new && !is_new) return;
        const double score = Score(point);
        if (choice.point.empty() || (is_new && !choice.is_new) || score > choice.score)
            choice = {.point = std::move(point), .is_new = is_new, .score = score};
    }

    static CubePoint Near(const CubePoint& center, double deviation, Draws& draws) {
        CubePoint point;
        for (const double coordinate : center) {
            // Some coordinates stay, so that a search can move along the others.
            const bool stays = draws.Even() < 0.4;
            const double moved = coordinate + deviation * draws.Normal();
            point.push_back(stays ? coordinate : std::clamp(moved, 0.0, std::nextafter(1.0, 0.0)));
        }
        return point;
    }

    const SearchSpace& space_;
    GaussianProcess process_;
    double best_value_ = 0;
    std::set<std::vector<double>> tried_;
};

std::vector<CubePoint> BestPoints(const TrialHistory& history) {
    std::vector<TrialValue> trials = history.ended;
    std::stable_sort(trials.begin(), trials.end(),
                     [](const TrialValue& a, const TrialValue& b) { return a.value < b.value; });
    std::vector<CubePoint> points;
    for (std::size_t i = 0; i < std::min(kBestPoints, trials.size()); ++i) points.push_back(trials[i].point);
    return points;
}

}  // namespace

CubePoint ProposeRandom(const SearchSpace& space, std::uint64_t seed, std::uint64_t number) {
    Draws draws(seed, number, kRandomPoint);
    CubePoint point;
    for (std::size_t i = 0; i < space.size(); ++i) point.push_back(draws.Even());
    return point;
}

std::uint64_t NumFirstTrials(const SearchSpace& space) {
    return std::clamp<std::uint64_t>(space.size() + 1, kFirstTrialsMin, kFirstTrialsMax);
}

CubePoint ProposeBayesian(const SearchSpace& space, std::uint64_t seed, std::uint64_t number,
                          const TrialHistory& history) {
    const bool knows_enough = history.ended.size() >= NumFirstTrials(space);
    if (!knows_enough) return SpreadPoints(space.size(), seed, 0, kSpreadShift).At(number);
    return ImprovementSearch(space, history).Best(seed, number, BestPoints(history)).first;
}

double RemainingImprovement(const SearchSpace& space, std::uint64_t seed, const TrialHistory& history) {
    if (history.ended.size() < 2 * NumFirstTrials(space)) return std::numeric_limits<double>::infinity();
    const std::vector<double> values = DrawnIn(history.ended);
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    if (!(*high > *low)) return 0.0;
    const ImprovementSearch search(space, history);
    return std::exp(search.Best(seed, history.ended.size(), BestPoints(history)).second) / (*high - *low);
}

}  // namespace espalier::jobs
