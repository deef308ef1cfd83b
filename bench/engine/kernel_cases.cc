#include "engine/kernel_cases.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>

#include "engine/timing.h"
#include "kernels/array_math.h"
#include "kernels/cell_arithmetic.h"
#include "kernels/histogram.h"
#include "kernels/key_sort.h"
#include "kernels/plain_rows.h"
#include "kernels/quantise.h"
#include "kernels/root_histogram.h"
#include "kernels/row_split.h"
#include "kernels/simd_targets.h"
#include "kernels/split_sieve.h"
#include "kernels/text_match.h"
#include "kernels/text_number.h"
#include "kernels/value_buckets.h"
#include "kernels/value_range.h"

namespace espalier::bench {
namespace {

using kernels::PackedPair;

constexpr std::size_t kRows = 8192;
constexpr std::size_t kFeatures = 28;
constexpr std::size_t kClasses = 7;
constexpr std::size_t kTrees = 8;
constexpr std::size_t kByteCells = 256;
constexpr std::size_t kKeys = 65'536;
constexpr std::size_t kTextRows = 512;
constexpr int kBucketBits = 15;
// Shorter work is repeated until it is long enough for the clock.
constexpr double kSecondsMin = 1e-3;

struct Case {
    std::string kernel;
    std::string piece;
    std::size_t num_pieces;
    std::function<void()> run;
    std::span<std::byte> output;
};

template <typename T>
std::span<std::byte> BytesOf(std::vector<T>& values) {
    return std::as_writable_bytes(std::span(values));
}

/// Inputs and outputs of all cases.
class Workbench {
  public:
    Workbench() {
        for (float& value : values_) value = static_cast<float>(Next() % 20'001) / 1000.0F - 10.0F;
        for (std::size_t i = 0; i < magnitudes_.size(); ++i) magnitudes_[i] = 0.001F + std::abs(values_[i]);
        for (std::size_t row = 0; row < kRows; ++row) {
            rows_[row] = static_cast<std::uint16_t>(row);
            labels_[row] = static_cast<float>(Next() % kClasses);
            pairs_[row] = kernels::Pack(static_cast<std::int64_t>(Next() % 2001) - 1000, Next() % 1000);
            codes_[row] = static_cast<std::uint8_t>(Next());
            for (std::size_t f = 0; f < kFeatures; ++f) {
                bytes_[row * kFeatures + f] = static_cast<std::uint8_t>(Next());
                cells_[row * kFeatures + f] = static_cast<std::uint16_t>(f * kByteCells + bytes_[row * kFeatures + f]);
            }
            offsets_[row + 1] = static_cast<std::uint32_t>((row + 1) * kFeatures);
        }
        for (std::uint32_t& key : keys_) key = Next();
        for (std::size_t i = 0; i < kTextRows * kFeatures; ++i) {
            text_ += fmt::format("{:.4f}{}", values_[i], (i + 1) % kFeatures == 0 ? '\n' : ',');
        }
        text_bytes_ = text_.size();
        text_ += std::string(kernels::kTextPadding, '\0');
        same_text_ = text_;
        for (std::size_t i = 0; i < prefixes_.size(); ++i) {
            prefixes_[i] = kernels::Pack(static_cast<std::int64_t>(i * 37 % 1000) - 500, static_cast<std::int64_t>(i));
        }
    }

    std::vector<Case> Cases() {
        std::vector<Case> cases;
        AddArrayMath(cases);
        AddSums(cases);
        AddHistograms(cases);
        AddPartition(cases);
        AddText(cases);
        return cases;
    }

  private:
    std::uint32_t Next() {
        state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
        return static_cast<std::uint32_t>(state_ >> 33);
    }

    void AddArrayMath(std::vector<Case>& cases) {
        cases.push_back({"array_math ExpOfEach", "value", kRows,
                         [this] { kernels::ExpOfEach(values_.data(), kRows, floats_.data()); }, BytesOf(floats_)});
        cases.push_back({"array_math LogOfEach", "value", kRows,
                         [this] { kernels::LogOfEach(magnitudes_.data(), kRows, floats_.data()); }, BytesOf(floats_)});
        cases.push_back({"array_math softmax gradients", "row and class", kernels::kSoftmaxRows * kClasses,
                         [this] {
                             std::array<float, kernels::kSoftmaxRows> totals;
                             float* const hessians = floats_.data() + kernels::kSoftmaxRows * kClasses;
                             kernels::ExpsOfClasses(values_.data(), kRows, kClasses, kernels::kSoftmaxRows,
                                                    std::numeric_limits<float>::min(), floats_.data(),
                                                    kernels::kSoftmaxRows, totals.data());
                             kernels::SoftmaxGradients(labels_.data(), nullptr, totals.data(), kClasses,
                                                       kernels::kSoftmaxRows, 1e-16F, floats_.data(), hessians,
                                                       kernels::kSoftmaxRows);
                         },
                         BytesOf(floats_)});
        cases.push_back({"array_math GreatestClasses", "row and class", kernels::kSoftmaxRows * kClasses,
                         [this] {
                             kernels::GreatestClasses(values_.data(), kRows, kClasses, kernels::kSoftmaxRows,
                                                      floats_.data());
                         },
                         BytesOf(floats_)});
    }

    void AddSums(std::vector<Case>& cases) {
        cases.push_back({"cell_arithmetic Subtract", "cell", kRows - 1,
                         [this] {
                             const std::span<const PackedPair> pairs = pairs_;
                             kernels::Subtract(pairs.subspan(1), pairs.first(kRows - 1), sums_.data());
                         },
                         BytesOf(sums_)});
        cases.push_back({"cell_arithmetic SumOf", "cell", kRows,
                         [this] { sums_[0] = kernels::SumOf(std::span<const PackedPair>(pairs_)); }, BytesOf(sums_)});
        cases.push_back({"quantise QuantisePairs", "row", kRows,
                         [this] {
                             const kernels::PackedScale scale{.units_per_one = 0x1p30, .shift = 16};
                             kernels::QuantisePairs(values_.data(), magnitudes_.data(), kRows, scale, scale,
                                                    sums_.data());
                         },
                         BytesOf(sums_)});
        cases.push_back({"quantise GreatestMagnitude", "value", kRows,
                         [this] { floats_[0] = kernels::GreatestMagnitude(values_.data(), kRows); }, BytesOf(floats_)});
        cases.push_back({"quantise SumFine", "value", kRows,
                         [this] { sums_[0] = kernels::SumFine(values_.data(), kRows, 0x1p30); }, BytesOf(sums_)});
        cases.push_back({"split_sieve FindPassingSplits", "prefix", prefixes_.size(),
                         [this] {
                             const kernels::SplitSieve sieve{.total_g = 100,
                                                             .total_h = static_cast<std::int32_t>(prefixes_.size()),
                                                             .hess_min = 3,
                                                             .lambda = 1,
                                                             .alpha = 0,
                                                             .bar = 200};
                             kernels::FindPassingSplits(sieve, prefixes_.data(), prefixes_.size(), passed_.data());
                         },
                         BytesOf(passed_)});
    }

    void AddHistograms(std::vector<Case>& cases) {
        const std::size_t num_cells = kRows * kFeatures;
        cases.push_back({"histogram AddRows", "addition", num_cells,
                         [this] {
                             ClearCells(1);
                             kernels::AddRows(rows_, offsets_.data(), cells_.data(), pairs_.data(), sums_.data());
                         },
                         BytesOf(sums_)});
        cases.push_back({"histogram AddDenseRows", "addition", num_cells,
                         [this] {
                             ClearCells(1);
                             kernels::AddDenseRows(rows_, kFeatures, cells_.data(), pairs_.data(), sums_.data());
                         },
                         BytesOf(sums_)});
        cases.push_back({"histogram AddByteRows", "addition", num_cells,
                         [this] {
                             ClearCells(1);
                             kernels::AddByteRows(rows_, kFeatures, kFeatures, bytes_.data(), pairs_.data(),
                                                  sums_.data());
                         },
                         BytesOf(sums_)});
        cases.push_back({"root_histogram AddByteRowsOfGroup of 8 trees", "addition", num_cells * kTrees,
                         [this] {
                             ClearCells(kTrees);
                             const std::vector<const PackedPair*> trees(kTrees, pairs_.data());
                             kernels::AddByteRowsOfGroup(kTrees, trees, kRows, kFeatures, kFeatures, bytes_.data(),
                                                         sums_.data());
                         },
                         BytesOf(sums_)});
    }

    void AddPartition(std::vector<Case>& cases) {
        cases.push_back({"row_split SplitRows", "row", kRows,
                         [this] {
                             const kernels::SplitRoute route{.num_left = 100, .also_left = {255, 255}};
                             const std::size_t num_left = kernels::SplitRows(rows_.data(), kRows, codes_.data(), route,
                                                                             left_.data(), right_.data());
                             std::copy_n(right_.data(), kRows - num_left, left_.data() + num_left);
                         },
                         BytesOf(left_)});
        cases.push_back({"key_sort SortKeys of 65,536", "key", kKeys,
                         [this] {
                             sorted_ = keys_;
                             kernels::SortKeys(std::span(sorted_), std::span(scratch_));
                         },
                         BytesOf(sorted_)});
        cases.push_back({"value_buckets CountInBuckets", "value", values_.size(),
                         [this] {
                             std::fill(counts_.begin(), counts_.end(), std::uint16_t{0});
                             const auto map = kernels::BucketMap::Of(-10, 10, kBucketBits);
                             kernels::CountInBuckets(values_, map, counts_.data());
                         },
                         BytesOf(counts_)});
        cases.push_back({"value_range RangeOf", "value", values_.size(),
                         [this] {
                             const kernels::ValueRange range = kernels::RangeOf(values_);
                             floats_[0] = range.lowest;
                             floats_[1] = range.highest;
                         },
                         BytesOf(floats_)});
    }

    void AddText(std::vector<Case>& cases) {
        cases.push_back({"plain_rows ParsePlainRows", "cell", kTextRows * kFeatures,
                         [this] {
                             const kernels::PlainRowForm form{.num_cells = kFeatures};
                             const char* p = text_.data();
                             kernels::ParsePlainRows(p, text_.data() + text_bytes_, form, kTextRows, floats_.data(),
                                                     floats_.data() + kTextRows);
                         },
                         BytesOf(floats_)});
        cases.push_back({"text_number ParseFloat", "number", kTextRows * kFeatures,
                         [this] {
                             const char* p = text_.data();
                             const char* const end = p + text_bytes_;
                             for (std::size_t i = 0; p < end; ++i) p = kernels::ParseFloat(p, end, floats_[i]) + 1;
                         },
                         BytesOf(floats_)});
        cases.push_back({"text_match MatchLength", "byte", text_bytes_,
                         [this] {
                             sums_[0] = static_cast<std::int64_t>(
                                 kernels::MatchLength(text_.data(), same_text_.data(), text_bytes_));
                         },
                         BytesOf(sums_)});
    }

    /// The cells of all features, for `num_trees` trees side by side.
    void ClearCells(std::size_t num_trees) { std::fill_n(sums_.begin(), kFeatures * kByteCells * num_trees, 0); }

    std::uint64_t state_ = 1;
    std::vector<float> values_ = std::vector<float>(kRows * kClasses);
    std::vector<float> magnitudes_ = std::vector<float>(kRows);
    std::vector<float> labels_ = std::vector<float>(kRows);
    std::vector<std::uint16_t> rows_ = std::vector<std::uint16_t>(kRows);
    std::vector<std::uint32_t> offsets_ = std::vector<std::uint32_t>(kRows + 1);
    std::vector<PackedPair> pairs_ = std::vector<PackedPair>(kRows);
    std::vector<std::uint8_t> codes_ = std::vector<std::uint8_t>(kRows);
    std::vector<std::uint8_t> bytes_ = std::vector<std::uint8_t>(kRows * kFeatures);
    std::vector<std::uint16_t> cells_ = std::vector<std::uint16_t>(kRows * kFeatures);
    std::vector<std::uint32_t> keys_ = std::vector<std::uint32_t>(kKeys);
    std::vector<PackedPair> prefixes_ = std::vector<PackedPair>(kByteCells);
    std::string text_;
    std::string same_text_;
    std::size_t text_bytes_ = 0;

    std::vector<float> floats_ = std::vector<float>(kRows * kClasses);
    std::vector<PackedPair> sums_ = std::vector<PackedPair>(kFeatures * kByteCells * kTrees);
    std::vector<std::uint8_t> passed_ = std::vector<std::uint8_t>(kByteCells / 8);
    std::vector<std::uint16_t> left_ = std::vector<std::uint16_t>(kRows);
    std::vector<std::uint16_t> right_ = std::vector<std::uint16_t>(kRows);
    std::vector<std::uint32_t> sorted_ = std::vector<std::uint32_t>(kKeys);
    std::vector<std::uint32_t> scratch_ = std::vector<std::uint32_t>(kKeys);
    std::vector<std::uint16_t> counts_ = std::vector<std::uint16_t>(std::size_t{1} << kBucketBits);
};

double BestNanos(const Case& one, int repeats) {
    const int times = std::max(1, static_cast<int>(kSecondsMin / std::max(1e-9, SecondsOf(one.run))));
    const double seconds = BestSecondsOf(repeats, [&] {
        for (int i = 0; i < times; ++i) one.run();
    });
    return 1e9 * seconds / (times * static_cast<double>(one.num_pieces));
}

}  // namespace

Result<std::vector<KernelTimes>> TimeKernels(const std::vector<std::string>& instruction_sets, int repeats) {
    Workbench workbench;
    std::vector<KernelTimes> times;
    for (const Case& one : workbench.Cases()) {
        KernelTimes& of_case = times.emplace_back(KernelTimes{one.kernel, one.piece, {}});
        std::vector<std::byte> first;
        for (const std::string& name : instruction_sets) {
            TRY(kernels::LimitSimd(name));
            std::fill(one.output.begin(), one.output.end(), std::byte{0});  // What another has left there is no output.
            of_case.nanos.push_back(BestNanos(one, repeats));
            if (first.empty()) first.assign(one.output.begin(), one.output.end());
            if (!std::equal(first.begin(), first.end(), one.output.begin())) {
                return Error(ErrorCode::kInternal, fmt::format("{}: {} gives other bytes than {}", one.kernel, name,
                                                               instruction_sets.front()));
            }
        }
    }
    TRY(kernels::LimitSimd(""));
    return times;
}

}  // namespace espalier::bench
