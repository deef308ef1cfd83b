// The spans of a process that has no socket, as lines of a file that somebody else exports (docs/formats.md).
//
// One JSON object a line, written when the span ends, so a killed process leaves what it had done. Without a trace
// nothing is written and nothing is measured. Writing is best effort. Thread-compatible.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/span.h"

namespace espalier {

class SpanFile {
  public:
    /// Records nothing.
    SpanFile() = default;
    /// Appends to `path`, whose folder is there, the children of `parent`.
    SpanFile(std::string path, TraceContext parent) : path_(std::move(path)), parent_(std::move(parent)) {}

    /// Lasts from its making to End or its destruction.
    class Stage {
      public:
        Stage(const SpanFile& file, std::string_view name);
        Stage(const Stage&) = delete;
        Stage& operator=(const Stage&) = delete;
        ~Stage() { End(); }
        /// `failure` is "" when all went well. A second call does nothing.
        void End(std::string_view failure = "");
        /// For spans inside this one.
        SpanFile Inside() const;

      private:
        const SpanFile& file_;
        std::optional<Span> span_;
    };

  private:
    void Append(const Span& span) const;

    std::string path_;
    std::optional<TraceContext> parent_;
};

/// Where a process that works under `root` leaves its spans: <root>/output/spans.jsonl.
std::string SpansPathUnder(const std::string& root);
/// The spans of such a process; records nothing unless whoever launched it says with a traceparent where they belong.
SpanFile SpansUnder(const std::string& root, const std::string& trace_parent);

/// What SpanFile wrote; lines that are no spans of `trace` are left out. Empty when there is no such file.
std::vector<Span> ReadSpanFile(const std::string& path, const TraceContext& trace);

}  // namespace espalier
