// All ranks' rows in the order of their survival times, for losses that compare a row with those still at risk.
//
// A label's magnitude is the time; a positive one is an event, others are censored. Ties keep the rows' order in the
// job's files, as stock's stable sort does. Every rank holds the whole order (4 bytes a row of all ranks, and 9 more),
// so sums over it run in one order everywhere. Source: xgboost MetaInfo::LabelAbsSort. Immutable once made.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "collective/comm.h"
#include "learn/rows_view.h"

namespace espalier::learn {

class TimeOrder {
  public:
    TimeOrder() = default;

    /// Every rank calls it.
    static Result<TimeOrder> Create(const RowsView& rows, collective::Comm& comm);

    std::size_t size() const { return times_.size(); }
    float time(std::size_t place) const { return times_[place]; }
    bool is_event(std::size_t place) const { return events_[place] != 0; }
    /// Places of this rank's rows, by row.
    std::span<const std::uint32_t> places() const { return places_; }

    /// For each place the sum of the hazards of rows whose time is not earlier; ties share theirs. Added up from the
    /// latest, so that nothing is ever taken away and small hazards keep their weight.
    std::vector<double> AtRisk(std::span<const double> hazards) const;

    /// One value per row of all ranks, in order of time, from each rank's values [rows]. Every rank calls it.
    Result<std::vector<float>> Gather(std::span<const float> mine, collective::Comm& comm) const;

  private:
    std::vector<std::uint32_t> order_;  ///< [places] index into the ranks' rows, rank after rank
    std::vector<float> times_;          ///< [places]
    std::vector<std::uint8_t> events_;  ///< [places]
    std::vector<std::uint32_t> places_;
};

}  // namespace espalier::learn
