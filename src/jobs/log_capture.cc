#include "jobs/log_capture.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace espalier::jobs {
namespace {

// One transaction per so much text: bounds memory when a trainer prints faster than the disk syncs.
constexpr std::size_t kBytesPerPollMax = 4 << 20;
constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::int64_t kStepsPerPass = std::int64_t{1} << 32;

}  // namespace

Result<LogCapture> LogCapture::Open(Options options) {
    LogCapture capture(std::move(options));
    const Options& kept = capture.options_;
    for (const Source& source : kept.sources) {
        Tail tail;
        tail.path = source.path;
        tail.stream = source.stream;
        TRY(kept.logs->OpenStream(kept.scope, kept.group, tail.stream, kept.clock->WallMillis()));
        capture.tails_.push_back(std::move(tail));
    }
    return capture;
}

void LogCapture::ReadNew(Tail& tail, std::vector<std::string>& lines) {
    if (!tail.file.is_open()) {
        tail.file = Fd(open(tail.path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
        if (!tail.file.is_open()) return;  // Not written yet.
    }
    std::array<char, kReadBytes> chunk;
    for (std::size_t total = 0; total < kBytesPerPollMax;) {
        const ssize_t size = read(tail.file.get(), chunk.data(), chunk.size());
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) return;
        total += static_cast<std::size_t>(size);
        std::string_view rest(chunk.data(), static_cast<std::size_t>(size));
        for (std::size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
            tail.partial.append(rest.substr(0, end));
            if (tail.partial.ends_with('\r')) tail.partial.pop_back();
            lines.push_back(StoredLogLine(tail.partial));
            tail.partial.clear();
            rest.remove_prefix(end + 1);
        }
        // Of an endless line only what is stored is kept.
        if (tail.partial.size() < kLogLineBytesMax) tail.partial.append(rest);
    }
}

void LogCapture::TakeMetrics(const std::string& line, UnixMillis now, std::vector<meta::MetricPoint>& points) {
    const auto found = FindMetrics(line, options_.definitions);
    if (found.empty()) return;
    const std::int64_t round = FindRound(line).value_or(last_round_ + 1);
    if (round <= last_round_) ++pass_;
    last_round_ = round;
    const std::int64_t step = pass_ * kStepsPerPass + round;
    for (const auto& [name, value] : found) {
        points.push_back({.name = name, .value = value, .time = now, .step = step});
    }
}

Result<void> LogCapture::PollTail(Tail& tail, bool at_end) {
    std::vector<std::string> lines;
    do {
        lines.clear();
        ReadNew(tail, lines);
        const bool more = !lines.empty();
        if (at_end && !more && !tail.partial.empty()) {
            lines.push_back(StoredLogLine(tail.partial));
            tail.partial.clear();
        }
        tail.last_event_at = std::max(tail.last_event_at, options_.clock->WallMillis());
        const UnixMillis now = tail.last_event_at;
        std::vector<meta::LogEvent> events;
        std::vector<meta::MetricPoint> points;
        for (std::string& line : lines) {
            TakeMetrics(line, now, points);
            if (line.empty()) continue;  // CloudWatch has no empty events.
            events.push_back({.time = now, .ingested_at = now, .message = std::move(line)});
        }
        TRY(options_.logs->Append(options_.scope, options_.group, tail.stream, events));
        if (!points.empty()) TRY(options_.metrics->Append(options_.metrics_job_id, points));
    } while (at_end && !lines.empty());
    return {};
}

Result<void> LogCapture::Poll() {
    for (Tail& tail : tails_) TRY(PollTail(tail, /*at_end=*/false));
    return {};
}

Result<void> LogCapture::Finish() {
    for (Tail& tail : tails_) TRY(PollTail(tail, /*at_end=*/true));
    return {};
}

Result<void> LogCapture::Say(const std::string& line) {
    const UnixMillis now = options_.clock->WallMillis();
    const meta::LogEvent event = {.time = now, .ingested_at = now, .message = StoredLogLine(line)};
    return options_.logs->Append(options_.scope, options_.group, tails_.front().stream, {&event, 1});
}

}  // namespace espalier::jobs
