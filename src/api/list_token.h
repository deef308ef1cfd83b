// Tokens of lists: where a page ended, for the next request to go on from.
//
// A token is opaque to clients: it holds the place of the last row and a fingerprint of it, the operation, the scope
// and everything else the request asks for but the size of the page. One of another operation, scope, filter or order,
// or a damaged one, is none, so a page can't silently come from another list. Source: contracts/api.md 3.9.
// Thread-safe: pure functions.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "meta/scope.h"

namespace espalier::api {

/// The place a page ended at, in the words of the operation's own listing.
struct ListPlace {
    std::string sort_value;
    std::string row;
};

/// The token that continues `request` behind `place`.
std::string MakeListToken(std::string_view operation, const meta::Scope& scope, const nlohmann::json& request,
                          const ListPlace& place);

/// nullopt when the text is no token of this very list.
std::optional<ListPlace> ReadListToken(const std::string& token, std::string_view operation, const meta::Scope& scope,
                                       const nlohmann::json& request);

/// The decimal number that a part of a place is; nullopt for any other text.
std::optional<std::int64_t> NumberOf(std::string_view text);

}  // namespace espalier::api
