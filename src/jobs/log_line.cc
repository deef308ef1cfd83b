#include "jobs/log_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <span>

namespace espalier::jobs {
namespace {

constexpr std::string_view kTab = "#011";

constexpr std::string_view kLegacyMetrics[] = {
    "auc",      "error", "gamma-deviance",  "gamma-nloglik", "logloss",        "mae", "map", "merror",
    "mlogloss", "ndcg",  "poisson-nloglik", "rmse",          "tweedie-nloglik"};
constexpr std::string_view kModernMetrics[] = {"accuracy",
                                               "aft-nloglik",
                                               "auc",
                                               "aucpr",
                                               "balanced_accuracy",
                                               "cox-nloglik",
                                               "error",
                                               "f1",
                                               "f1_binary",
                                               "f1_macro",
                                               "gamma-deviance",
                                               "gamma-nloglik",
                                               "interval-regression-accuracy",
                                               "logloss",
                                               "mae",
                                               "map",
                                               "mape",
                                               "merror",
                                               "mlogloss",
                                               "mphe",
                                               "mse",
                                               "ndcg",
                                               "poisson-nloglik",
                                               "precision",
                                               "precision_macro",
                                               "precision_micro",
                                               "r2",
                                               "recall",
                                               "recall_macro",
                                               "recall_micro",
                                               "rmse",
                                               "rmsle",
                                               "tweedie-nloglik"};

bool IsDigit(char c) {
    return c >= '0' && c <= '9';
}

/// The leftmost "[digits]" of a line.
struct RoundMark {
    std::size_t digits = std::string_view::npos;  ///< npos: there is none
    std::size_t end = std::string_view::npos;     ///< behind the bracket
};

RoundMark FindMark(std::string_view line) {
    for (std::size_t open = line.find('['); open != std::string_view::npos; open = line.find('[', open + 1)) {
        std::size_t at = open + 1;
        while (at < line.size() && IsDigit(line[at])) ++at;
        if (at > open + 1 && at < line.size() && line[at] == ']') return {open + 1, at + 1};
    }
    return {};
}

/// The longest prefix of `text` that is [-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?, as a number.
std::optional<double> LeadingNumber(std::string_view text) {
    const auto digits_from = [&](std::size_t at) {
        while (at < text.size() && IsDigit(text[at])) ++at;
        return at;
    };
    const std::size_t start = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
    std::size_t end = digits_from(start);
    if (end < text.size() && text[end] == '.') {
        const std::size_t fraction_end = digits_from(end + 1);
        if (fraction_end > end + 1) end = fraction_end;
    }
    if (end == start) return std::nullopt;
    if (end < text.size() && (text[end] == 'e' || text[end] == 'E')) {
        std::size_t exponent = end + 1;
        if (exponent < text.size() && (text[exponent] == '-' || text[exponent] == '+')) ++exponent;
        const std::size_t exponent_end = digits_from(exponent);
        if (exponent_end > exponent) end = exponent_end;
    }
    const bool plus = text[0] == '+';  // from_chars takes no plus sign
    double value = 0;
    const auto [stop, error] = std::from_chars(text.data() + (plus ? 1 : 0), text.data() + end, value);
    if (error != std::errc() || stop != text.data() + end) return std::nullopt;
    return value;
}

}  // namespace

std::string StoredLogLine(std::string_view line) {
    std::string stored;
    stored.reserve(line.size());
    for (const char c : line) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) {
            stored += fmt::format("#{:03o}", byte);
        } else {
            stored += c;
        }
    }
    if (stored.size() > kLogLineBytesMax) {
        std::size_t end = kLogLineBytesMax;
        while (end > 0 && (static_cast<unsigned char>(stored[end]) & 0xC0) == 0x80) --end;
        stored.resize(end);
    }
    return stored;
}

std::vector<MetricDefinition> MetricDefinitionsOf(AlgorithmVersion version) {
    const std::span<const std::string_view> metrics =
        version == AlgorithmVersion::kLegacy ? std::span<const std::string_view>(kLegacyMetrics) : kModernMetrics;
    std::vector<MetricDefinition> definitions;
    for (const std::string_view channel : {"train", "validation"}) {
        for (const std::string_view metric : metrics) {
            definitions.push_back(
                {.name = fmt::format("{}:{}", channel, metric),
                 .regex = fmt::format(R"(.*\[[0-9]+\].*#011{}-{}:([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?).*)",
                                      channel, metric)});
        }
    }
    return definitions;
}

std::optional<std::int64_t> FindRound(std::string_view stored_line) {
    const RoundMark mark = FindMark(stored_line);
    if (mark.end == std::string_view::npos) return std::nullopt;
    std::int64_t round = 0;
    const auto [stop, error] =
        std::from_chars(stored_line.data() + mark.digits, stored_line.data() + mark.end - 1, round);
    return error == std::errc() ? std::optional(round) : std::nullopt;
}

std::vector<std::pair<std::string, double>> FindMetrics(std::string_view stored_line,
                                                        const std::vector<MetricDefinition>& definitions) {
    std::vector<std::pair<std::string, double>> found;
    const std::size_t round_end = FindMark(stored_line).end;
    if (round_end == std::string_view::npos) return found;
    for (std::size_t tab = stored_line.find(kTab, round_end); tab != std::string_view::npos;
         tab = stored_line.find(kTab, tab + 1)) {
        const std::string_view field = stored_line.substr(tab + kTab.size());
        const std::size_t colon = field.find(':');
        if (colon == std::string_view::npos) break;
        std::string name(field.substr(0, colon));
        // "train-merror" is the metric train:merror; neither channel has a '-' in its name.
        const std::size_t dash = name.find('-');
        if (dash == std::string::npos) continue;
        name[dash] = ':';
        const auto defined = std::lower_bound(
            definitions.begin(), definitions.end(), name,
            [](const MetricDefinition& definition, const std::string& wanted) { return definition.name < wanted; });
        if (defined == definitions.end() || defined->name != name) continue;
        const std::optional<double> value = LeadingNumber(field.substr(colon + 1));
        if (!value) continue;
        // The expressions are greedy: of a metric named twice in a line, the last one counts.
        const auto earlier =
            std::find_if(found.begin(), found.end(), [&](const auto& pair) { return pair.first == name; });
        if (earlier != found.end()) {
            earlier->second = *value;
        } else {
            found.emplace_back(std::move(name), *value);
        }
    }
    return found;
}

}  // namespace espalier::jobs
