// CloudWatch Logs (json 1.1): groups and streams made, described and deleted, events put, read and filtered, how long a
// group keeps them.
//
// Expired events are out of every read at once. The group or stream of a running job or endpoint is deleted like any
// other; its next line makes a new one, without a retention.
// DescribeLogStreams with a prefix gives no nextToken, even when the limit cut it: the SageMaker SDKs would ask again
// for ever without sending it back. Tokens of GetLogEvents are places in the stream, "f/<position>" and "b/<position>",
// and stay valid for ever; at the end the token given equals the token sent. Thread-safe. Source:
// contracts/api.md 3.10; tests/wire/logs.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <variant>

#include "api/json_protocol.h"
#include "api/service.h"
#include "base/clock.h"
#include "meta/log_groups.h"
#include "meta/log_search.h"
#include "meta/logs.h"
#include "meta/scope.h"

namespace espalier::api::logs {

inline constexpr JsonProtocol kLogsProtocol = {.target_prefix = "Logs_20140328",
                                               .content_type = "application/x-amz-json-1.1"};
inline constexpr std::uint32_t kEventsPerCallMax = 10000;
inline constexpr std::size_t kEventBytesPerCallMax = 1 << 20;

class LogsService final : public Service {
  public:
    /// Both borrowed.
    LogsService(meta::Database& database, const Clock& clock)
        : groups_(database), logs_(database), search_(database), clock_(clock) {}

    http::BodyPlan Plan(const http::RequestHead&) override { return kJsonBodyPlan; }
    void Handle(std::shared_ptr<http::Exchange> exchange, Principal principal, std::string request_id) override;

    /// The answer to one operation. Public for tests.
    Outcome Answer(std::string_view operation, const nlohmann::json& request, const meta::Scope& scope);

  private:
    Outcome DescribeLogGroups(const nlohmann::json& request, const meta::Scope& scope);
    Outcome DescribeLogStreams(const nlohmann::json& request, const meta::Scope& scope);
    Outcome GetLogEvents(const nlohmann::json& request, const meta::Scope& scope);
    Outcome FilterLogEvents(const nlohmann::json& request, const meta::Scope& scope);
    Outcome PutLogEvents(const nlohmann::json& request, const meta::Scope& scope);
    Outcome CreateLogGroup(const nlohmann::json& request, const meta::Scope& scope);
    Outcome CreateLogStream(const nlohmann::json& request, const meta::Scope& scope);
    Outcome DeleteLogGroup(const nlohmann::json& request, const meta::Scope& scope);
    Outcome DeleteLogStream(const nlohmann::json& request, const meta::Scope& scope);
    Outcome PutRetentionPolicy(const nlohmann::json& request, const meta::Scope& scope);
    Outcome DeleteRetentionPolicy(const nlohmann::json& request, const meta::Scope& scope);
    /// The group, or the answer that there is none.
    std::variant<meta::LogGroup, Outcome> FindGroup(const meta::Scope& scope, const std::string& name);

    meta::LogGroups groups_;
    meta::Logs logs_;
    meta::LogSearch search_;
    const Clock& clock_;
};

}  // namespace espalier::api::logs
