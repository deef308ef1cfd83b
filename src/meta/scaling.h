// Application Auto Scaling in SQL: which capacities may be changed, by which policies, and what was done.
//
// Policies and activities go with their target. The newest kActivitiesMax activities of all targets are kept.
// Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "meta/database.h"
#include "meta/scope.h"

namespace espalier::meta {

struct ScalableTarget {
    Scope scope;
    std::string resource;  ///< "endpoint/NAME/variant/NAME"
    std::int64_t minimum = 0;
    std::int64_t maximum = 0;
    std::string document = {};  ///< JSON of what else the request said
    UnixMillis created_at = 0;
    UnixMillis scaled_out_at = 0;  ///< 0 = never
    UnixMillis scaled_in_at = 0;
};

struct ScalingPolicy {
    Scope scope;
    std::string resource;
    std::string name;
    std::string id;        ///< a part of its ARN
    std::string document;  ///< JSON of its configuration
    UnixMillis created_at = 0;
};

struct ScalingActivity {
    std::string id;
    Scope scope;
    std::string resource;
    UnixMillis time = 0;
    std::string description;
    std::string cause;
    bool successful = true;
};

class Scaling {
  public:
    static constexpr int kActivitiesMax = 1000;

    /// `database` is borrowed.
    explicit Scaling(Database& database) : database_(database) {}

    /// Makes or replaces.
    Result<void> PutTarget(const ScalableTarget& target);
    Result<std::optional<ScalableTarget>> FindTarget(const Scope& scope, const std::string& resource);
    /// By resource, those behind `after`.
    Result<std::vector<ScalableTarget>> Targets(const Scope& scope, const std::string& after, std::size_t limit);
    /// Of every scope.
    Result<std::vector<ScalableTarget>> AllTargets();
    /// With its policies and activities. False when there was none.
    Result<bool> DeleteTarget(const Scope& scope, const std::string& resource);

    Result<void> PutPolicy(const ScalingPolicy& policy);
    /// By resource ("" = of all) and name, those behind (after_resource, after_name).
    Result<std::vector<ScalingPolicy>> Policies(const Scope& scope, const std::string& resource,
                                                const std::string& after_resource, const std::string& after_name,
                                                std::size_t limit);
    Result<bool> DeletePolicy(const Scope& scope, const std::string& resource, const std::string& name);

    /// Notes what was done, and when in the target.
    Result<void> AddActivity(const ScalableTarget& target, const ScalingActivity& activity);
    /// Newest first; of one resource unless it is "".
    Result<std::vector<ScalingActivity>> Activities(const Scope& scope, const std::string& resource);

  private:
    Database& database_;
};

}  // namespace espalier::meta
