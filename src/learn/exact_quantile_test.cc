#include "learn/exact_quantile.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <thread>

#include "collective/thread_comm.h"

namespace espalier::learn {
namespace {

/// Samples dealt over `num_ranks` ranks, values in turn; what rank 0 got.
std::vector<float> Quantiles(const std::vector<QuantileSample>& whole, bool weighted, int num_ranks) {
    auto comms = collective::ThreadComm::CreateGroup({.size = num_ranks});
    std::vector<std::vector<float>> results(static_cast<std::size_t>(num_ranks));
    std::vector<std::jthread> threads;
    for (int rank = 0; rank < num_ranks; ++rank) {
        threads.emplace_back([&, rank] {
            std::vector<QuantileSample> mine(whole.size());
            for (std::size_t s = 0; s < whole.size(); ++s) {
                mine[s].alpha = whole[s].alpha;
                for (std::size_t i = static_cast<std::size_t>(rank); i < whole[s].values.size();
                     i += static_cast<std::size_t>(num_ranks)) {
                    mine[s].values.push_back(whole[s].values[i]);
                    if (weighted) mine[s].weights.push_back(whole[s].weights[i]);
                }
            }
            WorkerTeam team(2);
            results[static_cast<std::size_t>(rank)] =
                ExactQuantiles(mine, weighted, 1000, team, *comms[static_cast<std::size_t>(rank)]).value();
        });
    }
    threads.clear();
    for (const auto& result : results) {
        EXPECT_TRUE(std::equal(result.begin(), result.end(), results[0].begin(),
                               [](float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); }));
    }
    return results[0];
}

std::vector<QuantileSample> MakeSamples() {
    std::mt19937 rng(5);
    std::vector<QuantileSample> samples;
    for (const std::size_t size : {0U, 1U, 2U, 3U, 100U, 301U}) {
        for (const double alpha : {0.0, 0.05, 0.5, 0.9, 1.0}) {
            QuantileSample sample;
            sample.alpha = alpha;
            for (std::size_t i = 0; i < size; ++i) {
                sample.values.push_back(static_cast<float>(static_cast<int>(rng() % 200) - 100) / 7.0F);
                sample.weights.push_back(static_cast<float>(rng() % 4) * 0.25F + 0.25F);
            }
            samples.push_back(std::move(sample));
        }
    }
    return samples;
}

TEST(ExactQuantiles, InterpolateSortedValues) {
    const std::vector<QuantileSample> samples = MakeSamples();
    const std::vector<float> one = Quantiles(samples, false, 1);
    for (std::size_t s = 0; s < samples.size(); ++s) {
        std::vector<float> sorted = samples[s].values;
        std::sort(sorted.begin(), sorted.end());
        const auto n = static_cast<double>(sorted.size());
        if (sorted.empty()) {
            EXPECT_TRUE(std::isnan(one[s]));
            continue;
        }
        // Place alpha (n + 1) from 1, held within the values.
        const double place = std::clamp(samples[s].alpha * (n + 1), 1.0, n);
        const auto below = static_cast<std::size_t>(place) - 1;
        const std::size_t above = std::min(below + 1, sorted.size() - 1);
        const double share = place - std::floor(place);
        EXPECT_NEAR(one[s], sorted[below] + share * (sorted[above] - sorted[below]), 1e-5) << s;
    }
    const std::vector<float> three = Quantiles(samples, false, 3);
    for (std::size_t s = 5; s < samples.size(); ++s) EXPECT_EQ(one[s], three[s]) << s;
}

TEST(ExactQuantiles, WeightsReachAlpha) {
    const std::vector<QuantileSample> samples = MakeSamples();
    const std::vector<float> one = Quantiles(samples, true, 1);
    for (std::size_t s = 5; s < samples.size(); ++s) {
        std::vector<std::pair<float, float>> sorted;
        float total = 0;
        for (std::size_t i = 0; i < samples[s].values.size(); ++i) {
            sorted.emplace_back(samples[s].values[i], samples[s].weights[i]);
            total += samples[s].weights[i];
        }
        std::sort(sorted.begin(), sorted.end());
        std::size_t i = 0;
        const auto reach = static_cast<float>(samples[s].alpha * static_cast<double>(total));
        for (float sum = sorted[0].second; sum < reach;) {
            sum += sorted[++i].second;
        }
        EXPECT_EQ(one[s], sorted[i].first) << s;
    }
    const std::vector<float> three = Quantiles(samples, true, 3);
    for (std::size_t s = 5; s < samples.size(); ++s) EXPECT_EQ(one[s], three[s]) << s;
}

}  // namespace
}  // namespace espalier::learn
