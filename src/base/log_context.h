// The request a thread works on: added to its log lines (request id, operation, trace), and asked for by those who make
// spans of its parts.
//
// Costs two pointer writes, so it may stand on the invoke path. Texts are borrowed. Thread-confined.
#pragma once

#include <string_view>

#include "base/span.h"

namespace espalier {

struct LogContext {
    std::string_view request_id;
    std::string_view operation;
    const ActiveTrace* trace = nullptr;  ///< nullptr = it is not recorded
};

/// Holds for this thread until destroyed; contexts nest.
class ScopedLogContext {
  public:
    explicit ScopedLogContext(const LogContext& context);
    ScopedLogContext(const ScopedLogContext&) = delete;
    ScopedLogContext& operator=(const ScopedLogContext&) = delete;
    ~ScopedLogContext();

  private:
    const LogContext* const outer_;
};

/// The trace of the request this thread works on; nullptr when it is not recorded, or when there is none.
const ActiveTrace* CurrentTrace();

}  // namespace espalier
