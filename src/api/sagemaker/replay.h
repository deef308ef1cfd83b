// Answers a retried Create call with the answer of the first try.
//
// SDKs repeat a call whose answer was lost with the same amz-sdk-invocation-id. Without memory the user who created a
// job once would read ResourceInUse. The last kAnswersMax answers are kept; a retry that arrives while the first try is
// still at work waits for its answer. A ClientToken of the caller's does the same for separate calls. Internal failures
// (5xx) are forgotten, so that a retry really tries again. The memory does not survive a restart; training jobs also
// keep their invocation id in their row for that case. Thread-safe. Source: contracts/api.md 1.7, 3.13.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "api/sagemaker/operations.h"

namespace espalier::api::sagemaker {

class ReplayMemory {
  public:
    static constexpr std::size_t kAnswersMax = 1000;

    /// `key` names account, region, operation, invocation id or token, and body. Returns nullopt for a repeat: `reply`
    /// is then answered with the first try's answer, now or when it is there. Otherwise returns the Reply the caller
    /// must answer with: it records the answer and passes it to `reply` and to all repeats that came meanwhile.
    std::optional<Reply> Begin(const std::string& key, const Reply& reply);

  private:
    struct Entry {
        std::optional<Outcome> outcome;
        std::vector<Reply> waiting;
    };

    void Finish(const std::string& key, const Outcome& outcome);
    void EvictOldest();

    std::mutex mutex_;
    std::unordered_map<std::string, Entry> entries_;
    std::deque<std::string> order_;  // of entries_, oldest first
};

}  // namespace espalier::api::sagemaker
