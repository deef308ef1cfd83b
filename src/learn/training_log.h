// The log of a training instance: the lines people know from the containers, on standard output, one write each.
//
// Times come from the clock given. Only rank 0 prints metric lines. Confined to the instance's main thread.
#pragma once

#include <string_view>

#include "base/clock.h"
#include "base/version_profile.h"
#include "learn/trainer.h"

namespace espalier::learn {

class TrainingLog {
  public:
    TrainingLog(const Clock& clock, const VersionProfile& profile) : clock_(clock), profile_(profile) {}

    void Raw(std::string_view line);
    /// "[2018-01-10:21:51:56:INFO] text", the container's own lines.
    void Info(std::string_view text) { Stamped("INFO", text); }
    void Warning(std::string_view text) { Stamped("WARNING", text); }
    void Failure(std::string_view text) { Stamped("ERROR", text); }
    /// "[21:51:56] text", as the engine prints.
    void Engine(std::string_view text);
    /// "[9]\ttrain-merror:0.06942\tvalidation-merror:0.0773" in the version's number format.
    void Metrics(const RoundReport& report);
    /// A line per tree of the round.
    void Trees(const RoundReport& report, int max_depth);

  private:
    void Stamped(std::string_view level, std::string_view text);

    const Clock& clock_;
    const VersionProfile profile_;
};

/// The metric line without its end: "[9]\ttrain-merror:0.06942".
std::string MetricLine(const RoundReport& report, bool six_digits);

}  // namespace espalier::learn
