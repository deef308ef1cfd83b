#include "base/distribution.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace espalier {
namespace {

constexpr double kBucketRatio = 1.01;

/// The middle of the bucket that holds `value`.
double BucketMiddle(double value) {
    if (value == 0) return 0;
    const double exponent = std::floor(std::log(std::abs(value)) / std::log(kBucketRatio));
    return std::copysign(std::pow(kBucketRatio, exponent + 0.5), value);
}

/// Takes one number off the front of `text`.
bool TakeNumber(std::string_view& text, double& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || !std::isfinite(number)) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return true;
}

bool TakeCharacter(std::string_view& text, char wanted) {
    if (!text.starts_with(wanted)) return false;
    text.remove_prefix(1);
    return true;
}

}  // namespace

void Distribution::Add(double value, double count) {
    AddToSummary({.count = count, .sum = value * count, .minimum = value, .maximum = value});
    AddValue(value, count);
}

void Distribution::AddSummary(const Summary& summary) {
    if (summary.count <= 0) return;
    // One value, or equal ones: the summary says all.
    if (summary.minimum == summary.maximum) return Add(summary.minimum, summary.count);
    AddToSummary(summary);
    values_known_ = false;
    values_.clear();
}

void Distribution::AddBuckets(const std::map<double, double>& values, const Summary& summary) {
    if (summary.count <= 0) return;
    AddToSummary(summary);
    for (const auto& [value, count] : values) AddValue(std::clamp(value, summary.minimum, summary.maximum), count);
}

void Distribution::Merge(const Distribution& other) {
    if (other.empty()) return;
    if (!other.values_known_) return AddSummary(other.summary_);
    AddBuckets(other.values_, other.summary_);
}

void Distribution::AddToSummary(const Summary& more) {
    summary_.minimum = empty() ? more.minimum : std::min(summary_.minimum, more.minimum);
    summary_.maximum = empty() ? more.maximum : std::max(summary_.maximum, more.maximum);
    summary_.count += more.count;
    summary_.sum += more.sum;
}

void Distribution::AddValue(double value, double count) {
    if (!values_known_) return;
    values_[coarse_ ? BucketMiddle(value) : value] += count;
    if (!coarse_ && values_.size() > kValuesMax) Coarsen();
}

void Distribution::Coarsen() {
    coarse_ = true;
    std::map<double, double> buckets;
    for (const auto& [value, count] : values_) buckets[BucketMiddle(value)] += count;
    values_ = std::move(buckets);
}

std::optional<double> Distribution::Percentile(double percent) const {
    if (empty() || !values_known_) return std::nullopt;
    const double wanted = summary_.count * percent / 100.0;
    double seen = 0;
    for (const auto& [value, count] : values_) {
        seen += count;
        // The slack takes up the rounding of percent / 100.
        if (seen >= wanted * (1 - 1e-12)) return std::clamp(value, summary_.minimum, summary_.maximum);
    }
    return summary_.maximum;
}

std::string Distribution::ValuesText() const {
    if (!values_known_) return "";
    std::string text = coarse_ ? "~" : "";
    for (const auto& [value, count] : values_)
        fmt::format_to(std::back_inserter(text), "{}{}:{}", text.size() > 1 ? " " : "", value, count);
    return text;
}

Result<Distribution> Distribution::FromText(const Summary& summary, std::string_view values) {
    Distribution distribution;
    distribution.summary_ = summary;
    distribution.values_known_ = !values.empty();
    distribution.coarse_ = TakeCharacter(values, '~');
    while (!values.empty()) {
        double value = 0;
        double count = 0;
        const bool read = TakeNumber(values, value) && TakeCharacter(values, ':') && TakeNumber(values, count);
        if (!read || (!values.empty() && !TakeCharacter(values, ' ')))
            return Error(ErrorCode::kCorruptData, "the values of a distribution are damaged");
        distribution.values_[value] = count;
    }
    return distribution;
}

}  // namespace espalier
