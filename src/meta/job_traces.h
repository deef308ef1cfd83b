// Which trace a job of some kind belongs to: the span of what created it. Only jobs that are traced have a row, and it
// goes when the job has ended and its spans were handed on. Thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "base/result.h"
#include "meta/database.h"

namespace espalier::meta {

class JobTraces {
  public:
    /// `database` is borrowed. `kind` as ARNs spell it: "training-job", "transform-job", …
    JobTraces(Database& database, std::string kind) : database_(database), kind_(std::move(kind)) {}

    Result<void> Put(std::int64_t job_id, const std::string& trace_parent);
    /// "" for a job that is not traced.
    Result<std::string> Find(std::int64_t job_id);
    Result<void> Delete(std::int64_t job_id);

  private:
    Database& database_;
    const std::string kind_;
};

}  // namespace espalier::meta
