#include "learn/training_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>

namespace espalier::learn {

namespace {

std::tm UtcOf(const Clock& clock) {
    const auto seconds = static_cast<std::time_t>(clock.WallMillis() / 1000);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    return parts;
}

}  // namespace

void TrainingLog::Raw(std::string_view line) {
    std::fwrite(line.data(), 1, line.size(), stdout);
    std::fputc('\n', stdout);
    std::fflush(stdout);
}

void TrainingLog::Stamped(std::string_view level, std::string_view text) {
    const std::tm t = UtcOf(clock_);
    Raw(fmt::format("[{:04}-{:02}-{:02}:{:02}:{:02}:{:02}:{}] {}", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour,
                    t.tm_min, t.tm_sec, level, text));
}

void TrainingLog::Engine(std::string_view text) {
    const std::tm t = UtcOf(clock_);
    Raw(fmt::format("[{:02}:{:02}:{:02}] {}", t.tm_hour, t.tm_min, t.tm_sec, text));
}

std::string MetricLine(const RoundReport& report, bool six_digits) {
    std::string line = fmt::format("[{}]", report.round);
    for (const MetricValue& metric : report.metrics) {
        const std::string value = std::isnan(metric.value) ? "nan"
                                  : six_digits             ? fmt::format("{:g}", metric.value)
                                                           : fmt::format("{:.5f}", metric.value);
        line += fmt::format("\t{}-{}:{}", metric.data_set, metric.metric, value);
    }
    return line;
}

void TrainingLog::Metrics(const RoundReport& report) {
    Raw(MetricLine(report, profile_.six_digit_numbers));
}

void TrainingLog::Trees(const RoundReport& report, int max_depth) {
    for (std::size_t tree = 0; tree < report.trees.size(); ++tree) {
        Engine(fmt::format("grow_quantile_histmaker: tree {} grown, 1 roots, {} extra nodes, max_depth={}", tree,
                           report.trees[tree].num_nodes() - 1, max_depth));
    }
}

}  // namespace espalier::learn
