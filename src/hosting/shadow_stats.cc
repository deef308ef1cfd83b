#include "hosting/shadow_stats.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace espalier::hosting {
namespace {

/// The class that a row's margins speak for.
std::size_t LabelOf(std::span<const float> margins) {
    if (margins.size() == 1) return margins[0] > 0 ? 1 : 0;
    return static_cast<std::size_t>(std::max_element(margins.begin(), margins.end()) - margins.begin());
}

}  // namespace

void CompareMargins(const ServedModel& production, const ServedModel& shadow, std::string_view content_type,
                    std::string_view body, ShadowDifference& difference) {
    const std::optional<RowMargins> given = Margins(production, content_type, body);
    const std::optional<RowMargins> other = Margins(shadow, content_type, body);
    difference.comparable = given && other && given->per_row == other->per_row && given->is_class == other->is_class &&
                            given->values.size() == other->values.size();
    if (!difference.comparable) return;
    difference.has_labels = given->is_class;
    const std::size_t per_row = given->per_row;
    difference.num_rows = given->values.size() / per_row;
    for (std::size_t begin = 0; begin < given->values.size(); begin += per_row) {
        const auto mine = std::span<const float>(given->values).subspan(begin, per_row);
        const auto theirs = std::span<const float>(other->values).subspan(begin, per_row);
        float distance = 0;
        for (std::size_t i = 0; i < per_row; ++i) distance = std::max(distance, std::abs(mine[i] - theirs[i]));
        difference.margin_distances.push_back(distance);
        difference.largest_distance = std::max(difference.largest_distance, distance);
        if (difference.has_labels && LabelOf(mine) != LabelOf(theirs)) ++difference.num_label_flips;
    }
}

void ShadowStats::Record(ShadowDifference difference) {
    std::lock_guard lock(mutex_);
    ++taken_.requests;
    if (!difference.comparable) ++taken_.incomparable;
    const auto same = static_cast<double>(difference.num_rows - difference.num_label_flips);
    if (difference.has_labels && same > 0) taken_.label_flips.Add(0, same);
    if (difference.num_label_flips > 0) taken_.label_flips.Add(1, static_cast<double>(difference.num_label_flips));
    for (float distance : difference.margin_distances)
        if (std::isfinite(distance)) taken_.margin_distance.Add(static_cast<double>(distance));
    taken_.latency_difference_us.Add(static_cast<double>(difference.shadow_latency_us) -
                                     static_cast<double>(difference.production_latency_us));
    difference.margin_distances = {};
    recent_.push_front(std::move(difference));
    if (recent_.size() > kRecentMax) recent_.pop_back();
}

ShadowStats::Taken ShadowStats::Take() {
    std::lock_guard lock(mutex_);
    return std::exchange(taken_, Taken());
}

std::vector<ShadowDifference> ShadowStats::Recent() const {
    std::lock_guard lock(mutex_);
    return {recent_.begin(), recent_.end()};
}

}  // namespace espalier::hosting
