#include "meta/row_list.h"

#include <fmt/format.h>

#include <charconv>

#include "base/check.h"
#include "meta/arn.h"

namespace espalier::meta {
namespace {

constexpr std::size_t kTrigram = 3;

void AddText(Conditions& conditions, std::string_view condition, std::string name, std::string value) {
    conditions.text += fmt::format(" AND {}", condition);
    conditions.texts.emplace_back(std::move(name), std::move(value));
}

/// `after < column < before`. A column with a "+" in front keeps SQLite from entering the column's index.
void AddRange(Conditions& conditions, std::string_view column, std::string_view value_name,
              const std::optional<UnixMillis>& after, const std::optional<UnixMillis>& before) {
    for (const auto& [bound, sign, which] : {std::tuple(&after, '>', "after"), std::tuple(&before, '<', "before")}) {
        if (!*bound) continue;
        const std::string name = fmt::format("{}_{}", value_name, which);
        conditions.text += fmt::format(" AND {} {} :{}", column, sign, name);
        conditions.integers.emplace_back(name, **bound);
    }
}

/// Binds `text` as the column's value: times and ids are numbers.
Result<void> BindPlaceValue(Conditions& conditions, std::string name, const std::string& text, bool is_number) {
    if (!is_number) {
        conditions.texts.emplace_back(std::move(name), text);
        return {};
    }
    long long number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size())
        return Error(ErrorCode::kInvalidArgument, "the cursor is none of this list");
    conditions.integers.emplace_back(std::move(name), number);
    return {};
}

/// The order's index begins with the status that is asked for.
bool IsOfOneStatus(const ListedTable& table, const ListQuery& query) {
    return !query.status.empty() && table.has_status_orders;
}

/// Rows on one side of a place: `sign` is "<", ">", "<=" or ">=".
Result<void> AddPlace(Conditions& conditions, const ListedTable& table, const ListQuery& query, std::string_view sign,
                      std::string_view value_name, const ListCursor& place) {
    if (IsOfOneStatus(table, query) && query.sort == ListSort::kStatus) {
        // All of them have the key; SQLite would not seek a row value one part of which is held by an equation.
        conditions.text += fmt::format(" AND {} {} :{}_tie", table.tie, sign, value_name);
        return BindPlaceValue(conditions, fmt::format("{}_tie", value_name), place.tie, table.tie == "id");
    }
    // A row value, which SQLite seeks in an index.
    conditions.text += fmt::format(" AND ({}, {}) {} (:{}_key, :{}_tie)", ColumnOf(query.sort), table.tie, sign,
                                   value_name, value_name);
    TRY(BindPlaceValue(conditions, fmt::format("{}_key", value_name), place.key,
                       query.sort == ListSort::kCreationTime));
    return BindPlaceValue(conditions, fmt::format("{}_tie", value_name), place.tie, table.tie == "id");
}

/// What the index of the order covers: scope, parent, status, a range of times when they are the order.
Conditions OrderConditions(const ListedTable& table, const ListQuery& query) {
    Conditions conditions = {.text = "account = :account AND region = :region",
                             .texts = {{"account", query.scope.account}, {"region", query.scope.region}}};
    // Spelt as in the partial indexes, or SQLite does not use them.
    if (query.parent && query.parent->empty()) conditions.text += " AND parent = ''";
    if (query.parent && !query.parent->empty()) AddText(conditions, "parent = :parent", "parent", *query.parent);
    if (query.only_with_parent) conditions.text += " AND parent <> ''";
    if (IsOfOneStatus(table, query)) AddText(conditions, "status = :status", "status", query.status);
    if (query.sort == ListSort::kCreationTime)
        AddRange(conditions, "created_at", "created", query.created_after, query.created_before);
    return conditions;
}

bool HasModificationRange(const ListQuery& query) {
    return query.modified_after.has_value() || query.modified_before.has_value();
}

bool HasOtherCreationRange(const ListQuery& query) {
    return query.sort != ListSort::kCreationTime && (query.created_after || query.created_before);
}

bool HasOtherStatus(const ListedTable& table, const ListQuery& query) {
    return !query.status.empty() && !table.has_status_orders;
}

/// The filters beside the order's index.
void AddOtherFilters(Conditions& conditions, const ListedTable& table, const ListQuery& query) {
    if (!query.name_contains.empty())
        AddText(conditions, "instr(lower(name), :contains) > 0", "contains", FoldCase(query.name_contains));
    if (HasOtherStatus(table, query)) AddText(conditions, "+status = :status", "status", query.status);
    if (HasOtherCreationRange(query))
        AddRange(conditions, "+created_at", "created", query.created_after, query.created_before);
    AddRange(conditions, "+modified_at", "modified", query.modified_after, query.modified_before);
}

bool HasOtherFilters(const ListedTable& table, const ListQuery& query) {
    return !query.name_contains.empty() || HasOtherStatus(table, query) || HasOtherCreationRange(query) ||
           HasModificationRange(query);
}

/// Whether `rows` (what follows "SELECT 1") are fewer than kFewRows.
bool AreFew(soci::session& sql, const std::string& rows, Conditions values) {
    int count = 0;
    soci::statement statement(sql);
    BindValues(statement, values);
    statement.exchange(soci::into(count));
    statement.alloc();
    statement.prepare(fmt::format("SELECT count(*) FROM (SELECT 1 {} LIMIT {})", rows, kFewRows));
    statement.define_and_bind();
    statement.execute(true);
    return count < static_cast<int>(kFewRows);
}

/// A filter with an index of its own: what to select from instead of the table, and a condition that it adds.
struct Driver {
    std::string from;
    Conditions condition;
};

std::optional<Driver> FindRangeDriver(soci::session& sql, std::string_view table, std::string_view index,
                                      std::string_view column, const ListQuery& query,
                                      const std::optional<UnixMillis>& after, const std::optional<UnixMillis>& before) {
    Driver driver = {.from = fmt::format("{} INDEXED BY {}_{}", table, table, index), .condition = {}};
    AddRange(driver.condition, column, "driver", after, before);
    Conditions asked = driver.condition;
    asked.texts = {{"account", query.scope.account}, {"region", query.scope.region}};
    const std::string rows =
        fmt::format("FROM {} WHERE account = :account AND region = :region{}", driver.from, asked.text);
    return AreFew(sql, rows, std::move(asked)) ? std::optional(std::move(driver)) : std::nullopt;
}

std::optional<Driver> FindNameDriver(soci::session& sql, std::string_view table, const ListQuery& query) {
    if (query.name_contains.size() < kTrigram) return std::nullopt;
    std::string phrase = "\"";
    for (const char c : query.name_contains) phrase += c == '"' ? "\"\"" : std::string(1, c);
    phrase += '"';
    const Conditions asked = {.text = "", .texts = {{"phrase", phrase}}};
    if (!AreFew(sql, "FROM listed_names WHERE listed_names MATCH :phrase", asked)) return std::nullopt;
    // CROSS JOIN keeps SQLite from turning the two around.
    Driver driver = {.from = fmt::format("(SELECT name AS listed FROM listed_names WHERE listed_names MATCH :phrase "
                                         "AND place = :place) CROSS JOIN {}",
                                         table),
                     .condition = {.text = " AND name = listed"}};
    driver.condition.texts = {{"phrase", phrase},
                              {"place", fmt::format("{}/{}/{}", table, query.scope.account, query.scope.region)}};
    return driver;
}

std::optional<Driver> FindDriver(soci::session& sql, const ListedTable& table, const ListQuery& query) {
    std::optional<Driver> driver = FindNameDriver(sql, table.name, query);
    if (!driver && HasModificationRange(query) && table.has_modification_index)
        driver = FindRangeDriver(sql, table.name, "by_modification", "modified_at", query, query.modified_after,
                                 query.modified_before);
    if (!driver && HasOtherCreationRange(query))
        driver =
            FindRangeDriver(sql, table.name, "by_time", "created_at", query, query.created_after, query.created_before);
    return driver;
}

/// The place of the last row of the order that one page looks at; nullopt when the list ends before.
std::optional<ListCursor> FindEnd(soci::session& sql, const ListedTable& table, const ListQuery& query,
                                  std::string_view order, Conditions values) {
    ListCursor place;
    soci::statement statement(sql);
    BindValues(statement, values);
    statement.exchange(soci::into(place.key));
    statement.exchange(soci::into(place.tie));
    statement.alloc();
    statement.prepare(fmt::format("SELECT CAST({} AS TEXT), CAST({} AS TEXT) FROM {} WHERE {} {} LIMIT 1 OFFSET {}",
                                  ColumnOf(query.sort), table.tie, table.name, values.text, order, kRowsLookedAt - 1));
    statement.define_and_bind();
    if (!statement.execute(true)) return std::nullopt;
    return place;
}

void Append(Conditions& conditions, Conditions more) {
    conditions.text += more.text;
    for (auto& text : more.texts) conditions.texts.push_back(std::move(text));
    for (auto& integer : more.integers) conditions.integers.push_back(std::move(integer));
}

}  // namespace

