#include "api/sagemaker/replay.h"

#include <utility>

namespace espalier::api::sagemaker {

std::optional<Reply> ReplayMemory::Begin(const std::string& key, const Reply& reply) {
    std::optional<Outcome> known;
    {
        const std::lock_guard lock(mutex_);
        const auto found = entries_.find(key);
        if (found == entries_.end()) {
            entries_[key].waiting.push_back(reply);
            order_.push_back(key);
            EvictOldest();
            return [this, key](const Outcome& outcome) { Finish(key, outcome); };
        }
        if (!found->second.outcome) {
            found->second.waiting.push_back(reply);
            return std::nullopt;
        }
        known = found->second.outcome;
    }
    reply(*known);
    return std::nullopt;
}

void ReplayMemory::Finish(const std::string& key, const Outcome& outcome) {
    std::vector<Reply> waiting;
    {
        const std::lock_guard lock(mutex_);
        const auto found = entries_.find(key);
        if (found == entries_.end()) return;
        waiting = std::move(found->second.waiting);
        found->second.waiting.clear();
        const bool internal_failure = outcome.error() != nullptr && outcome.error()->status >= 500;
        if (internal_failure) {
            entries_.erase(found);
            std::erase(order_, key);
        } else {
            found->second.outcome = outcome;
        }
    }
    for (const Reply& reply : waiting) reply(outcome);
}

void ReplayMemory::EvictOldest() {
    // A call still at work must keep its waiting replies, so only answered entries leave; the number of calls at work
    // is bounded by the connections.
    for (auto key = order_.begin(); key != order_.end() && entries_.size() > kAnswersMax;) {
        const auto found = entries_.find(*key);
        if (found->second.outcome) {
            entries_.erase(found);
            key = order_.erase(key);
        } else {
            ++key;
        }
    }
}

}  // namespace espalier::api::sagemaker
