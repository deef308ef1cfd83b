// What the List operations of SageMaker share: NextToken (api/list_token.h) with the refusal of a foreign one, and time
// filters. Source: contracts/api.md 3.9. Thread-safe: pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "api/json_protocol.h"
#include "api/list_token.h"
#include "base/clock.h"
#include "meta/list_query.h"
#include "meta/scope.h"

namespace espalier::api::sagemaker {

/// The place of the request's NextToken, nullopt when it has none, a ValidationException when it is not one of this
/// very list.
std::variant<std::optional<ListPlace>, WireError> ReadNextToken(std::string_view operation, const meta::Scope& scope,
                                                                const nlohmann::json& request);

/// The order of a request's SortBy, whose word was checked.
meta::ListSort SortOf(std::string_view sort_by);

/// A timestamp member (epoch seconds after validation) in milliseconds, nullopt when absent.
std::optional<UnixMillis> TimeMember(const nlohmann::json& request, const char* name);

}  // namespace espalier::api::sagemaker
