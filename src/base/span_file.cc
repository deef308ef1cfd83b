#include "base/span_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace espalier {
namespace {

/// Names and messages are our own words and paths; what would need escapes in JSON becomes a blank.
std::string Plain(std::string_view text) {
    constexpr std::size_t kTextBytesMax = 512;
    std::string plain(text.substr(0, kTextBytesMax));
    std::replace_if(
        plain.begin(), plain.end(), [](unsigned char c) { return c < 0x20 || c >= 0x7F || c == '"' || c == '\\'; },
        ' ');
    return plain;
}

/// The text of `member` in a line that Append wrote; "" when it has none.
std::string_view TextOf(std::string_view line, std::string_view member) {
    const std::string key = fmt::format("\"{}\":\"", member);
    const std::size_t at = line.find(key);
    if (at == std::string_view::npos) return "";
    line.remove_prefix(at + key.size());
    return line.substr(0, line.find('"'));
}

UnixNanos NanosOf(std::string_view line, std::string_view member) {
    const std::string_view text = TextOf(line, member);
    UnixNanos value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

}  // namespace

SpanFile::Stage::Stage(const SpanFile& file, std::string_view name) : file_(file) {
    if (!file.parent_) return;
    span_ = Span{.context = file.parent_->Child(), .parent_id = file.parent_->span_id, .name = std::string(name)};
    span_->begin = WallNanos();
}

void SpanFile::Stage::End(std::string_view failure) {
    if (!span_) return;
    span_->end = WallNanos();
    span_->failed = !failure.empty();
    span_->message = failure;
    file_.Append(*span_);
    span_.reset();
}

SpanFile SpanFile::Stage::Inside() const {
    return span_ ? SpanFile(file_.path_, span_->context) : SpanFile();
}

void SpanFile::Append(const Span& span) const {
    const std::string line = fmt::format(
        "{{\"trace\":\"{}\",\"span\":\"{}\",\"parent\":\"{}\",\"name\":\"{}\",\"begin\":\"{}\",\"end\":\"{}\","
        "\"failure\":\"{}\"}}\n",
        span.context.trace_id, span.context.span_id, span.parent_id, Plain(span.name), span.begin, span.end,
        Plain(span.message));
    const int fd = open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0) return;
    const ssize_t written = write(fd, line.data(), line.size());
    static_cast<void>(written);
    close(fd);
}

std::string SpansPathUnder(const std::string& root) {
    return root + "/output/spans.jsonl";
}

SpanFile SpansUnder(const std::string& root, const std::string& trace_parent) {
    const std::optional<TraceContext> parent = ParseTraceParent(trace_parent);
    if (!parent) return {};
    std::error_code error;
    std::filesystem::create_directories(root + "/output", error);
    return SpanFile(SpansPathUnder(root), *parent);
}

std::vector<Span> ReadSpanFile(const std::string& path, const TraceContext& trace) {
    std::vector<Span> spans;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        const std::string failure(TextOf(line, "failure"));
        const auto context =
            ParseTraceParent(fmt::format("00-{}-{}-01", TextOf(line, "trace"), TextOf(line, "span")), trace.state);
        const auto parent = ParseTraceParent(fmt::format("00-{}-{}-01", trace.trace_id, TextOf(line, "parent")));
        Span span{.context = context.value_or(TraceContext()),
                  .parent_id = std::string(TextOf(line, "parent")),
                  .name = std::string(TextOf(line, "name")),
                  .begin = NanosOf(line, "begin"),
                  .end = NanosOf(line, "end"),
                  .failed = !failure.empty(),
                  .message = failure};
        const bool whole = context && parent && !span.name.empty() && span.begin > 0 && span.end >= span.begin;
        if (whole && span.context.trace_id == trace.trace_id) spans.push_back(std::move(span));
    }
    return spans;
}

}  // namespace espalier
