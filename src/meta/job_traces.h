// Which trace a training job belongs to: the span of the request that created it. Only jobs that are traced have a row,
// and it goes when the job has ended and its spans were handed on. Thread-safe.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "meta/database.h"

namespace espalier::meta {

class JobTraces {
  public:
    /// `database` is borrowed.
    explicit JobTraces(Database& database) : database_(database) {}

    Result<void> Put(std::int64_t job_id, const std::string& trace_parent);
    /// "" for a job that is not traced.
    Result<std::string> Find(std::int64_t job_id);
    Result<void> Delete(std::int64_t job_id);

  private:
    Database& database_;
};

}  // namespace espalier::meta
