#include "data/quantile_sketch.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <ranges>
#include <utility>

#include "base/check.h"

namespace espalier::data {

namespace {

// WQSketch::kFactor of XGBoost: summaries keep 8 entries per bin.
constexpr std::size_t kEntriesPerBin = 8;

using Summary = std::vector<SketchEntry>;

/// The lowest rank of what comes after the entry.
float AfterOf(const SketchEntry& entry) {
    return entry.rank_min + entry.weight;
}

/// The greatest rank of what comes before the entry.
float BeforeOf(const SketchEntry& entry) {
    return entry.rank_max - entry.weight;
}

SketchEntry EntryOf(double rank_min, double weight, float value) {
    return {static_cast<float>(rank_min), static_cast<float>(rank_min + weight), static_cast<float>(weight), value};
}

/// QuantileSketchTemplate::LimitSizeLevel: how many entries a summary keeps that at most num_entries are pushed to.
std::size_t LimitSize(std::size_t num_entries, double eps) {
    for (std::size_t level = 1;; ++level) {
        const auto wanted = static_cast<std::size_t>(std::ceil(static_cast<double>(level) / eps)) + 1;
        const std::size_t limit = std::min(num_entries, wanted);
        if ((limit << level) >= num_entries) return limit;
    }
}

/// A value summary as sketch entries, made when they are asked for: a continuous feature has as many as rows. Asking
/// for neighbours of the last one is fast.
class RankedSummary {
  public:
    explicit RankedSummary(const ValueSummary& summary) : summary_(summary) {
        for (std::size_t i = 0; i < size(); ++i) {
            if (i % kStride == 0) before_stride_.push_back(total_);
            total_ += summary.weights[i];
        }
    }

    std::size_t size() const { return summary_.values.size(); }
    SketchEntry front() const { return Entry(0, 0); }
    SketchEntry back() const { return Entry(total_ - summary_.weights.back(), size() - 1); }
    SketchEntry operator[](std::size_t i) const {
        while (at_ < i) before_ += summary_.weights[at_++];
        while (at_ > i) before_ -= summary_.weights[--at_];
        return Entry(before_, i);
    }
    /// An entry from `at` on, none behind which twice_rank must be compared with before it; below `end`.
    std::size_t SkipBelow(float twice_rank, std::size_t at, std::size_t end) const {
        for (std::size_t stride = at / kStride + 1; stride * kStride < end; ++stride) {
            const SketchEntry entry = Entry(before_stride_[stride], stride * kStride);
            if (twice_rank < entry.rank_max + entry.rank_min) break;
            at = at_ = stride * kStride;
            before_ = before_stride_[stride];
        }
        return at;
    }
    Summary All() const {
        Summary all;
        all.reserve(size());
        for (std::size_t i = 0; i < size(); ++i) all.push_back((*this)[i]);
        return all;
    }

  private:
    static constexpr std::size_t kStride = 16;

    SketchEntry Entry(std::int64_t before, std::size_t i) const {
        return EntryOf(static_cast<double>(before), static_cast<double>(summary_.weights[i]), summary_.values[i]);
    }

    const ValueSummary& summary_;
    std::int64_t total_ = 0;
    std::vector<std::int64_t> before_stride_;  ///< weight before every kStride-th value
    mutable std::size_t at_ = 0;
    mutable std::int64_t before_ = 0;  ///< weight before at_
};

/// A summary that is short anyway.
std::size_t SkipBelow(const Summary&, float, std::size_t at, std::size_t) {
    return at;
}
std::size_t SkipBelow(const RankedSummary& source, float twice_rank, std::size_t at, std::size_t end) {
    return source.SkipBelow(twice_rank, at, end);
}

/// Keeps the entries that are nearest to evenly spaced ranks; for one source it walks on from where it was.
template <typename Source>
class NearestPicker {
  public:
    explicit NearestPicker(const Source& source) : source_(source), kept_({source.front()}) {}

    /// The entry nearest to twice_rank / 2, sought from `at` on; false when that is `end`.
    bool Pick(float twice_rank, std::size_t& at, std::size_t end) {
        at = SkipBelow(source_, twice_rank, at, end);
        while (at < end) {
            const SketchEntry next = source_[at + 1];
            if (twice_rank < next.rank_max + next.rank_min) break;
            ++at;
        }
        if (at == end) return false;
        const float border = BeforeOf(source_[at + 1]);
        Keep(twice_rank < AfterOf(source_[at]) + border ? at : at + 1);
        return true;
    }
    void Keep(std::size_t entry) {
        if (entry == last_) return;
        kept_.push_back(source_[entry]);
        last_ = entry;
    }
    Summary Take() { return std::move(kept_); }

