// The schema of the database, as an append-only list of SQL steps. A database remembers how many of them it has run
// (SQLite: PRAGMA user_version); Database::Open runs the rest, each in its own transaction. A released step is never
// edited: a change is a new step at the end. docs/formats.md describes every table.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace espalier::meta {

struct Migration {
    std::string_view name;
    /// One or more SQL statements separated by ';'. No semicolons inside string literals.
    std::string sql;
};

/// All steps, oldest first. The version of a schema is the number of steps it has run.
std::span<const Migration> Migrations();

}  // namespace espalier::meta
