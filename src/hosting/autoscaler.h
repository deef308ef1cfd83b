// Application Auto Scaling for variants: the number of instances follows a target.
//
// Nouns: target, a variant whose instance count may move between two bounds; policy, of target tracking a metric and
// the value it is to have, of step scaling what to do while an alarm that names it among its AlarmActions is in ALARM
// (step_scaling.h). A tracking policy looks at whole minutes: when the last kOutMinutes of them are all above the
// target value, the count becomes ceil(count x value / target); when the last kInMinutes are all below kInShare of it,
// it shrinks the same way, by the highest of them. Minutes without values call for nothing, as in AWS. A step policy
// acts once in each period of its alarm, by the metric's last period or, when it has no value, by what the alarm's
// StateReasonData says. Cooldowns hold after every change; of several policies the largest count wins; the bounds
// always hold. A change is an UpdateEndpointWeightsAndCapacities, so an endpoint that is being updated is left alone
// till it is done. Asynchronous endpoints may have no instance: their requests wait. Source: Application Auto Scaling
// user guide, "Target tracking scaling policies". Thread-safe.
#pragma once

#include <condition_variable>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "hosting/endpoint_service.h"
#include "meta/scaling.h"
#include "monitor/alarm_service.h"
#include "monitor/metrics.h"

namespace espalier::hosting {

/// "endpoint/NAME/variant/NAME" taken apart.
struct ScaledVariant {
    std::string endpoint;
    std::string variant;
};
std::optional<ScaledVariant> ParseScaledVariant(std::string_view resource);

class Autoscaler {
  public:
    static constexpr int kOutMinutes = 3;
    static constexpr int kInMinutes = 15;
    static constexpr double kInShare = 0.9;

    struct Options {
        meta::Database* database = nullptr;  ///< borrowed, as all of these
        EndpointService* endpoints = nullptr;
        monitor::Metrics* metrics = nullptr;
        const monitor::AlarmService* alarms = nullptr;  ///< those that step policies act on
        const Clock* clock = nullptr;
        /// How often a thread looks; 0 = there is no thread, EvaluateAll is the caller's to call.
        std::chrono::milliseconds tick{1000};
    };
    explicit Autoscaler(const Options& options);

    /// Makes a target, or changes what is given of one. kInvalidArgument for bounds that are none, or missing for a new
    /// one; kNotFound for an endpoint or variant that is not there.
    Result<void> Register(const meta::Scope& scope, const std::string& resource, std::optional<std::int64_t> minimum,
                          std::optional<std::int64_t> maximum, const nlohmann::json& request);
    /// Makes or replaces a policy; gives its id. `configuration` is a TargetTrackingScalingPolicyConfiguration or a
    /// StepScalingPolicyConfiguration. kNotFound without a target; kInvalidArgument for what cannot be honoured.
    Result<std::string> PutPolicy(const meta::Scope& scope, const std::string& resource, const std::string& name,
                                  const nlohmann::json& configuration);
    meta::Scaling& rows() { return rows_; }
    /// The alarms that name the policy among their AlarmActions, by name; in that state unless it is "".
    Result<std::vector<meta::AlarmRecord>> AlarmsOf(const meta::ScalingPolicy& policy, const std::string& state) const;

    /// One look at every target.
    void EvaluateAll();

  private:
    struct Wish {
        std::int64_t count = 0;
        std::string cause;
    };
    Result<void> Evaluate(meta::ScalableTarget target);
    /// What the policies want of `count` instances; nullopt = nothing.
    Result<std::optional<Wish>> WishOf(const meta::ScalableTarget& target, std::int64_t count, UnixMillis now);
    Result<std::optional<Wish>> TrackingWish(const meta::ScalingPolicy& policy, const meta::ScalableTarget& target,
                                             std::int64_t count, UnixMillis now);
    Result<std::optional<Wish>> StepWish(const meta::ScalingPolicy& policy, const meta::ScalableTarget& target,
                                         std::int64_t count, UnixMillis now);
    /// How far the alarm's metric is from its threshold; nullopt when nobody knows.
    Result<std::optional<double>> BreachOf(const meta::AlarmRecord& alarm, monitor::AlarmSpec spec,
                                           const std::string& statistic, UnixMillis now);
    /// The statistic of the last kInMinutes whole minutes, oldest first; nullopt for those before the last change.
    Result<std::vector<std::optional<double>>> Minutes(const meta::ScalingPolicy& policy,
                                                       const meta::ScalableTarget& target, UnixMillis now);
    Result<void> Change(meta::ScalableTarget target, const ScaledVariant& which, std::int64_t count, const Wish& wish);
    void Run(const std::stop_token& stop);

    const Options options_;
    meta::Scaling rows_;
    std::condition_variable_any wake_;
    std::jthread thread_;
};

}  // namespace espalier::hosting
