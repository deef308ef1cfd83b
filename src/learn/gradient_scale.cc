#include "learn/gradient_scale.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "base/check.h"
#include "kernels/quantise.h"

namespace espalier::learn {

namespace {

constexpr std::size_t kBlockRows = 8192;
// Fine sums stay below 2^61, packed ones below 2^31 (gradients are signed; hessians could use one bit more).
constexpr int kFineSumBits = 61;
constexpr int kFineBits = 51;  // of one value, as kernels/quantise takes them; twice what a float has
constexpr std::int64_t kPackedSumMax = (std::int64_t{1} << 31) - 1;

/// Infinite when a value is not finite: a NaN would get lost among maxima.
double GreatestOf(std::span<const float> values) {
    const float greatest = kernels::GreatestMagnitude(values.data(), values.size());
    return std::isfinite(greatest) ? double{greatest} : std::numeric_limits<double>::infinity();
}

int BitsOf(std::uint64_t value) {
    return static_cast<int>(std::bit_width(value));
}

/// The exponent of the fine unit for values up to `greatest`, of which `total_rows` are added.
int FineExponent(double greatest, std::uint64_t total_rows) {
    if (!(greatest > 0)) return 0;
    int magnitude = 0;
    std::frexp(greatest, &magnitude);  // greatest < 2^magnitude
    return std::min(kFineSumBits - BitsOf(total_rows), kFineBits) - magnitude;
}

/// The smallest shift for which the rounded values add up to no more than kPackedSumMax.
int PackedShift(std::int64_t sum_fine, std::uint64_t total_rows) {
    for (int shift = 0; shift < 62; ++shift) {
        // Rounding adds at most one half to each.
        const std::int64_t bound = (sum_fine >> shift) + 1 + static_cast<std::int64_t>(total_rows / 2 + 1);
        if (bound <= kPackedSumMax) return shift;
    }
    CHECK(false, "{} rows are too many for packed sums", total_rows);
    return 0;
}

}  // namespace

Result<std::vector<GroupScale>> AgreeOnScales(std::span<const float> grad, std::span<const float> hess,
                                              std::size_t num_groups, std::uint64_t total_rows, WorkerTeam& team,
                                              collective::Comm& comm) {
    const std::size_t num_rows = grad.size() / num_groups;
    const std::size_t num_blocks = (num_rows + kBlockRows - 1) / kBlockRows;
    const auto num_workers = static_cast<std::size_t>(team.num_threads());
    std::vector<double> greatest(num_workers * 2 * num_groups, 0.0);
    const auto for_group_blocks = [&](auto body) {
        team.ForEach(num_groups * num_blocks, [&](std::size_t task, int worker) {
            const std::size_t group = task / num_blocks;
            const std::size_t begin = group * num_rows + task % num_blocks * kBlockRows;
            const std::size_t end = std::min(begin + kBlockRows, (group + 1) * num_rows);
            body(group, begin, end, (static_cast<std::size_t>(worker) * num_groups + group) * 2);
        });
    };
    for_group_blocks([&](std::size_t, std::size_t begin, std::size_t end, std::size_t slot) {
        greatest[slot] = std::max(greatest[slot], GreatestOf(grad.subspan(begin, end - begin)));
        greatest[slot + 1] = std::max(greatest[slot + 1], GreatestOf(hess.subspan(begin, end - begin)));
    });
    std::vector<double> agreed(2 * num_groups, 0.0);
    for (std::size_t i = 0; i < greatest.size(); ++i) {
        agreed[i % agreed.size()] = std::max(agreed[i % agreed.size()], greatest[i]);
    }
    TRY(comm.AllReduceMax(std::span<double>(agreed)));
    if (!std::all_of(agreed.begin(), agreed.end(), [](double greatest) { return std::isfinite(greatest); })) {
        return Error(
            ErrorCode::kInvalidArgument,
            "the gradients of a round are too large for float32: the labels are too large for the objective, or "
            "the model ran away. Scale the labels down, or use a smaller eta.");
    }

    std::vector<GroupScale> scales(num_groups);
    for (std::size_t group = 0; group < num_groups; ++group) {
        scales[group].grad_exponent = FineExponent(agreed[2 * group], total_rows);
        scales[group].hess_exponent = FineExponent(agreed[2 * group + 1], total_rows);
    }
    std::vector<std::int64_t> sums(num_workers * 2 * num_groups, 0);
    for_group_blocks([&](std::size_t group, std::size_t begin, std::size_t end, std::size_t slot) {
        sums[slot] += kernels::SumFineMagnitudes(grad.data() + begin, end - begin, scales[group].fine_grads_per_one());
        sums[slot + 1] +=
            kernels::SumFineMagnitudes(hess.data() + begin, end - begin, scales[group].fine_hessians_per_one());
    });
    std::vector<std::int64_t> totals(2 * num_groups, 0);
    for (std::size_t i = 0; i < sums.size(); ++i) totals[i % totals.size()] += sums[i];
    TRY(comm.AllReduceSum(totals));
    for (std::size_t group = 0; group < num_groups; ++group) {
        scales[group].grad_shift = PackedShift(totals[2 * group], total_rows);
        scales[group].hess_shift = PackedShift(totals[2 * group + 1], total_rows);
    }
    return scales;
}

}  // namespace espalier::learn
