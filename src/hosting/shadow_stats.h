// How a shadow's answers differ from those that were given: counted by request, for the comparison report.
//
// For each mirrored request both models' margins are taken and compared row by row: the distance is the largest
// difference over the classes, and a label flips when the class with the highest margin (for two classes, the sign)
// is another. The last kRecentMax requests are kept one by one, the sums are booked as metrics like traffic
// (endpoint_metrics.h). Thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/distribution.h"
#include "base/result.h"
#include "hosting/inference.h"

namespace espalier::hosting {

struct ShadowDifference {
    UnixMillis time = 0;
    std::string inference_id;  ///< "" when the request had none
    std::string production_variant;
    bool comparable = false;  ///< both models gave as many margins; else the next five say nothing
    bool has_labels = false;
    std::size_t num_rows = 0;
    std::size_t num_label_flips = 0;
    float largest_distance = 0;
    std::vector<float> margin_distances = {};  ///< a row each; not kept
    std::uint64_t production_latency_us = 0;
    std::uint64_t shadow_latency_us = 0;
};

/// Fills in what the two models' margins say.
void CompareMargins(const ServedModel& production, const ServedModel& shadow, std::string_view content_type,
                    std::string_view body, ShadowDifference& difference);

class ShadowStats {
  public:
    static constexpr std::size_t kRecentMax = 256;

    struct Taken {
        Distribution label_flips;            ///< 0 or 1 a row
        Distribution margin_distance;        ///< a row
        Distribution latency_difference_us;  ///< the shadow's less the given answer's, a request
        std::uint64_t requests = 0;
        std::uint64_t incomparable = 0;
    };

    void Record(ShadowDifference difference);
    /// What was recorded since the last Take.
    Taken Take();
    /// The last requests, newest first.
    std::vector<ShadowDifference> Recent() const;

  private:
    mutable std::mutex mutex_;
    Taken taken_;                          // guarded by mutex_
    std::deque<ShadowDifference> recent_;  // guarded by mutex_
};

}  // namespace espalier::hosting
