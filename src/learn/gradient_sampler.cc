#include "learn/gradient_sampler.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "learn/random.h"

namespace espalier::learn {

namespace {

constexpr std::size_t kBlockRows = 8192;
constexpr float kHessianShare = 0.1F;   // kDefaultMvsLambda of xgboost.
constexpr float kThresholdMin = 1e-6F;  // kRtEps of xgboost.
constexpr std::size_t kNumIntervals = std::size_t{1} << 16;

/// Counts and exact sums of the scores that fall into intervals of equal upper, then equal lower bits.
struct Intervals {
    std::vector<std::int64_t> counts_and_sums = std::vector<std::int64_t>(2 * kNumIntervals, 0);

    std::int64_t count(std::size_t interval) const { return counts_and_sums[2 * interval]; }
    std::int64_t sum(std::size_t interval) const { return counts_and_sums[2 * interval + 1]; }
};

float ScoreOfBits(std::uint64_t bits) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits));
}

}  // namespace

GradientSampler::GradientSampler(const TrainParams& params, std::span<const RowSegment> row_segments,
                                 std::uint64_t total_rows, WorkerTeam& team, collective::Comm& comm)
    : params_(params),
      row_segments_(row_segments.begin(), row_segments.end()),
      total_rows_(total_rows),
      team_(team),
      comm_(comm) {}

/// With h(u) = sum of min(1, score / u) falling in u, the threshold is where h is num_kept. At the lower end e of an
/// interval h(e) = (sum of the scores below e) / e + (number of the others) is exact; the last e with h(e) >= num_kept
/// begins the interval that holds the threshold. The first pass finds the upper 16 bits, the second the lower.
Result<float> GradientSampler::FindThreshold(std::uint64_t num_kept) const {
    std::vector<std::int64_t> greatest = {0};
    for (const float score : scores_) {
        greatest[0] = std::max<std::int64_t>(greatest[0], std::bit_cast<std::int32_t>(score));
    }
    TRY(comm_.AllReduceMax(std::span<std::int64_t>(greatest)));
    int magnitude = 0;
    std::frexp(ScoreOfBits(static_cast<std::uint64_t>(greatest[0])), &magnitude);
    const int exponent = 61 - static_cast<int>(std::bit_width(total_rows_)) - magnitude;
    const double unit = std::ldexp(1.0, -exponent);

    std::int64_t count_below = 0;
    std::int64_t sum_below = 0;
    std::uint64_t first_bits = 0;
    for (const int shift : {16, 0}) {
        Intervals intervals;
        for (const float score : scores_) {
            const std::uint64_t bits = std::bit_cast<std::uint32_t>(score);
            if (shift == 0 && bits >> 16 != first_bits >> 16) continue;
            const std::size_t interval = (bits >> shift) & (kNumIntervals - 1);
            intervals.counts_and_sums[2 * interval] += 1;
            intervals.counts_and_sums[2 * interval + 1] += std::llround(std::ldexp(double{score}, exponent));
        }
        TRY(comm_.AllReduceSum(intervals.counts_and_sums));
        for (std::size_t interval = 0;; ++interval) {
            // Goes on as long as h at the end of this interval, the begin of the next, is not below num_kept.
            const std::uint64_t next_bits = first_bits + (std::uint64_t{1} << shift);
            const auto below = static_cast<double>(sum_below + intervals.sum(interval)) * unit;
            const auto above =
                static_cast<double>(static_cast<std::int64_t>(total_rows_) - count_below - intervals.count(interval));
            const bool last = interval + 1 == kNumIntervals || next_bits > static_cast<std::uint64_t>(greatest[0]) + 1;
            if (last || below / double{ScoreOfBits(next_bits)} + above < static_cast<double>(num_kept)) {
                if (shift == 0) {
                    const double left = static_cast<double>(num_kept) - above;
                    return left > 0 ? static_cast<float>(below / left) : std::numeric_limits<float>::max();
                }
                break;
            }
            first_bits = next_bits;
            sum_below += intervals.sum(interval);
            count_below += intervals.count(interval);
        }
    }
    return 0.0F;
}

void GradientSampler::Draw(const DrawStream& stream, float threshold, const float* grad, const float* hess,
                           std::size_t source) {
    const std::size_t num_rows = scores_.size();
    float* out_grad = grad_.data() + source * num_rows;
    float* out_hess = hess_.data() + source * num_rows;
    team_.ForBlocks(num_rows, kBlockRows, [&](std::size_t begin, std::size_t end, int) {
        ForEachIdentity(row_segments_, begin, end, [&](std::size_t row, std::uint64_t identity) {
            const float probability = scores_[row] / std::max(threshold, kThresholdMin);
            float factor = 0;
            if (probability >= 1) {
                factor = 1;
            } else if (probability > 0 && stream.Uniform(identity) <= double{probability}) {
                factor = 1.0F / probability;
            }
            out_grad[row] = grad[row] * factor;
            out_hess[row] = hess[row] * factor;
        });
    });
}

Result<void> GradientSampler::Sample(std::uint64_t iteration, std::span<const float> grad,
                                     std::span<const float> hess) {
    const auto num_groups = static_cast<std::size_t>(params_.num_groups());
    const auto parallel = static_cast<std::size_t>(params_.num_parallel_tree);
    const std::size_t num_targets = params_.vector_leaves ? num_groups : 1;  // of one tree
    const std::size_t num_rows = grad.size() / num_groups;
    const auto num_kept = static_cast<std::uint64_t>(static_cast<float>(total_rows_) * params_.subsample);
    scores_.resize(num_rows);
    grad_.resize(num_groups * parallel * num_rows);
    hess_.resize(grad_.size());
    for (std::size_t first = 0; first < num_groups; first += num_targets) {
        const float* g = grad.data() + first * num_rows;
        const float* h = hess.data() + first * num_rows;
        team_.ForBlocks(num_rows, kBlockRows, [&](std::size_t begin, std::size_t end, int) {
            for (std::size_t row = begin; row < end; ++row) {
                float squares = 0;
                for (std::size_t i = row; i < num_targets * num_rows; i += num_rows) {
                    squares += g[i] * g[i] + kHessianShare * (h[i] * h[i]);
                }
                scores_[row] = std::sqrt(squares);
            }
        });
        float threshold = std::numeric_limits<float>::infinity();  // Of an empty sample.
        if (num_kept > 0) threshold = TRY(FindThreshold(num_kept));
        for (std::size_t nth = 0; nth < parallel; ++nth) {
            const std::size_t tree = first / num_targets * parallel + nth;
            const DrawStream stream(params_.seed, iteration, tree, DrawPurpose::kRow);
            for (std::size_t target = 0; target < num_targets; ++target) {
                Draw(stream, threshold, g + target * num_rows, h + target * num_rows, tree * num_targets + target);
            }
        }
    }
    return {};
}

}  // namespace espalier::learn
