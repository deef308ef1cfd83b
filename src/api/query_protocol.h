// The AWS query protocol as a server speaks it: a form with Action and Version in (POST, or GET with the same
// parameters in the query), XML out. Shared by STS, IAM and, for older clients, CloudWatch. Pure functions. Source:
// contracts/api.md 1.5, 2.8.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "http/exchange.h"

namespace espalier::api {

/// The decoded parameters of a request.
using QueryForm = std::map<std::string, std::string, std::less<>>;

/// nullopt when an escape is wrong or there are more parameters than that.
std::optional<QueryForm> ReadQueryForm(const http::Exchange& exchange, std::size_t parameters_max);

/// The value of a parameter, "" without one.
std::string_view QueryParameter(const QueryForm& form, std::string_view name);

/// <ActionResponse><ActionResult>…</ActionResult><ResponseMetadata>…, `result` being XML. Void operations have no
/// result element: nullopt.
std::string QueryEnvelope(std::string_view action, std::string_view xml_namespace,
                          const std::optional<std::string>& result, std::string_view request_id);

/// 200 with that document.
http::Response QueryAnswer(std::string xml);

}  // namespace espalier::api
