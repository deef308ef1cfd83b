#include "api/console/console_service.h"

#include <optional>
#include <string_view>

#include "api/error_answer.h"
#include "base/encoding.h"
#include "base/log.h"
#include "hosting/comparison_report.h"

namespace espalier::api::console {
namespace {

/// The name in /_espalier/endpoints/{name}/comparison; nullopt for another path.
std::optional<std::string> EndpointOf(std::string_view path) {
    constexpr std::string_view kPrefix = "/_espalier/endpoints/";
    constexpr std::string_view kSuffix = "/comparison";
    if (!path.starts_with(kPrefix) || !path.ends_with(kSuffix) || path.size() <= kPrefix.size() + kSuffix.size())
        return std::nullopt;
    return PercentDecode(path.substr(kPrefix.size(), path.size() - kPrefix.size() - kSuffix.size()));
}

}  // namespace

void ConsoleService::Handle(std::shared_ptr<http::Exchange> exchange, Principal principal, std::string request_id) {
    const http::RequestHead& head = exchange->head();
    const auto refuse = [&](const WireFault& fault) {
        exchange->Send(ErrorAnswer(WireProtocol::kRestJson, fault, head.raw_path(), request_id));
    };
    const std::optional<std::string> endpoint = EndpointOf(head.raw_path());
    if (head.method != "GET" || !endpoint)
        return refuse({404, "UnknownOperationException", "There is GET /_espalier/endpoints/{name}/comparison."});
    Result<std::string> report =
        hosting::ComparisonReport(hosting_, metrics_, {.account = principal.account_id, .region = principal.region},
                                  *endpoint, clock_.WallMillis());
    if (!report && report.error().code() == ErrorCode::kNotFound)
        return refuse({400, "ValidationException", report.error().message()});
    if (!report) {
        LOG_ERROR("a comparison could not be made", {"endpoint", *endpoint}, {"error", report.error().ToString()});
        return refuse({500, "InternalFailure", "The server met an error of its own; its log holds the details."});
    }
    http::Response response{.status = 200, .headers = {}, .body = std::move(*report)};
    response.headers.Add("Content-Type", "application/json");
    exchange->Send(std::move(response));
}

}  // namespace espalier::api::console
