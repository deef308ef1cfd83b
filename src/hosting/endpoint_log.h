// What endpoints say: CloudWatch log lines in /aws/sagemaker/Endpoints/<endpoint>, one stream a variant.
//
// Lines wait in memory until the next Flush, about a second, so that nobody who serves waits for the disk. Limits:
// kLinesMax lines wait at most, kLinesPerVariant of one variant; more are counted and told of in one line. Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "meta/logs.h"

namespace espalier::hosting {

class EndpointLog {
  public:
    static constexpr std::size_t kLinesPerVariant = 200;
    static constexpr std::size_t kLineBytesMax = 4096;

    /// Borrowed.
    EndpointLog(meta::Database& database, const Clock& clock) : logs_(database), clock_(clock) {}

    void Add(const meta::Scope& scope, std::string_view endpoint, std::string_view variant, std::string line);
    /// Writes what waits. Lines that cannot be written are dropped, with the error.
    Result<void> Flush();

  private:
    struct StreamName {
        meta::Scope scope;
        std::string endpoint;
        std::string variant;
        auto operator<=>(const StreamName&) const = default;
    };
    struct Waiting {
        std::vector<meta::LogEvent> lines;
        std::size_t num_dropped = 0;
    };

    meta::Logs logs_;
    const Clock& clock_;
    std::mutex mutex_;
    std::map<StreamName, Waiting> waiting_;  // guarded by mutex_
};

}  // namespace espalier::hosting
