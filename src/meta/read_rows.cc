#include "meta/read_rows.h"

namespace espalier::meta {

void FetchRows(soci::session& sql, const std::string& statement_text, Conditions& values,
               const std::function<void(const soci::row&)>& take) {
    soci::row row;
    soci::statement statement(sql);
    BindValues(statement, values);
    statement.exchange(soci::into(row));
    statement.alloc();
    statement.prepare(statement_text);
    statement.define_and_bind();
    statement.execute(false);
    while (statement.fetch()) take(row);
}

void BindValues(soci::statement& statement, Conditions& values) {
    for (auto& [name, value] : values.texts) statement.exchange(soci::use(value, name));
    for (auto& [name, value] : values.integers) statement.exchange(soci::use(value, name));
    for (auto& [name, value] : values.reals) statement.exchange(soci::use(value, name));
}

long long ChangeRows(soci::session& sql, const std::string& statement_text, Conditions& values) {
    soci::statement statement(sql);
    BindValues(statement, values);
    statement.alloc();
    statement.prepare(statement_text);
    statement.define_and_bind();
    statement.execute(true);
    return statement.get_affected_rows();
}

Result<void> ReadRows(Database& database, const std::string& statement_text, Conditions& values,
                      const std::function<void(const soci::row&)>& take) {
    return database.Read([&](soci::session& sql) -> Result<void> {
        FetchRows(sql, statement_text, values, take);
        return {};
    });
}

}  // namespace espalier::meta
