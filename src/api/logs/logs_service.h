// CloudWatch Logs (json 1.1): groups and streams made and described, events put, read and filtered.
//
// DescribeLogStreams with a prefix gives no nextToken, even when the limit cut it: the SageMaker SDKs would ask again
// for ever without sending it back. Tokens of GetLogEvents are places in the stream, "f/<position>" and "b/<position>",
// and stay valid for ever; at the end the token given equals the token sent. Thread-safe. Source:
// contracts/api.md 3.10; tests/wire/logs.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "api/json_protocol.h"
#include "api/service.h"
#include "base/clock.h"
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
    /// All borrowed.
    LogsService(meta::Logs& logs, meta::LogSearch& search, const Clock& clock)
        : logs_(logs), search_(search), clock_(clock) {}

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

    meta::Logs& logs_;
    meta::LogSearch& search_;
    const Clock& clock_;
};

}  // namespace espalier::api::logs
