// What a page of a list is asked by: filters, an order, and the place where the page before ended. Plain values.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "base/clock.h"
#include "meta/scope.h"

namespace espalier::meta {

enum class ListSort { kCreationTime, kName, kStatus };

/// A place in a list: the sort value of a row, and what tells it from rows of the same value.
struct ListCursor {
    std::string key;  ///< decimal digits for times
    std::string tie;
};

struct ListQuery {
    Scope scope;
    std::string name_contains = {};  ///< without case; "" = any
    std::string status = {};         ///< "" = any
    /// For kinds that have versions: rows of one parent; "" = rows without.
    std::optional<std::string> parent = {};
    bool only_with_parent = false;
    std::optional<UnixMillis> created_after = {};  ///< exclusive, as are the other three
    std::optional<UnixMillis> created_before = {};
    std::optional<UnixMillis> modified_after = {};
    std::optional<UnixMillis> modified_before = {};
    ListSort sort = ListSort::kCreationTime;
    bool descending = true;
    std::size_t limit = 100;
    std::optional<ListCursor> after = {};  ///< rows behind this place
};

}  // namespace espalier::meta
