// What the List operations share: SortOrder, MaxResults, time filters, and NextToken.
//
// A token is opaque to clients: it holds the operation, a fingerprint of everything else the request asks for, and the
// place of the last row. A token of another operation, scope, filter or order is refused with a ValidationException, so
// a page can't silently come from another list. Source: contracts/api.md 3.9. Thread-safe: pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "api/json_protocol.h"
#include "base/clock.h"
#include "meta/scope.h"

namespace espalier::api::sagemaker {

/// The place a page ended at, in the words of the operation's own listing.
struct ListPlace {
    std::string sort_value;
    std::string row;
};

/// The token that continues `request` behind `place`.
std::string MakeNextToken(std::string_view operation, const meta::Scope& scope, const nlohmann::json& request,
                          const ListPlace& place);

/// The place of the request's NextToken, nullopt when it has none, a ValidationException when it is not one of this
/// very list.
std::variant<std::optional<ListPlace>, WireError> ReadNextToken(std::string_view operation, const meta::Scope& scope,
                                                                const nlohmann::json& request);

/// A timestamp member (epoch seconds after validation) in milliseconds, nullopt when absent.
std::optional<UnixMillis> TimeMember(const nlohmann::json& request, const char* name);

}  // namespace espalier::api::sagemaker
