// Statements whose conditions are put together at run time. Internal to meta/.
#pragma once

#include <soci/soci.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "meta/database.h"

namespace espalier::meta {

/// The conditions of a query with the named values they bind.
struct Conditions {
    std::string text;
    std::vector<std::pair<std::string, std::string>> texts = {};
    std::vector<std::pair<std::string, long long>> integers = {};
    std::vector<std::pair<std::string, double>> reals = {};
};

/// Binds the values by their names; they must stay where they are until the statement has run.
void BindValues(soci::statement& statement, Conditions& values);

/// Inside a read of the caller's: `take` is given the rows of `statement` one by one; `values` are bound by their
/// names.
void FetchRows(soci::session& sql, const std::string& statement, Conditions& values,
               const std::function<void(const soci::row&)>& take);

/// Inside a transaction of the caller's: runs a statement with these values; gives the number of rows it changed.
long long ChangeRows(soci::session& sql, const std::string& statement, Conditions& values);

/// `take` is given the rows of `statement` one by one; `values` are bound by their names, its text is the caller's
/// affair.
Result<void> ReadRows(Database& database, const std::string& statement, Conditions& values,
                      const std::function<void(const soci::row&)>& take);

}  // namespace espalier::meta
