#include "api/sagemaker/job_lists.h"

#include <utility>

namespace espalier::api::sagemaker {

using nlohmann::json;

std::optional<meta::JobCursor> JobCursorOf(const ListPlace& place) {
    auto cursor = meta::JobCursorOf({.key = place.sort_value, .tie = place.row});
    if (!cursor) return std::nullopt;
    return std::move(*cursor);
}

std::variant<std::optional<meta::JobQuery>, WireError> JobQueryOf(const JobListShape& shape, const json& request,
                                                                  const RequestContext& context) {
    auto place = ReadNextToken(shape.operation, context.scope, request);
    if (const WireError* error = std::get_if<WireError>(&place)) return *error;
    meta::JobQuery query = {.scope = context.scope,
                            .name_contains = request.value("NameContains", ""),
                            .created_after = TimeMember(request, "CreationTimeAfter"),
                            .created_before = TimeMember(request, "CreationTimeBefore"),
                            .modified_after = TimeMember(request, "LastModifiedTimeAfter"),
                            .modified_before = TimeMember(request, "LastModifiedTimeBefore"),
                            .sort = SortOf(request.value("SortBy", shape.default_sort)),
                            .descending = request.value("SortOrder", shape.default_order) == "Descending",
                            .limit = request.value("MaxResults", shape.default_rows)};
    if (request.contains("StatusEquals")) {
        query.status = meta::JobStatusOf(request["StatusEquals"].get<std::string>());
        // A published status that no job here has (Deleting).
        if (!query.status) return std::optional<meta::JobQuery>();
    }
    if (const auto& behind = std::get<std::optional<ListPlace>>(place)) query.after = JobCursorOf(*behind);
    return std::optional(std::move(query));
}

}  // namespace espalier::api::sagemaker
