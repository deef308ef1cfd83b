// How many jobs there are in each status, for monitoring. Thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "meta/database.h"

namespace espalier::meta {

struct JobCount {
    std::string kind;    ///< "training", "transform", "tuning"
    std::string status;  ///< "InProgress"
    std::int64_t count = 0;
};

/// Of all scopes together, by kind and status; none for what does not occur.
Result<std::vector<JobCount>> CountJobs(Database& database);

}  // namespace espalier::meta
