// A piece of work with a beginning and an end, for a trace; and where such pieces go.
//
// Only what is recorded costs anything: whoever could make spans holds a SpanSink* that is nullptr when traces are not
// exported. Times are the wall clock's, in nanoseconds, because collectors compare them between machines.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/trace_context.h"

namespace espalier {

using UnixNanos = std::int64_t;

struct Span {
    enum class Kind { kInternal, kServer, kConsumer };
    TraceContext context;   ///< its own
    std::string parent_id;  ///< "" = the root of its trace
    std::string name;
    Kind kind = Kind::kInternal;
    UnixNanos begin = 0;
    UnixNanos end = 0;
    bool failed = false;
    std::string message = "";  ///< of a failed one
    std::vector<std::pair<std::string, std::string>> texts = {};
    std::vector<std::pair<std::string, std::int64_t>> numbers = {};
};

/// Takes what has ended. Add never blocks; what it has no room for is dropped and counted. Thread-safe.
class SpanSink {
  public:
    virtual ~SpanSink() = default;
    virtual void Add(Span span) = 0;
};

/// The trace a request is part of, and where its spans go.
struct ActiveTrace {
    TraceContext context;
    SpanSink* sink = nullptr;
};

UnixNanos WallNanos();
/// The wall clock's time of a moment that is not long ago.
UnixNanos WallNanosAt(std::chrono::steady_clock::time_point moment);

}  // namespace espalier
