// The part of EndpointService that moves traffic between two fleets over time (rollout_plan.h).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/log.h"
#include "hosting/endpoint_service.h"
#include "meta/arn.h"

namespace espalier::hosting {
namespace {

int SmallestFleet(const EndpointSpec& spec) {
    int smallest = spec.production.empty() ? 1 : spec.production[0].spec.num_instances;
    for (const DeployedVariant& variant : spec.production) smallest = std::min(smallest, variant.spec.num_instances);
    return std::max(smallest, 1);
}

}  // namespace

Result<RolloutPlan> EndpointService::PlanFor(const meta::Scope& scope, const EndpointSpec& next) const {
    RolloutPlan plan = TRY(PlanRollout(next.deployment_echo, SmallestFleet(next)));
    for (const std::string& name : plan.alarms) {
        const std::optional<meta::AlarmRecord> alarm = TRY(options_.alarms->Find(scope, name));
        if (!alarm)
            return Error(ErrorCode::kInvalidArgument,
                         fmt::format("AutoRollbackConfiguration names the alarm {}, which does not exist.", name));
    }
    return plan;
}

Result<void> EndpointService::BeginRollout(Endpoint running, EndpointSpec next, const RolloutPlan& plan) {
    const UnixMillis now = options_.clock->WallMillis();
    running.spec.pending = std::make_shared<const PendingUpdate>(PendingUpdate{.next = std::move(next),
                                                                               .started_at = now,
                                                                               .step_at = now,
                                                                               .step = 0,
                                                                               .share = plan.forward[0].share,
                                                                               .rollback_reason = ""});
    Note(running.record, "The update to {} begins with {:.0f} % of the traffic.",
         running.spec.pending->next.config_name, plan.forward[0].share * 100);
    return PublishRollout(std::move(running), kUpdating);
}

Result<void> EndpointService::PublishRollout(Endpoint endpoint, std::string_view status) {
    auto live = TRY(Load(endpoint.record.scope, endpoint.record.name, endpoint.spec));
    {
        std::lock_guard lock(mutex_);
        rolling_.insert({endpoint.record.scope, endpoint.record.name});
    }
    endpoint.record.modified_at = options_.clock->WallMillis();
    return Publish(std::move(endpoint.record), std::string(status), endpoint.spec, std::move(live));
}

void EndpointService::AdvanceRollouts() {
    std::set<EndpointId> rolling;
    {
        std::lock_guard lock(mutex_);
        rolling = rolling_;
    }
    for (const EndpointId& id : rolling) {
        bool has_ended = false;
        {
            // Kept until the endpoint is off the list: an update that began in between would go off with it.
            const auto turn = TakeTurn(id.first, id.second);
            if (!turn) continue;  // somebody looks at it; next time
            const Result<bool> goes_on = AdvanceRollout(id);
            if (!goes_on)
                LOG_ERROR("a deployment could not go on; it is tried again", {"endpoint", id.second},
                          {"error", goes_on.error().ToString()});
            has_ended = goes_on && !*goes_on;
            std::lock_guard lock(mutex_);
            if (has_ended) rolling_.erase(id);
        }
        if (has_ended) SweepShelf();  // one of the fleets is gone
    }
}

// The caller has the endpoint's turn.
Result<bool> EndpointService::AdvanceRollout(const EndpointId& id) {
    auto endpoint = Find(id.first, id.second);
    if (!endpoint && endpoint.error().code() == ErrorCode::kNotFound) return false;
    if (!endpoint) return std::move(endpoint).error();
    if (endpoint->spec.pending == nullptr) return false;
    const ArchiveShelf::HoldToken hold = shelf_->Hold();
    const PendingUpdate& pending = *endpoint->spec.pending;
    const RolloutPlan plan = TRY(PlanRollout(pending.next.deployment_echo, SmallestFleet(pending.next)));
    if (!pending.rollback_reason.empty()) return StepBack(std::move(*endpoint), plan);
    const std::string reason = TRY(ReasonToRollBack(id.first, plan, pending));
    if (!reason.empty()) {
        PendingUpdate back = pending;
        back.rollback_reason = reason;
        back.step_at = options_.clock->WallMillis();
        back.share = std::max(0.0, back.share - plan.back_batch);
        Note(endpoint->record, "The update to {} is rolled back: {}", back.next.config_name, reason);
        endpoint->spec.pending = std::make_shared<const PendingUpdate>(std::move(back));
        TRY(PublishRollout(std::move(*endpoint), kRollingBack));
        return true;
    }
    return StepForward(std::move(*endpoint), plan);
}

Result<std::string> EndpointService::ReasonToRollBack(const meta::Scope& scope, const RolloutPlan& plan,
                                                      const PendingUpdate& pending) const {
    for (const std::string& name : plan.alarms) {
        const std::optional<meta::AlarmRecord> alarm = TRY(options_.alarms->Find(scope, name));
        if (!alarm) return fmt::format("The alarm {} does not exist any more.", name);
        if (alarm->state == monitor::ToString(monitor::AlarmState::kAlarm))
            return fmt::format("The alarm {} is in state ALARM: {}", name, alarm->state_reason);
    }
    const UnixMillis took = options_.clock->WallMillis() - pending.started_at;
    if (plan.timeout_ms > 0 && took > plan.timeout_ms)
        return fmt::format("The deployment took more than {} seconds.", plan.timeout_ms / 1000);
    return std::string();
}

Result<bool> EndpointService::StepForward(Endpoint endpoint, const RolloutPlan& plan) {
    const UnixMillis now = options_.clock->WallMillis();
    PendingUpdate pending = *endpoint.spec.pending;
    const std::size_t step = std::min(pending.step, plan.forward.size() - 1);
    if (now < pending.step_at + plan.forward[step].wait_ms) return true;
    if (step + 1 < plan.forward.size()) {
        pending.step = step + 1;
        pending.step_at = now;
        pending.share = plan.forward[step + 1].share;
        Note(endpoint.record, "The update to {} takes {:.0f} % of the traffic.", pending.next.config_name,
             pending.share * 100);
        endpoint.spec.pending = std::make_shared<const PendingUpdate>(std::move(pending));
        TRY(PublishRollout(std::move(endpoint), kUpdating));
        return true;
    }
    Note(endpoint.record, "The update to {} is complete.", pending.next.config_name);
    endpoint.spec = std::move(pending.next);
    TRY(EndRollout(std::move(endpoint)));
    return false;
}

Result<bool> EndpointService::StepBack(Endpoint endpoint, const RolloutPlan& plan) {
    const UnixMillis now = options_.clock->WallMillis();
    PendingUpdate pending = *endpoint.spec.pending;
    if (pending.share > 0) {
        if (now < pending.step_at + plan.back_wait_ms) return true;
        pending.step_at = now;
        pending.share = std::max(0.0, pending.share - plan.back_batch);
        endpoint.spec.pending = std::make_shared<const PendingUpdate>(std::move(pending));
        TRY(PublishRollout(std::move(endpoint), kRollingBack));
        return true;
    }
    Note(endpoint.record, "The configuration {} has all traffic again.", endpoint.spec.config_name);
    endpoint.spec.failure_reason =
        fmt::format("The update to {} was rolled back. {}", pending.next.config_name, pending.rollback_reason)
            .substr(0, kFailureReasonBytesMax);
    endpoint.spec.pending = nullptr;
    TRY(EndRollout(std::move(endpoint)));
    return false;
}

Result<void> EndpointService::EndRollout(Endpoint endpoint) {
    auto live = TRY(Load(endpoint.record.scope, endpoint.record.name, endpoint.spec));
    endpoint.record.modified_at = options_.clock->WallMillis();
    TRY(Publish(std::move(endpoint.record), std::string(kInService), endpoint.spec, std::move(live)));
    return {};
}

}  // namespace espalier::hosting
