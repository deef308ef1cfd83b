// What becomes of a line that an instance prints: its stored form, and the metric values in it.
//
// CloudWatch holds the lines of training jobs as the log driver passes them: control characters as "#" and three octal
// digits, so a tab is "#011", and SageMaker's metric definitions match on exactly that. Those definitions are regular
// expressions of one fixed form,
//   .*\[[0-9]+\].*#011<channel>-<metric>:([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?).*
// and FindMetrics is a hand-written equivalent of them all at once. Pure functions.
// Source: contracts/api.md 2.5, contracts/xgboost.md 3.1, 3.2.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/algorithm_image.h"

namespace espalier::jobs {

/// CloudWatch's limit of one event is 256 KiB; longer lines are cut there.
inline constexpr std::size_t kLogLineBytesMax = 256 * 1024;

/// The line (without its line feed) as it is stored: control characters as "#011", the end cut at kLogLineBytesMax.
std::string StoredLogLine(std::string_view line);

struct MetricDefinition {
    std::string name;   ///< "validation:merror"
    std::string regex;  ///< as DescribeTrainingJob shows it
};

/// The definitions that SageMaker adds to a job of this image, sorted by name.
std::vector<MetricDefinition> MetricDefinitionsOf(AlgorithmVersion version);

/// The round that a stored line tells of, "[7]"; nothing when it tells of none.
std::optional<std::int64_t> FindRound(std::string_view stored_line);

/// The values of defined metrics in a stored line, by name, as the definitions' expressions pick them.
std::vector<std::pair<std::string, double>> FindMetrics(std::string_view stored_line,
                                                        const std::vector<MetricDefinition>& definitions);

}  // namespace espalier::jobs
