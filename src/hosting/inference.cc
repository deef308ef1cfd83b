#include "hosting/inference.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/version_profile.h"
#include "data/content_type.h"
#include "data/csv.h"
#include "data/libsvm.h"
#include "hosting/number_text.h"

namespace espalier::hosting {
namespace {

// A buffer that grew beyond this for one large payload is given back after it: 100 rows of the notebook have 78,400
// entries, and every thread of the server may keep one.
constexpr std::size_t kKeptEntriesMax = 512 << 10;

constexpr std::string_view kCsvType = "text/csv; charset=utf-8";
constexpr std::string_view kJsonType = "application/json";
constexpr std::string_view kJsonLinesType = "application/jsonlines";
constexpr std::string_view kErrorType = "text/html; charset=utf-8";

enum class ReplyStyle {
    kCommaJoined,  ///< images up to 1.2-1: one line without an end, rows of several values as Python lists
    kCsvLines,     ///< from 1.2-2 on: a line for each row
    kBatchLines,   ///< in a batch transform: a line for each row, several values as a Python list
    kJson,
    kJsonLines,
};

ContainerReply Fail(int status, std::string message) {
    return {.status = status, .content_type = kErrorType, .body = std::move(message)};
}

std::string Lower(std::string_view text) {
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return lower;
}

/// The media type of an Accept header: what stands before the first ';', without blanks.
std::string_view MediaType(std::string_view accept) {
    std::string_view type = accept.substr(0, accept.find(';'));
    while (!type.empty() && (type.front() == ' ' || type.front() == '\t')) type.remove_prefix(1);
    while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.remove_suffix(1);
    return type;
}

/// The reply style an image uses for that Accept header; a status and a message when it cannot.
struct StyleChoice {
    ReplyStyle style = ReplyStyle::kCommaJoined;
    int status = 200;
    std::string message;
};

StyleChoice ChooseStyle(const ServedModel& served, std::string_view accept) {
    if (served.is_batch) return {.style = ReplyStyle::kBatchLines, .status = 200, .message = ""};
    // Older images do not look at Accept at all.
    if (!ProfileOf(served.version).looks_at_accept) return {};
    std::string_view type = MediaType(accept);
    if (type.empty() || type == "*/*") type = MediaType(served.default_accept);
    if (type == "text/csv") return {.style = ReplyStyle::kCsvLines, .status = 200, .message = ""};
    const std::string lower = Lower(type);
    if (lower == "text/csv") return {.style = ReplyStyle::kCsvLines, .status = 200, .message = ""};
    if (lower == "application/json") return {.style = ReplyStyle::kJson, .status = 200, .message = ""};
    if (lower == "application/jsonlines") return {.style = ReplyStyle::kJsonLines, .status = 200, .message = ""};
    if (lower == "application/x-recordio-protobuf") {
        return {.style = ReplyStyle::kCsvLines,
                .status = 500,
                .message =
                    "Accept type application/x-recordio-protobuf cannot be produced without selectable "
                    "inference, which this server does not have."};
    }
    return {.style = ReplyStyle::kCsvLines,
            .status = 406,
            .message = fmt::format("Accept type {} is not supported. Please use supported accept types: "
                                   "['application/json', 'application/jsonlines', 'application/x-recordio-protobuf', "
                                   "'text/csv'].",
                                   type)};
}

/// One row's values: `7.0`, or `[0.1, 0.9]` when there are several.
template <typename AppendNumber>
void AppendPythonValue(std::string& out, std::span<const float> values, AppendNumber&& append) {
    if (values.size() == 1) return append(out, values[0]);
    out += '[';
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (i > 0) out += ", ";
        append(out, values[i]);
    }
    out += ']';
}

void AppendRow(std::string& out, ReplyStyle style, std::span<const float> values, bool is_first) {
    switch (style) {
        case ReplyStyle::kCommaJoined:
            if (!is_first) out += ',';
            AppendPythonValue(out, values, AppendPythonFloat);
            return;
        case ReplyStyle::kBatchLines:
            AppendPythonValue(out, values, AppendPythonFloat);
            out += '\n';
            return;
        case ReplyStyle::kCsvLines:
            for (std::size_t i = 0; i < values.size(); ++i) {
                if (i > 0) out += ',';
                AppendPythonFloat(out, values[i]);
            }
            out += '\n';
            return;
        case ReplyStyle::kJson:
        case ReplyStyle::kJsonLines:
            if (style == ReplyStyle::kJson && !is_first) out += ", ";
            out += "{\"score\": ";
            AppendPythonValue(out, values, AppendPythonJsonFloat);
            out += '}';
            if (style == ReplyStyle::kJsonLines) out += '\n';
            return;
    }
}

ContainerReply Encode(std::span<const float> predictions, std::size_t outputs_per_row, ReplyStyle style) {
    // A class takes 4 characters with its separator, a probability about 20.
    constexpr std::size_t kTypicalNumberBytes = 20;
    ContainerReply reply{.status = 200, .content_type = kCsvType, .body = {}};
    reply.body.reserve(predictions.size() * (outputs_per_row == 1 ? kTypicalNumberBytes / 2 : kTypicalNumberBytes));
    if (style == ReplyStyle::kJson) reply.body += "{\"predictions\": [";
    for (std::size_t begin = 0; begin < predictions.size(); begin += outputs_per_row)
        AppendRow(reply.body, style, predictions.subspan(begin, outputs_per_row), begin == 0);
    if (style == ReplyStyle::kJson) reply.body += "]}";
    if (style == ReplyStyle::kJson) reply.content_type = kJsonType;
    if (style == ReplyStyle::kJsonLines) reply.content_type = kJsonLinesType;
    return reply;
}

bool IsBlank(std::string_view body) {
    return body.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

ContainerReply InferInto(data::FeatureRows& rows, const ServedModel& served, std::string_view content_type,
                         std::string_view accept, std::string_view body) {
    Result<data::InputFormat> format = data::ParseRequestContentType(content_type);
    if (!format) return Fail(415, format.error().message());
    Result<void> parsed =
        *format == data::InputFormat::kCsv ? data::ParseCsvRequest(body, rows) : data::ParseLibsvmRequest(body, rows);
    if (!parsed) {
        const std::string_view name = data::ToString(*format);
        return Fail(415, fmt::format("Loading {} data failed with Exception, please ensure data is in {} format:\n "
                                     "<class 'ValueError'>\n {}",
                                     name, name, parsed.error().message()));
    }
    const model::Predictor& predictor = *served.model->predictor;
    if (rows.num_features > predictor.ensemble().num_feature) {
        return Fail(400, fmt::format("Unable to evaluate payload provided: Number of columns does not match number of "
                                     "features in booster. The payload has {} columns, the model was trained on {}.",
                                     rows.num_features, predictor.ensemble().num_feature));
    }
    const std::vector<float> predictions = predictor.Predict(rows);
    StyleChoice choice = ChooseStyle(served, accept);
    if (choice.status != 200) return Fail(choice.status, std::move(choice.message));
    return Encode(predictions, predictor.outputs_per_row(), choice.style);
}

}  // namespace

ContainerReply Infer(const ServedModel& served, std::string_view content_type, std::string_view accept,
                     std::string_view body) {
    thread_local data::FeatureRows rows;
    if (served.content_bytes_max != 0 && body.size() > served.content_bytes_max) {
        return Fail(413, fmt::format("The data value transmitted exceeds the capacity limit: {} bytes, at most {} "
                                     "(MAX_CONTENT_LENGTH of the model)",
                                     body.size(), served.content_bytes_max));
    }
    if (body.empty()) return {.status = 204, .content_type = "", .body = {}};
    if (IsBlank(body)) return Fail(415, "The payload holds only blanks: there is no row to predict.");
    ContainerReply reply = InferInto(rows, served, content_type, accept, body);
    if (rows.values.capacity() > kKeptEntriesMax || rows.row_offsets.capacity() > kKeptEntriesMax)
        rows = data::FeatureRows();
    return reply;
}

}  // namespace espalier::hosting
