#include "meta/async_requests.h"

#include <fmt/format.h>
#include <soci/soci.h>

#include <string>

#include "base/encoding.h"

namespace espalier::meta {
namespace {

constexpr std::string_view kColumns =
    "account, region, endpoint, inference_id, content_type, accept, input_location, inline_body, output_location, "
    "failure_location, has_own_places, accepted_at, expires_at, timeout_seconds, trace_parent";

Result<AsyncRequest> FromRow(std::int64_t id, const soci::row& row) {
    AsyncRequest request;
    request.id = id;
    std::size_t column = 0;
    const auto text = [&] { return row.get<std::string>(column++); };
    const auto integer = [&] { return static_cast<std::int64_t>(row.get<long long>(column++)); };
    request.scope.account = text();
    request.scope.region = text();
    request.endpoint = text();
    request.inference_id = text();
    request.content_type = text();
    request.accept = text();
    request.input_location = text();
    // Base64, because a text column ends at the first zero byte.
    std::optional<std::string> body = Base64Decode(text());
    if (!body) return Error(ErrorCode::kCorruptData, fmt::format("the body of request {} is damaged", request.id));
    request.inline_body = std::move(*body);
    request.output_location = text();
    request.failure_location = text();
    request.has_own_places = integer() != 0;
    request.accepted_at = integer();
    request.expires_at = integer();
    request.timeout_seconds = integer();
    request.trace_parent = text();
    return request;
}

}  // namespace

Result<std::int64_t> AsyncRequests::Insert(const AsyncRequest& request) {
    const std::string body = Base64Encode(request.inline_body);
    const int has_own_places = request.has_own_places ? 1 : 0;
    std::int64_t id = 0;
    TRY(database_.Write([&](soci::session& sql) -> Result<void> {
        sql << "INSERT INTO async_requests (account, region, endpoint, inference_id, content_type, accept, "
               "input_location, inline_body, output_location, failure_location, has_own_places, accepted_at, "
               "expires_at, "
               "timeout_seconds, trace_parent, end_reason) VALUES (:account, :region, :endpoint, :inference, "
               ":content_type, :accept, :input, :body, :output, :failure, :own, :accepted, :expires, :timeout, :trace, "
               "'')",
            soci::use(request.scope.account, "account"), soci::use(request.scope.region, "region"),
            soci::use(request.endpoint, "endpoint"), soci::use(request.inference_id, "inference"),
            soci::use(request.content_type, "content_type"), soci::use(request.accept, "accept"),
            soci::use(request.input_location, "input"), soci::use(body, "body"),
            soci::use(request.output_location, "output"), soci::use(request.failure_location, "failure"),
            soci::use(has_own_places, "own"), soci::use(request.accepted_at, "accepted"),
            soci::use(request.expires_at, "expires"), soci::use(request.timeout_seconds, "timeout"),
            soci::use(request.trace_parent, "trace");
        sql << "SELECT last_insert_rowid()", soci::into(id);
        return {};
    }));
    return id;
}

Result<std::optional<AsyncRequest>> AsyncRequests::Find(std::int64_t id) {
    std::optional<AsyncRequest> request;
    TRY(database_.Read([&](soci::session& sql) -> Result<void> {
        const soci::rowset<soci::row> rows =
            (sql.prepare << fmt::format("SELECT {} FROM async_requests WHERE id = :id", kColumns), soci::use(id, "id"));
        for (const soci::row& row : rows) request = TRY(FromRow(id, row));
        return {};
    }));
    return request;
}

Result<std::vector<WaitingAsyncRequest>> AsyncRequests::All() {
    std::vector<WaitingAsyncRequest> waiting;
    TRY(database_.Read([&](soci::session& sql) -> Result<void> {
        const soci::rowset<soci::row> rows =
            (sql.prepare
             << "SELECT CAST(id AS TEXT), account, region, endpoint, accepted_at, expires_at, end_reason FROM "
                "async_requests ORDER BY id");
        for (const soci::row& row : rows)
            // An AUTOINCREMENT key must be declared INTEGER, which SOCI takes for 32 bits.
            waiting.push_back({.id = std::stoll(row.get<std::string>(0)),
                               .scope = {.account = row.get<std::string>(1), .region = row.get<std::string>(2)},
                               .endpoint = row.get<std::string>(3),
                               .accepted_at = row.get<long long>(4),
                               .expires_at = row.get<long long>(5),
                               .end_reason = row.get<std::string>(6)});
        return {};
    }));
    return waiting;
}

Result<void> AsyncRequests::Doom(const Scope& scope, const std::string& endpoint, const std::string& reason) {
    return database_.Write([&](soci::session& sql) -> Result<void> {
        sql << "UPDATE async_requests SET end_reason = :reason WHERE account = :account AND region = :region AND "
               "endpoint = :endpoint",
            soci::use(reason, "reason"), soci::use(scope.account, "account"), soci::use(scope.region, "region"),
            soci::use(endpoint, "endpoint");
        return {};
    });
}

Result<void> AsyncRequests::Delete(std::int64_t id) {
    return database_.Write([&](soci::session& sql) -> Result<void> {
        sql << "DELETE FROM async_requests WHERE id = :id", soci::use(id, "id");
        return {};
    });
}

}  // namespace espalier::meta