  private:
    const Source& source_;
    Summary kept_;
    std::size_t last_ = 0;
};

/// The goals that a pruning to size_max entries has.
auto AllGoals(std::size_t size_max) {
    return std::views::iota(std::size_t{1}, std::max<std::size_t>(size_max, 2) - 1);
}

/// WQSummary::SetPrune: the first and last entry and, for each of the goals evenly spaced in rank between them, the
/// nearest one. The source has more than size_max entries.
template <typename Source, typename Goals>
Summary PickNearest(const Source& source, std::size_t size_max, const Goals& goals) {
    const std::size_t last = source.size() - 1;
    const float begin = source.front().rank_max;
    const float range = source.back().rank_min - begin;
    const auto num_goals = static_cast<float>(size_max - 1);
    NearestPicker picker(source);
    std::size_t at = 1;
    for (const std::size_t goal : goals) {
        if (!picker.Pick(2 * (static_cast<float>(goal) * range / num_goals + begin), at, last)) break;
    }
    picker.Keep(last);
    return picker.Take();
}

Summary Prune(Summary source, std::size_t size_max) {
    return source.size() <= size_max ? source : PickNearest(source, size_max, AllGoals(size_max));
}

Summary Prune(const RankedSummary& source, std::size_t size_max) {
    return source.size() <= size_max ? source.All() : PickNearest(source, size_max, AllGoals(size_max));
}

/// WXQSummary::SetPrune: entries of great weight stay; the others' goals are spread over what they leave.
Summary PruneKeepingLarge(Summary source, std::size_t size_max) {
    if (source.size() <= size_max) return source;
    const std::size_t last = source.size() - 1;
    float begin = source.front().rank_max;
    float range = source[last].rank_min - begin;
    if (range == 0 || size_max <= 2) return {source.front(), source[last]};
    range = std::max(range, 1e-3F);
    const auto goals_max = static_cast<float>(size_max - 2);
    const float chunk = 2 * range / goals_max;
    const auto is_large = [&](std::size_t i) { return AfterOf(source[i]) > BeforeOf(source[i]) + chunk; };

    std::size_t num_large = 0;
    std::size_t before = 0;
    float between = 0;  // The ranks that no large entry covers.
    for (std::size_t i = 1; i < last; ++i) {
        if (!is_large(i)) continue;
        if (before + 1 != i) between += BeforeOf(source[i]) - AfterOf(source[before]);
        before = i;
        ++num_large;
    }
    if (before + 1 != last) between += BeforeOf(source[last]) - AfterOf(source[before]);

    const std::size_t num_goals = size_max - 2 - std::min(num_large, size_max - 2);
    NearestPicker picker(source);
    before = 0;
    std::size_t goal = 1;
    for (std::size_t end = 1; end <= last; ++end) {
        if (end != last && !is_large(end)) continue;
        std::size_t at = before;
        for (; before + 1 != end && goal < num_goals; ++goal) {
            const float twice_rank = 2 * (static_cast<float>(goal) * between / static_cast<float>(num_goals) + begin);
            if (twice_rank >= BeforeOf(source[end]) * 2 || !picker.Pick(twice_rank, at, end)) break;
        }
        picker.Keep(end);
        before = end;
        begin += AfterOf(source[end]) - BeforeOf(source[end]);
    }
    return picker.Take();
}

/// How many entries each pruning leaves at most. Never below two: the first and the last entry stay.
std::array<std::size_t, 3> PruningSizes(std::size_t num_entries, std::size_t max_bin) {
    const std::size_t num_bins = std::min(num_entries, max_bin);
    const double eps = 1.0 / static_cast<double>(num_bins * kEntriesPerBin);
    const auto at_least_two = [](std::size_t size) { return std::max<std::size_t>(size, 2); };
    return {at_least_two(LimitSize(num_entries, eps)), at_least_two(std::min(num_entries, kEntriesPerBin * max_bin)),
            at_least_two(num_bins + 1)};
}

/// Ranks from goal to goal of a pruning.
double Spacing(std::uint64_t num_entries, std::size_t size_max) {
    return static_cast<double>(num_entries) / static_cast<double>(size_max - 1);
}

/// The goals of a pruning to size_max entries that lie within `reach` ranks of one of the later pruning's.
std::vector<std::size_t> GoalsNear(const SketchPlan::Pruning& later, std::uint64_t num_entries, std::size_t size_max,
                                   double reach) {
    const double spacing = Spacing(num_entries, size_max);
    const double later_spacing = Spacing(num_entries, later.size_max);
    std::vector<std::size_t> goals;
    std::size_t next = 1;
    for (const std::size_t goal : later.goals) {
        const double rank = static_cast<double>(goal) * later_spacing;
        const double first = std::max(std::ceil((rank - reach) / spacing), 1.0);
        const double last = std::min(std::floor((rank + reach) / spacing), static_cast<double>(size_max - 2));
        next = std::max(next, static_cast<std::size_t>(first));
        for (; static_cast<double>(next) <= last; ++next) goals.push_back(next);
    }
    return goals;
}

// Exact integers in float32.
constexpr std::uint64_t kExactRanksMax = std::uint64_t{1} << 24;

}  // namespace

std::optional<SketchPlan> SketchPlan::Create(std::uint64_t num_entries, std::size_t max_bin, std::uint64_t num_lowest,
                                             std::uint64_t num_highest, std::uint64_t num_equal) {
    const auto [first, second, third] = PruningSizes(num_entries, max_bin);
    // With it there are more distinct values than the first pruning keeps. It keeps one for every other goal at least,
    // which must be more than the second keeps, whose goals in turn each find an entry of their own.
    const bool prunes = num_equal * first < num_entries && first > 2 * second + 2 && second > third;
    if (!prunes || num_entries > kExactRanksMax) return std::nullopt;
    // Where goals lie is known but for the ends' weights and the float arithmetic that places them.
    const double slack = static_cast<double>(num_lowest + num_highest) + 4;
    const auto equal = static_cast<double>(num_equal);
    const double first_spacing = Spacing(num_entries, first);
    // A goal of the first pruning keeps the entry that it lies in; a goal of the second keeps one whose middle is so
    // near; and the entry before or behind a rank is that of a goal one spacing further at most.
    const double first_reach = equal / 2 + first_spacing + slack;
    const double second_reach = (first_spacing + equal) / 2 + Spacing(num_entries, second) + slack;
    SketchPlan plan;
    plan.prunings.resize(3);
    const auto last_goals = AllGoals(third);
    plan.prunings[2] = {third, {last_goals.begin(), last_goals.end()}};
    plan.prunings[1] = {second, GoalsNear(plan.prunings[2], num_entries, second, second_reach)};
    plan.prunings[0] = {first, GoalsNear(plan.prunings[1], num_entries, first, first_reach)};
    for (const std::size_t goal : plan.prunings[0].goals) {
        const double rank = static_cast<double>(goal) * first_spacing;
        plan.spans.push_back({rank - slack, rank + slack});
    }
    return plan;
}

std::vector<SketchEntry> PruneForBins(const ValueSummary& summary, const SketchPlan& plan) {
    const SketchPlan::Pruning& first = plan.prunings[0];
    Summary kept = PickNearest(RankedSummary(summary), first.size_max, first.goals);
    for (std::size_t i = 1; i < plan.prunings.size(); ++i) {
        kept = PickNearest(kept, plan.prunings[i].size_max, plan.prunings[i].goals);
    }
    return kept;
}

std::vector<SketchEntry> PruneForBins(const ValueSummary& summary, std::size_t max_bin) {
    CHECK(!summary.values.empty());
    const auto [first, second, third] = PruningSizes(std::max<std::size_t>(summary.num_entries, 1), max_bin);
    Summary kept = Prune(RankedSummary(summary), first);
    kept = Prune(std::move(kept), second);
    return Prune(std::move(kept), third);
}

std::vector<SketchEntry> PickByWeight(const ValueSummary& summary, std::size_t max_bin, double weight_unit) {
    CHECK(!summary.values.empty());
    double total = 0;
    for (const std::int64_t weight : summary.weights) total += static_cast<double>(weight) * weight_unit;
    Summary picked;
    double rank = 0;
    double goal = 0;
    for (std::size_t i = 0; i < summary.values.size(); ++i) {
        const double weight = static_cast<double>(summary.weights[i]) * weight_unit;
        const bool is_last = i + 1 == summary.values.size();
        if (is_last || (rank + weight >= goal && picked.size() != max_bin)) {
            picked.push_back(EntryOf(rank, weight, summary.values[i]));
            goal = picked.size() == max_bin
                       ? total * 2 + 1e-5F
                       : static_cast<float>(static_cast<double>(picked.size()) * total / static_cast<double>(max_bin));
        }
        rank += weight;
    }
    const std::size_t num_entries = std::max<std::size_t>(summary.num_entries, 1);
    return PruneKeepingLarge(std::move(picked), LimitSize(num_entries, 2.0 / static_cast<double>(max_bin)));
}

}  // namespace espalier::data
