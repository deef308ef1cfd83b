#include "learn/exact_sum.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace espalier::learn {

namespace {

constexpr std::size_t kBlock = 16'384;
constexpr int kSumBits = 61;

}  // namespace

Result<std::vector<double>> ExactSums(std::span<const std::span<const double>> series, std::uint64_t total_values,
                                      WorkerTeam& team, collective::Comm& comm) {
    const auto num_workers = static_cast<std::size_t>(team.num_threads());
    std::vector<double> greatest(series.size() * 2, 0.0);  // The second half: 1 where a value is NaN.
    std::vector<std::int64_t> sums(series.size(), 0);
    std::vector<double> worker_greatest(num_workers);
    std::vector<std::uint8_t> worker_nan(num_workers);
    std::vector<std::int64_t> worker_sum(num_workers);
    for (std::size_t s = 0; s < series.size(); ++s) {
        std::fill(worker_greatest.begin(), worker_greatest.end(), 0.0);
        std::fill(worker_nan.begin(), worker_nan.end(), std::uint8_t{0});
        team.ForBlocks(series[s].size(), kBlock, [&](std::size_t begin, std::size_t end, int worker) {
            double highest = 0;
            bool any_nan = false;
            for (std::size_t i = begin; i < end; ++i) {
                highest = std::max(highest, std::fabs(series[s][i]));
                any_nan = any_nan || std::isnan(series[s][i]);
            }
            if (any_nan) worker_nan[static_cast<std::size_t>(worker)] = 1;
            double& mine = worker_greatest[static_cast<std::size_t>(worker)];
            mine = std::max(mine, highest);
        });
        greatest[s] = *std::max_element(worker_greatest.begin(), worker_greatest.end());
        greatest[series.size() + s] = *std::max_element(worker_nan.begin(), worker_nan.end());
    }
    TRY(comm.AllReduceMax(std::span<double>(greatest)));
    std::vector<int> exponents(series.size(), 0);
    for (std::size_t s = 0; s < series.size(); ++s) {
        if (!(greatest[s] > 0) || std::isinf(greatest[s]) || greatest[series.size() + s] > 0) continue;
        int magnitude = 0;
        std::frexp(greatest[s], &magnitude);
        exponents[s] = kSumBits - static_cast<int>(std::bit_width(total_values)) - magnitude;
        const double units = std::ldexp(1.0, exponents[s]);
        std::fill(worker_sum.begin(), worker_sum.end(), 0);
        team.ForBlocks(series[s].size(), kBlock, [&](std::size_t begin, std::size_t end, int worker) {
            std::int64_t sum = 0;
            for (std::size_t i = begin; i < end; ++i) {
                const double scaled = series[s][i] * units;
                sum += static_cast<std::int64_t>(scaled + (scaled < 0 ? -0.5 : 0.5));
            }
            worker_sum[static_cast<std::size_t>(worker)] += sum;
        });
        for (const std::int64_t sum : worker_sum) sums[s] += sum;
    }
    TRY(comm.AllReduceSum(sums));
    std::vector<double> totals(series.size());
    for (std::size_t s = 0; s < series.size(); ++s) {
        totals[s] = std::isinf(greatest[s]) ? greatest[s] : std::ldexp(static_cast<double>(sums[s]), -exponents[s]);
        if (greatest[series.size() + s] > 0) totals[s] = std::numeric_limits<double>::quiet_NaN();
    }
    return totals;
}

}  // namespace espalier::learn