std::string_view ColumnOf(ListSort sort) {
    switch (sort) {
        case ListSort::kCreationTime:
            return "created_at";
        case ListSort::kName:
            return "name";
        case ListSort::kStatus:
            return "status";
    }
    CHECK(false, "row sort {}", static_cast<int>(sort));
    return "";
}

Result<PagePlan> PlanPage(soci::session& sql, const ListedTable& table, const ListQuery& query) {
    PagePlan plan = {.rows = "", .values = OrderConditions(table, query)};
    if (query.after) TRY(AddPlace(plan.values, table, query, query.descending ? "<" : ">", "after", *query.after));
    const std::string_view direction = query.descending ? "DESC" : "ASC";
    const std::string order =
        fmt::format("ORDER BY {} {}, {} {}", ColumnOf(query.sort), direction, table.tie, direction);
    std::string from(table.name);
    // Of the indexes that begin with a status SQLite may take one whose rows it then has to sort.
    if (IsOfOneStatus(table, query) && query.sort == ListSort::kStatus)
        from += fmt::format(" INDEXED BY {}_by_status", table.name);
    if (HasOtherFilters(table, query)) {
        if (std::optional<Driver> driver = FindDriver(sql, table, query)) {
            from = driver->from;
            Append(plan.values, std::move(driver->condition));
        } else {
            plan.end = FindEnd(sql, table, query, order, plan.values);
            if (plan.end) TRY(AddPlace(plan.values, table, query, query.descending ? ">=" : "<=", "end", *plan.end));
        }
        AddOtherFilters(plan.values, table, query);
    }
    plan.rows = fmt::format("FROM {} WHERE {} {} LIMIT {}", from, plan.values.text, order, query.limit + 1);
    return plan;
}

}  // namespace espalier::meta
