// One page of a list of named rows: jobs, models, endpoints, packages, …
//
// Nouns: ListedTable, ListQuery, ListCursor (where a page ended), PagePlan (which rows SQLite is to read, and in what
// way). A page costs what it shows, not what the table holds:
//   - scope, parent, status and the order are one index, which a page enters behind the place of the page before;
//   - a filter beside them (a part of the name, a range of times in another order) is first asked for its rows, up to
//     kFewRows: when they are fewer, they are read through the filter's own index and sorted. Parts of names have the
//     index `listed_names` (trigrams), from three characters on;
//   - else the order's index is followed for at most kRowsLookedAt rows. Such a page may end before it is full, even
//     empty, and says where to go on: whoever follows it meets every row.
// Rows may come and go between pages: the others are met once, as long as what they are sorted by stays.
// Internal to meta/; pure functions, and some that read inside the caller's transaction.
#pragma once

#include <soci/soci.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "meta/list_query.h"
#include "meta/read_rows.h"

namespace espalier::meta {

inline constexpr std::size_t kFewRows = 1'000;
inline constexpr std::size_t kRowsLookedAt = 20'000;

/// A table with the columns account, region, name, status, created_at and modified_at, an index of each order, and the
/// index <table>_by_time.
struct ListedTable {
    std::string_view name;
    std::string_view tie;         ///< the column that orders rows of equal values: "name", or "id", which is a number
    bool has_status_orders;       ///< the orders' indexes also exist behind a status
    bool has_modification_index;  ///< <table>_by_modification
};

std::string_view ColumnOf(ListSort sort);

struct PagePlan {
    /// What follows "SELECT <columns>", ordered; gives one row more than the limit when there is one.
    std::string rows;
    Conditions values;
    std::optional<ListCursor> end = {};  ///< the last place looked at, when rows behind it were not looked at
};

/// kInvalidArgument for a place that is none of this list.
Result<PagePlan> PlanPage(soci::session& sql, const ListedTable& table, const ListQuery& query);

/// Cuts `rows` to the limit and gives the place to go on from. `place_of` makes a ListCursor of a row.
template <typename Row, typename PlaceOf>
std::optional<ListCursor> EndPage(std::vector<Row>& rows, std::size_t limit, const PagePlan& plan, PlaceOf&& place_of) {
    if (rows.size() <= limit) return plan.end;
    rows.resize(limit);
    if (rows.empty()) return std::nullopt;
    return place_of(rows.back());
}

}  // namespace espalier::meta
