// The lists of jobs: their filters, orders and tokens, which are the same for training, transform and tuning jobs.
// Thread-safe: pure functions. Source: contracts/api.md 3.9.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <variant>

#include "api/json_protocol.h"
#include "api/sagemaker/list_request.h"
#include "api/sagemaker/operations.h"
#include "base/result.h"
#include "meta/job_query.h"

namespace espalier::api::sagemaker {

/// How an operation lists when the request does not say.
struct JobListShape {
    const char* operation;
    const char* rows_member;
    std::uint32_t default_rows;
    const char* default_sort;
    const char* default_order;
};

/// What the request asks for; nullopt when no job of ours can match; a WireError for a foreign token.
std::variant<std::optional<meta::JobQuery>, WireError> JobQueryOf(const JobListShape& shape,
                                                                  const nlohmann::json& request,
                                                                  const RequestContext& context);

/// The cursor of a token's place; nullopt when its row is no number, which our own tokens never are.
std::optional<meta::JobCursor> JobCursorOf(const ListPlace& place);

template <typename Job>
Outcome ListJobsAs(const JobListShape& shape, const nlohmann::json& request, const RequestContext& context,
                   const std::function<Result<meta::JobPage<Job>>(const meta::JobQuery&)>& list,
                   const std::function<nlohmann::json(const Job&)>& summary) {
    auto asked = JobQueryOf(shape, request, context);
    if (const WireError* error = std::get_if<WireError>(&asked)) return Outcome::Fail(*error);
    nlohmann::json answer = {{shape.rows_member, nlohmann::json::array()}};
    const auto& query = std::get<std::optional<meta::JobQuery>>(asked);
    if (!query) return Outcome::Ok(answer);
    auto page = list(*query);
    if (!page) return Outcome::Internal(page.error(), shape.operation);
    for (const Job& job : page->jobs) answer[shape.rows_member].push_back(summary(job));
    if (page->next) {
        answer["NextToken"] = MakeListToken(shape.operation, context.scope, request,
                                            {.sort_value = page->next->key, .row = std::to_string(page->next->id)});
    }
    return Outcome::Ok(answer);
}

}  // namespace espalier::api::sagemaker
