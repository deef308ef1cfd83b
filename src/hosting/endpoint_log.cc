#include "hosting/endpoint_log.h"

#include <fmt/format.h>

#include <utility>

namespace espalier::hosting {

void EndpointLog::Add(const meta::Scope& scope, std::string_view endpoint, std::string_view variant, std::string line) {
    if (line.size() > kLineBytesMax) line.resize(kLineBytesMax);
    const UnixMillis now = clock_.WallMillis();
    std::lock_guard lock(mutex_);
    Waiting& waiting = waiting_[{scope, std::string(endpoint), std::string(variant)}];
    if (waiting.lines.size() >= kLinesPerVariant) {
        ++waiting.num_dropped;
        return;
    }
    waiting.lines.push_back({.position = 0, .time = now, .ingested_at = now, .message = std::move(line)});
}

Result<void> EndpointLog::Flush() {
    std::map<StreamName, Waiting> taken;
    {
        std::lock_guard lock(mutex_);
        taken.swap(waiting_);
    }
    for (auto& [name, waiting] : taken) {
        const UnixMillis now = waiting.lines.back().time;
        if (waiting.num_dropped > 0)
            waiting.lines.push_back({.position = 0,
                                     .time = now,
                                     .ingested_at = now,
                                     .message = fmt::format("{} more lines were not kept", waiting.num_dropped)});
        TRY(logs_.Append(name.scope, "/aws/sagemaker/Endpoints/" + name.endpoint, name.variant + "/instance-1",
                         waiting.lines));
    }
    return {};
}

}  // namespace espalier::hosting
