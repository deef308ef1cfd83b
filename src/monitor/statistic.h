// A statistic of CloudWatch's, by its text.
//
//   Average Sum Minimum Maximum SampleCount     of everything
//   p99.9                                       percentile, by nearest rank
//   tm90 TM(10%:90%) TM(5:20) TM(:95%)          trimmed mean: of the values between two bounds
//   tc90 TC(…)  ts90 TS(…)                      their number, their sum
//   wm90 WM(…)                                  winsorized mean: values outside count as the bound
//   IQM                                         TM(25%:75%)
//   PR(:300) PR(100:2000)                       percentile rank: per cent of the values between two bounds
// A bound in per cent cuts whole values off: TM(:99%) is the mean up to p99. Of bounds that are values the lower one is
// left out, the upper one is not. Immutable. Source: CloudWatch user guide, "CloudWatch statistics definitions".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/distribution.h"
#include "base/result.h"

namespace espalier::monitor {

class Statistic {
  public:
    /// kInvalidArgument for other texts.
    static Result<Statistic> Parse(std::string_view text);
    const std::string& text() const { return text_; }
    /// Whether it is one of the five that need no more than a summary of the values.
    bool plain() const { return kind_ == Kind::kPlain; }
    /// nullopt where it cannot be told: what needs values and has summaries, a mean of no values. `values` must not be
    /// empty.
    std::optional<double> Of(const Distribution& values) const;

  private:
    enum class Kind { kPlain, kPercentile, kTrimmedMean, kTrimmedCount, kTrimmedSum, kWinsorizedMean, kPercentileRank };
    struct Bounds {
        bool percent = true;
        std::optional<double> lower = {};
        std::optional<double> upper = {};
    };

    Statistic(std::string text, Kind kind, Bounds bounds) : text_(std::move(text)), kind_(kind), bounds_(bounds) {}
    static std::optional<Bounds> ReadBounds(std::string_view text);
    std::optional<double> OfPlain(const Distribution& values) const;
    std::optional<double> OfTrimmed(const Distribution& values) const;
    std::optional<double> OfWinsorized(const Distribution& values) const;

    std::string text_;
    Kind kind_;
    Bounds bounds_;
};

}  // namespace espalier::monitor
