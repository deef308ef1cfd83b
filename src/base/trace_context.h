// Which trace a piece of work belongs to, as W3C Trace Context writes it: "00-<trace id>-<span id>-<flags>".
//
// Ids are lower-case hex, 32 and 16 digits, never all zero. A header that is not well-formed counts as none, as the
// recommendation wants; tracestate is passed on as it came, up to kTraceStateBytesMax. Plain values.
// Source: https://www.w3.org/TR/trace-context-1/. Thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace espalier {

inline constexpr std::size_t kTraceStateBytesMax = 512;

struct TraceContext {
    std::string trace_id;
    std::string span_id;  ///< of the work this is the context of; its children name it as their parent
    bool sampled = true;  ///< the caller records it, so shall we
    std::string state = "";

    /// The traceparent header.
    std::string ToText() const;
    /// A span of its own in the same trace.
    TraceContext Child() const;
    /// The same, with an id that follows from `name`, so that parts of a job can name it before it is over.
    TraceContext NamedChild(std::string_view name) const;
};

/// nullopt for a text that is no traceparent.
std::optional<TraceContext> ParseTraceParent(std::string_view text, std::string_view state = "");
/// The root of a new trace.
TraceContext NewTrace();

}  // namespace espalier
