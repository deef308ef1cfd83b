#include "transform/record_codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

namespace espalier::transform {
namespace {

using nlohmann::json;

/// The cells of a row, quotes included: a delimiter between quotes divides nothing.
std::vector<std::string_view> SplitCells(std::string_view row) {
    std::vector<std::string_view> cells;
    bool quoted = false;
    std::size_t begin = 0;
    for (std::size_t i = 0; i < row.size(); ++i) {
        if (row[i] == '"') quoted = !quoted;
        if (row[i] != ',' || quoted) continue;
        cells.push_back(row.substr(begin, i - begin));
        begin = i + 1;
    }
    cells.push_back(row.substr(begin));
    return cells;
}

Result<void> AppendCells(const JsonPath& filter, std::string_view row, std::string& out) {
    if (filter.is_whole()) {
        out += row;
        return {};
    }
    const std::vector<std::string_view> cells = SplitCells(row);
    bool is_first = true;
    for (const std::size_t idx : TRY(filter.SelectCells(cells.size()))) {
        if (!is_first) out += ',';
        is_first = false;
        out += cells[idx];
    }
    return {};
}

Result<json> ParseRecord(std::string_view record) {
    json value = json::parse(record, nullptr, /*allow_exceptions=*/false);
    if (value.is_discarded()) return Error(ErrorCode::kInvalidArgument, "the record is not JSON");
    return value;
}

bool IsNumber(const json& value) {
    return value.is_number() || value.is_null();
}

Result<void> AppendJsonRow(const json& row, std::string& payload) {
    bool is_first = true;
    for (const json& cell : row) {
        if (!IsNumber(cell)) {
            return Error(ErrorCode::kInvalidArgument,
                         fmt::format("the model reads numbers, but the record has {} where a feature should be. Take "
                                     "the features out of it with InputFilter, such as $.features",
                                     cell.dump(-1, ' ', false, json::error_handler_t::replace).substr(0, 40)));
        }
        if (!is_first) payload += ',';
        is_first = false;
        if (!cell.is_null()) payload += cell.dump();
    }
    payload += '\n';
    return {};
}

Result<std::size_t> AppendJsonInput(const json& features, std::string& payload) {
    const bool is_matrix = features.is_array() && !features.empty() && features[0].is_array();
    if (!is_matrix) {
        TRY(AppendJsonRow(features.is_array() ? features : json::array({features}), payload));
        return std::size_t{1};
    }
    for (const json& row : features) {
        TRY(AppendJsonRow(row.is_array() ? row : json::array({row}), payload));
    }
    return features.size();
}

/// The model's lines as a value: a number or an array for one row, an array of these for several.
json ReplyValue(std::string_view reply) {
    json rows = json::array();
    while (true) {
        const std::size_t end = std::min(reply.find('\n'), reply.size());
        const std::string_view line = reply.substr(0, end);
        json value = json::parse(line, nullptr, /*allow_exceptions=*/false);
        // nan and inf are no JSON; neither are CSV rows of several cells.
        rows.push_back(value.is_discarded() ? json(std::string(line)) : std::move(value));
        if (end == reply.size()) break;
        reply.remove_prefix(end + 1);
    }
    return rows.size() == 1 ? rows[0] : rows;
}

json Join(json record, json reply) {
    if (!record.is_object()) {
        return {{"SageMakerInput", std::move(record)}, {"SageMakerOutput", std::move(reply)}};
    }
    record["SageMakerOutput"] = std::move(reply);
    return record;
}

}  // namespace

Result<std::size_t> AppendModelInput(const TransformPlan& plan, std::string_view record, std::string& payload) {
    if (plan.format == RecordFormat::kCsv) {
        TRY(AppendCells(plan.input_filter, record, payload));
        payload += '\n';
        return std::size_t{1};
    }
    return AppendJsonInput(TRY(plan.input_filter.Select(TRY(ParseRecord(record)))), payload);
}

Result<void> AppendOutput(const TransformPlan& plan, std::string_view record, std::string_view reply,
                          std::string& output) {
    if (plan.format == RecordFormat::kCsv) {
        if (!plan.join_input) return AppendCells(plan.output_filter, reply, output);
        return AppendCells(plan.output_filter, fmt::format("{},{}", record, reply), output);
    }
    json value = ReplyValue(reply);
    if (plan.join_input) value = Join(TRY(ParseRecord(record)), std::move(value));
    output += TRY(plan.output_filter.Select(value)).dump(-1, ' ', false, json::error_handler_t::replace);
    return {};
}

}  // namespace espalier::transform
