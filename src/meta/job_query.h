// What all kinds of jobs have in common: a status, and the questions that a list of them answers.
//
// Nouns: JobStatus (what callers branch on), JobQuery, JobCursor, JobPage. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "meta/list_query.h"
#include "meta/scope.h"

namespace espalier::meta {

enum class JobStatus { kInProgress, kStopping, kCompleted, kFailed, kStopped };

/// SageMaker's words: "InProgress".
std::string_view ToString(JobStatus status);
std::optional<JobStatus> JobStatusOf(std::string_view word);
inline bool IsTerminal(JobStatus status) {
    return status != JobStatus::kInProgress && status != JobStatus::kStopping;
}

/// Where a page of a list ended: the sort key of its last row and its id.
struct JobCursor {
    std::string key;
    std::int64_t id = 0;
};

/// From the text that a token keeps. kInvalidArgument for a place whose tie is no id.
Result<JobCursor> JobCursorOf(const ListCursor& place);

struct JobQuery {
    Scope scope;
    std::string name_contains = {};  ///< without case; "" = any
    std::optional<JobStatus> status = {};
    std::optional<UnixMillis> created_after = {};  ///< exclusive, as are the other three
    std::optional<UnixMillis> created_before = {};
    std::optional<UnixMillis> modified_after = {};
    std::optional<UnixMillis> modified_before = {};
    ListSort sort = ListSort::kCreationTime;
    bool descending = false;
    std::uint32_t limit = 100;
    std::optional<JobCursor> after = {};
};

template <typename Job>
struct JobPage {
    std::vector<Job> jobs;
    std::optional<JobCursor> next = {};  ///< set when there may be more rows; a page may end before it is full
};

/// The cursor of the row with these values.
JobCursor MakeCursor(ListSort sort, UnixMillis created_at, const std::string& name, JobStatus status, std::int64_t id);

template <typename Job>
JobCursor CursorOf(ListSort sort, const Job& job) {
    return MakeCursor(sort, job.created_at, job.name, job.status, job.id);
}

}  // namespace espalier::meta
