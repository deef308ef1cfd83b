// What CloudWatch metrics are made of: series of values by time, kept as one distribution for each slot of time.
//
// A series is a name in a namespace with its dimensions; its row is made with its first value. Values of one slot and
// unit are merged as they come, so a series costs one row a slot however many values it got. Limits: a slot is what the
// caller says (a second or a minute). Thread-safe.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/distribution.h"
#include "base/result.h"
#include "meta/database.h"
#include "meta/scope.h"

namespace espalier::meta {

struct MetricId {
    Scope scope;
    std::string name_space;
    std::string name;
    std::string dimensions;  ///< one text for one set of dimensions; what is in it is the caller's business

    auto operator<=>(const MetricId&) const = default;
};

struct MetricSlot {
    UnixMillis time = 0;  ///< its begin
    std::string unit;
    Distribution values;
};

struct MetricSample {
    MetricId id;
    MetricSlot slot;
};

/// Which series, in the order of (namespace, name, dimensions).
struct MetricListQuery {
    Scope scope;
    std::string name_space = {};         ///< "" = any
    std::string name = {};               ///< "" = any
    std::optional<MetricId> after = {};  ///< behind this one; its scope is not looked at
    std::size_t limit = 500;
};

class MetricSeries {
  public:
    /// `database` is borrowed.
    explicit MetricSeries(Database& database) : database_(database) {}

    /// Merges the samples into what is there, in one transaction.
    Result<void> Add(std::span<const MetricSample> samples);
    /// Slots that begin in [from, to), oldest first; only those of `unit` unless it is "".
    Result<std::vector<MetricSlot>> Read(const MetricId& id, const std::string& unit, UnixMillis from, UnixMillis to);
    struct Listed {
        MetricId id;
        UnixMillis last_at = 0;  ///< of its newest value
    };
    Result<std::vector<Listed>> List(const MetricListQuery& query);
    /// Drops slots that began before `time`, and series that have none left.
    Result<void> DropBefore(UnixMillis time);

  private:
    Database& database_;
};

}  // namespace espalier::meta
