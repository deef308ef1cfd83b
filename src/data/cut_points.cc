#include "data/cut_points.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/check.h"
#include "data/quantile_sketch.h"

namespace espalier::data {

namespace {

// Above this many distinct values sorting beats a hash table that no longer fits the L1 cache.
constexpr std::size_t kHashedValuesMax = 2048;
constexpr std::size_t kSlotsInitial = 64;
constexpr std::size_t kListInitial = std::size_t{1} << 15;
// XGBoost adds the float 1e-5 in double arithmetic (std::fabs of a double) and rounds once.
constexpr double kMargin = 1e-5F;

std::size_t HashOf(float value) {
    return static_cast<std::size_t>((std::bit_cast<std::uint32_t>(value) * 0x9E3779B97F4A7C15ULL) >> 40);
}

void AppendCuts(const ValueSummary& summary, int max_bin, const CutRule& rule, CutPoints& cuts) {
    float min_value = 1e-5F;
    float highest = min_value;
    if (!summary.values.empty()) {
        const auto bins_max = static_cast<std::size_t>(max_bin);
        const std::vector<SketchEntry> kept = rule.sketch == CutRule::Sketch::kRows
                                                  ? PruneForBins(summary, bins_max)
                                                  : PickByWeight(summary, bins_max, rule.weight_unit);
        const float lowest = kept.front().value;
        min_value = static_cast<float>(lowest - (std::fabs(double{lowest}) + kMargin));
        const std::size_t num_bins = std::clamp<std::size_t>(summary.num_entries, 1, bins_max);
        const std::size_t num_cuts = std::min(kept.size(), num_bins);
        for (std::size_t i = 1; i < num_cuts; ++i) {
            if (i == 1 || kept[i].value > cuts.values.back()) cuts.values.push_back(kept[i].value);
        }
        highest = kept.back().value;
    }
    cuts.min_values.push_back(min_value);
    cuts.first_values.push_back(summary.values.empty() ? 0.0F : summary.values.front());
    cuts.values.push_back(static_cast<float>(highest + (std::fabs(double{highest}) + kMargin)));
    cuts.offsets.push_back(static_cast<std::uint32_t>(cuts.values.size()));
}

/// Values below 0 or beyond the last category lie outside the bins; xgboost sends them where unknown ones go.
void AppendCategories(const ValueSummary& summary, CutPoints& cuts) {
    const float last = summary.values.empty() ? 0.0F : summary.values.back();
    for (std::uint32_t category = 0; category <= static_cast<std::uint32_t>(last); ++category) {
        cuts.values.push_back(static_cast<float>(category + 1));
    }
    cuts.min_values.push_back(0);
    cuts.first_values.push_back(0);
    cuts.offsets.push_back(static_cast<std::uint32_t>(cuts.values.size()));
}

}  // namespace

void ValueSummary::Merge(const ValueSummary& other) {
    num_entries += other.num_entries;
    if (other.values.empty()) return;
    std::vector<float> merged_values;
    std::vector<std::int64_t> merged_weights;
    merged_values.reserve(values.size() + other.values.size());
    merged_weights.reserve(values.size() + other.values.size());
    std::size_t i = 0;
    std::size_t j = 0;
    while (i < values.size() || j < other.values.size()) {
        const bool take_ours = j == other.values.size() || (i < values.size() && values[i] <= other.values[j]);
        const bool take_theirs = i == values.size() || (j < other.values.size() && other.values[j] <= values[i]);
        merged_values.push_back(take_ours ? values[i] : other.values[j]);
        merged_weights.push_back((take_ours ? weights[i] : 0) + (take_theirs ? other.weights[j] : 0));
        i += take_ours ? 1 : 0;
        j += take_theirs ? 1 : 0;
    }
    values = std::move(merged_values);
    weights = std::move(merged_weights);
}

void ValueCollector::AddCounted(float value, std::int64_t weight) {
    if (listing_) {
        list_.push_back({value, weight});
        if (list_.size() >= std::max(kListInitial, 2 * folded_size_)) FoldList();
        return;
    }
    if (slots_.empty()) slots_.resize(kSlotsInitial);
    for (std::size_t i = HashOf(value);; ++i) {
        Slot& slot = slots_[i & (slots_.size() - 1)];
        if (slot.weight != 0 && slot.value == value) {
            slot.weight += weight;
            return;
        }
        if (slot.weight == 0) {
            slot = {value, weight};
            if (++num_used_ * 2 > slots_.size()) Grow();
            return;
        }
    }
}

void ValueCollector::Grow() {
    std::vector<Slot> old = std::move(slots_);
    slots_.clear();
    if (num_used_ > kHashedValuesMax) {
        listing_ = true;
        for (const Slot& slot : old) {
            if (slot.weight != 0) list_.push_back(slot);
        }
        return;
    }
    slots_.resize(old.size() * 2);
    for (const Slot& slot : old) {
        if (slot.weight == 0) continue;
        std::size_t i = HashOf(slot.value);
        while (slots_[i & (slots_.size() - 1)].weight != 0) ++i;
        slots_[i & (slots_.size() - 1)] = slot;
    }
}

void ValueCollector::FoldList() {
    std::sort(list_.begin(), list_.end(), [](const Slot& a, const Slot& b) { return a.value < b.value; });
    std::size_t size = 0;
    for (const Slot& slot : list_) {
        if (size > 0 && list_[size - 1].value == slot.value) {
            list_[size - 1].weight += slot.weight;
        } else {
            list_[size++] = slot;
        }
    }
    list_.resize(size);
    folded_size_ = size;
}

ValueSummary ValueCollector::Take() {
    for (const Slot& slot : slots_) {
        if (slot.weight != 0) list_.push_back(slot);
    }
    if (zero_weight_ != 0) list_.push_back({0.0F, zero_weight_});
    FoldList();
    ValueSummary summary;
    summary.num_entries = num_entries_;
    summary.values.reserve(list_.size());
    summary.weights.reserve(list_.size());
    for (const Slot& slot : list_) {
        summary.values.push_back(slot.value);
        summary.weights.push_back(slot.weight);
    }
    *this = ValueCollector();
    return summary;
}

std::uint32_t CutPoints::BinOf(std::size_t feature, float value) const {
    const float* begin = values.data() + offsets[feature];
    const float* end = values.data() + offsets[feature + 1];
    const auto bin = static_cast<std::uint32_t>(std::upper_bound(begin, end, value) - begin);
    return std::min(bin, num_bins(feature) - 1);
}

CutPoints BuildCutPoints(std::span<const ValueSummary> summaries, int max_bin,
                         std::span<const std::uint8_t> categorical, const CutRule& rule) {
    CHECK(max_bin >= 2 && max_bin <= kMaxBinLimit, "max_bin {}", max_bin);
    CutPoints cuts;
    for (std::size_t feature = 0; feature < summaries.size(); ++feature) {
        if (!categorical.empty() && categorical[feature] != 0) {
            AppendCategories(summaries[feature], cuts);
        } else {
            AppendCuts(summaries[feature], max_bin, rule, cuts);
        }
    }
    return cuts;
}

}  // namespace espalier::data
