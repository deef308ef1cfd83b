#include "learn/exact_quantile.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace espalier::learn {

namespace {

constexpr int kBitsPerPass = 8;
constexpr std::size_t kBins = std::size_t{1} << kBitsPerPass;

/// Unsigned integers in the order of the floats.
std::uint32_t KeyOf(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    return (bits >> 31U) != 0 ? ~bits : bits | 0x80000000U;
}

float ValueOf(std::uint32_t key) {
    return std::bit_cast<float>((key >> 31U) != 0 ? key & 0x7FFFFFFFU : ~key);
}

/// The smallest value of a sample whose cumulated weight is at least `target` units.
struct Want {
    std::size_t sample = 0;
    std::int64_t target = 1;
    std::uint32_t key = 0;  ///< the bits found so far, the rest 0
};

class Selection {
  public:
    Selection(std::span<const QuantileSample> samples, bool weighted, int exponent, WorkerTeam& team,
              collective::Comm& comm)
        : samples_(samples), weighted_(weighted), units_(std::ldexp(1.0, exponent)), team_(team), comm_(comm) {}

    Result<std::vector<std::int64_t>> Totals() {
        std::vector<std::int64_t> totals(samples_.size(), 0);
        team_.ForEach(samples_.size(), [&](std::size_t s, int) {
            for (std::size_t i = 0; i < samples_[s].values.size(); ++i) totals[s] += WeightOf(s, i);
        });
        TRY(comm_.AllReduceSum(totals));
        return totals;
    }

    Result<void> Find(std::vector<Want>& wants) {
        std::vector<std::int64_t> bins(wants.size() * kBins);
        for (int shift = 32 - kBitsPerPass; shift >= 0; shift -= kBitsPerPass) {
            std::fill(bins.begin(), bins.end(), 0);
            team_.ForEach(wants.size(), [&](std::size_t w, int) { Count(wants[w], shift, bins.data() + w * kBins); });
            TRY(comm_.AllReduceSum(bins));
            for (std::size_t w = 0; w < wants.size(); ++w) {
                const std::int64_t* of_want = bins.data() + w * kBins;
                std::uint32_t bin = 0;
                while (bin + 1 < kBins && of_want[bin] < wants[w].target) wants[w].target -= of_want[bin++];
                wants[w].key |= bin << static_cast<unsigned>(shift);
            }
        }
        return {};
    }

  private:
    std::int64_t WeightOf(std::size_t sample, std::size_t i) const {
        if (!weighted_) return 1;
        return static_cast<std::int64_t>(static_cast<double>(samples_[sample].weights[i]) * units_ + 0.5);
    }

    void Count(const Want& want, int shift, std::int64_t* bins) const {
        const std::vector<float>& values = samples_[want.sample].values;
        // Shifting by 32 is undefined, so the bits above are compared in 64.
        const auto above = [&](std::uint32_t key) {
            return static_cast<std::uint64_t>(key) >> static_cast<unsigned>(shift + kBitsPerPass);
        };
        const std::uint64_t found = above(want.key);
        for (std::size_t i = 0; i < values.size(); ++i) {
            const std::uint32_t key = KeyOf(values[i]);
            if (above(key) != found) continue;
            bins[(key >> static_cast<unsigned>(shift)) & (kBins - 1)] += WeightOf(want.sample, i);
        }
    }

    std::span<const QuantileSample> samples_;
    bool weighted_;
    double units_;
    WorkerTeam& team_;
    collective::Comm& comm_;
};

/// Places of the two neighbours among n sorted values, from 1, and how far to go from the first to the second.
struct Neighbours {
    std::int64_t first = 1;
    std::int64_t second = 1;
    double share = 0;
};

Neighbours NeighboursOf(double alpha, std::int64_t n) {
    const auto count = static_cast<double>(n);
    if (alpha <= 1 / (count + 1)) return {1, 1, 0};
    if (alpha >= count / (count + 1)) return {n, n, 0};
    const double place = alpha * (count + 1);
    const double whole = std::floor(place);
    return {static_cast<std::int64_t>(whole), static_cast<std::int64_t>(whole) + 1, place - whole};
}

/// alpha of the total as the float stock compares with, rounded up to a whole unit, at least one.
std::int64_t ReachOf(double alpha, std::int64_t total, int exponent) {
    const auto weight = static_cast<float>(std::ldexp(static_cast<double>(total), -exponent));
    const auto reach = static_cast<float>(static_cast<double>(weight) * alpha);
    const auto units = static_cast<std::int64_t>(std::ceil(std::ldexp(static_cast<double>(reach), exponent)));
    return std::clamp<std::int64_t>(units, 1, std::max<std::int64_t>(total, 1));
}

Result<int> AgreeOnExponent(std::span<const QuantileSample> samples, std::uint64_t total_values,
                            collective::Comm& comm) {
    std::vector<double> greatest = {0};
    for (const QuantileSample& sample : samples) {
        for (const float weight : sample.weights) greatest[0] = std::max(greatest[0], static_cast<double>(weight));
    }
    TRY(comm.AllReduceMax(std::span<double>(greatest)));
    int magnitude = 0;
    std::frexp(greatest[0], &magnitude);
    return 61 - static_cast<int>(std::bit_width(total_values)) - magnitude;
}

}  // namespace

Result<std::vector<float>> ExactQuantiles(std::span<const QuantileSample> samples, bool weighted,
                                          std::uint64_t total_values, WorkerTeam& team, collective::Comm& comm) {
    int exponent = 0;
    if (weighted) exponent = TRY(AgreeOnExponent(samples, total_values, comm));
    Selection selection(samples, weighted, exponent, team, comm);
    const std::vector<std::int64_t> totals = TRY(selection.Totals());
    std::vector<Want> wants;
    for (std::size_t s = 0; s < samples.size(); ++s) {
        if (weighted) {
            wants.push_back({s, ReachOf(samples[s].alpha, totals[s], exponent)});
        } else {
            const Neighbours neighbours = NeighboursOf(samples[s].alpha, totals[s]);
            wants.push_back({s, neighbours.first});
            wants.push_back({s, neighbours.second});
        }
    }
    TRY(selection.Find(wants));
    std::vector<float> quantiles(samples.size(), std::numeric_limits<float>::quiet_NaN());
    for (std::size_t s = 0; s < samples.size(); ++s) {
        if (totals[s] == 0) continue;
        if (weighted) {
            quantiles[s] = ValueOf(wants[s].key);
            continue;
        }
        const float first = ValueOf(wants[2 * s].key);
        const float second = ValueOf(wants[2 * s + 1].key);
        const double share = NeighboursOf(samples[s].alpha, totals[s]).share;
        quantiles[s] = static_cast<float>(static_cast<double>(first) + share * static_cast<double>(second - first));
    }
    return quantiles;
}

}  // namespace espalier::learn
