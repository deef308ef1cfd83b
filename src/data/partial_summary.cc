#include "data/partial_summary.h"

#include <algorithm>
#include <utility>

#include "kernels/key_sort.h"

namespace espalier::data {

using kernels::FromOrderedBits;

std::optional<SketchPlan> PartialSummarizer::Summarize(const Column& column, std::size_t max_bin,
                                                       std::span<std::uint32_t> keys, ValueSummary& summary) {
    // Zeros are the one value whose number is known beforehand; many of them make counting useless.
    if (!SketchPlan::Create(keys.size(), max_bin, 1, 1, std::max<std::uint64_t>(column.num_zeros, 1)).has_value()) {
        return std::nullopt;
    }
    Count(column);
    const auto [num_values, heaviest] = AddUp();
    // A count that is greater than 16 bits shows in the sum.
    if (num_values != keys.size()) return std::nullopt;
    std::optional<SketchPlan> plan =
        SketchPlan::Create(num_values, max_bin, counts_[0], counts_[num_buckets_ - 1], heaviest);
    if (!plan.has_value()) return std::nullopt;
    const std::uint64_t num_listed = ChooseBuckets(*plan, num_values);
    if (num_listed > num_values / 2) return std::nullopt;
    std::uint32_t* next = keys.data();
    for (const std::span<const float> part : column.parts) {
        next = kernels::CopyChosen(part, map_, is_listed_.data(), next);
    }
    kernels::SortKeys(keys.first(num_listed), keys.subspan(num_listed));
    List(keys.first(num_listed), summary);
    summary.num_entries = num_values;
    return plan;
}

void PartialSummarizer::Count(const Column& column) {
    map_ = kernels::BucketMap::Of(column.lowest, column.highest, kBucketBits);
    num_buckets_ = std::size_t{map_.BucketOf(column.highest)} + 1;
    if (counts_.empty()) counts_ = store_.Make<std::uint16_t>(std::size_t{1} << kBucketBits);
    std::fill_n(counts_.begin(), (num_buckets_ + kGroup - 1) / kGroup * kGroup, std::uint16_t{0});
    for (const std::span<const float> part : column.parts) kernels::CountInBuckets(part, map_, counts_.data());
}

PartialSummarizer::Totals PartialSummarizer::AddUp() {
    Totals totals;
    group_counts_.clear();
    for (std::size_t begin = 0; begin < num_buckets_; begin += kGroup) {
        std::uint32_t count = 0;
        std::uint16_t heaviest = 0;
        for (std::size_t b = begin; b < begin + kGroup; ++b) {
            count += counts_[b];
            heaviest = std::max(heaviest, counts_[b]);
        }
        group_counts_.push_back(count);
        totals.num_values += count;
        totals.heaviest = std::max(totals.heaviest, heaviest);
    }
    return totals;
}

/// The first bucket, the last, and whichever holds a rank of the plan's; returns how many values they have.
std::uint64_t PartialSummarizer::ChooseBuckets(const SketchPlan& plan, std::uint64_t num_values) {
    listed_.clear();
    const auto list = [&](std::size_t bucket, std::uint64_t first_rank) {
        if (!listed_.empty() && listed_.back().bucket >= bucket) return;
        listed_.push_back({static_cast<std::uint32_t>(bucket), first_rank});
    };
    list(0, 0);
    std::size_t bucket = 0;
    std::uint64_t rank = 0;  // of the first value of `bucket`
    for (const auto& [begin, end] : plan.spans) {
        while (bucket < num_buckets_ && static_cast<double>(rank + counts_[bucket]) < begin) {
            const std::uint32_t group_count = group_counts_[bucket / kGroup];
            const bool passes_over = bucket % kGroup == 0 && static_cast<double>(rank + group_count) < begin;
            rank += passes_over ? group_count : counts_[bucket];
            bucket += passes_over ? kGroup : 1;
        }
        std::size_t next = bucket;
        std::uint64_t next_rank = rank;
        for (; next < num_buckets_ && static_cast<double>(next_rank) <= end; next_rank += counts_[next++]) {
            if (counts_[next] > 0) list(next, next_rank);
        }
    }
    list(num_buckets_ - 1, num_values - counts_[num_buckets_ - 1]);
    std::uint64_t num_listed = 0;
    is_listed_.assign((std::size_t{1} << kBucketBits) / 32, 0);
    for (const ListedBucket& listed : listed_) {
        num_listed += counts_[listed.bucket];
        is_listed_[listed.bucket / 32] |= 1U << listed.bucket % 32;
    }
    return num_listed;
}

void PartialSummarizer::List(std::span<const std::uint32_t> keys, ValueSummary& summary) const {
    summary.values.clear();
    summary.weights.clear();
    std::uint64_t rank = 0;
    std::size_t at = 0;
    for (const ListedBucket& listed : listed_) {
        if (listed.first_rank > rank) {
            summary.values.push_back(map_.Below(listed.bucket));
            summary.weights.push_back(static_cast<std::int64_t>(listed.first_rank - rank));
        }
        rank = listed.first_rank;
        while (at < keys.size() && map_.BucketOf(FromOrderedBits(keys[at])) == listed.bucket) {
            const std::size_t first = at;
            while (at < keys.size() && keys[at] == keys[first]) ++at;
            summary.values.push_back(FromOrderedBits(keys[first]));
            summary.weights.push_back(static_cast<std::int64_t>(at - first));
            rank += at - first;
        }
    }
}

}  // namespace espalier::data
