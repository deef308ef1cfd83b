#include "hosting/reply_format.h"

#include <fmt/format.h>

#include <bit>
#include <utility>

#include "base/protobuf.h"
#include "data/recordio.h"
#include "hosting/number_text.h"

namespace espalier::hosting {
namespace {

std::string_view Trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

std::string Lower(std::string_view text) {
    std::string lower(text);
    for (char& c : lower) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return lower;
}

std::string_view TakePart(std::string_view& rest) {
    std::size_t end = std::min(rest.find(';'), rest.size());
    std::string_view part = Trim(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return part;
}

std::optional<ReplyForm> FormOf(std::string_view type) {
    const std::string lower = Lower(type);
    if (lower == "text/csv") return ReplyForm::kCsv;
    if (lower == "application/json") return ReplyForm::kJson;
    if (lower == "application/jsonlines") return ReplyForm::kJsonLines;
    if (lower == "application/x-recordio-protobuf") return ReplyForm::kRecordIo;
    return std::nullopt;
}

void AppendNumber(std::string& out, float value, bool whole, bool json) {
    if (whole && value == value) {
        out += std::to_string(static_cast<long long>(value));
    } else if (json) {
        AppendPythonJsonFloat(out, value);
    } else {
        AppendPythonFloat(out, value);
    }
}

void AppendValue(std::string& out, const ReplyField& field, bool json) {
    if (!field.list) return AppendNumber(out, field.values[0], field.whole, json);
    out += '[';
    for (std::size_t i = 0; i < field.values.size(); ++i) {
        if (i > 0) out += ", ";
        AppendNumber(out, field.values[i], field.whole, json);
    }
    out += ']';
}

// aialgs.data.Record with label (2) = {key: {float32_tensor (2): {values (1)}}}.
std::string MakeRecord(std::span<const ReplyField> fields) {
    std::string record;
    for (const ReplyField& field : fields) {
        std::string numbers;
        for (float value : field.values) {
            auto bits = std::bit_cast<std::uint32_t>(value);
            for (int byte = 0; byte < 4; ++byte) numbers += static_cast<char>(bits >> (8 * byte));
        }
        std::string tensor;
        AppendBytesField(tensor, 1, numbers);
        std::string value;
        AppendBytesField(value, 2, tensor);
        std::string entry;
        AppendBytesField(entry, 1, field.key);
        AppendBytesField(entry, 2, value);
        AppendBytesField(record, 2, entry);
    }
    return record;
}

}  // namespace

Result<AcceptedReply> ParseAccept(std::string_view accept, std::string_view default_accept) {
    AcceptedReply reply;
    std::string_view rest = accept;
    std::string_view type = TakePart(rest);
    while (!rest.empty()) {
        std::string_view parameter = TakePart(rest);
        std::size_t equals = parameter.find('=');
        if (Lower(Trim(parameter.substr(0, equals))) != "output" || equals == std::string_view::npos) continue;
        std::string_view value = Trim(parameter.substr(equals + 1));
        if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
        reply.output = Lower(value);
    }
    if (type.empty() || type == "*/*") {
        std::string_view otherwise = default_accept;
        type = TakePart(otherwise);
    }
    std::optional<ReplyForm> form = FormOf(type);
    if (!form) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("Accept type {} is not supported. Please use supported accept types: "
                                 "['application/json', 'application/jsonlines', 'application/x-recordio-protobuf', "
                                 "'text/csv'].",
                                 type));
    }
    reply.form = *form;
    return reply;
}

std::string_view ContentTypeOf(ReplyForm form) {
    switch (form) {
        case ReplyForm::kCsv:
            return "text/csv; charset=utf-8";
        case ReplyForm::kJson:
            return "application/json";
        case ReplyForm::kJsonLines:
            return "application/jsonlines";
        case ReplyForm::kRecordIo:
            break;
    }
    return "application/x-recordio-protobuf";
}

void AppendRecord(std::string& out, ReplyForm form, std::span<const ReplyField> fields) {
    if (form == ReplyForm::kRecordIo) return data::AppendRecordIoFrame(out, MakeRecord(fields));
    bool csv = form == ReplyForm::kCsv;
    if (!csv) out += '{';
    for (std::size_t i = 0; i < fields.size(); ++i) {
        if (i > 0) out += csv ? "," : ", ";
        if (!csv) out += fmt::format("\"{}\": ", fields[i].key);
        bool quoted = csv && fields[i].list;
        if (quoted) out += '"';
        AppendValue(out, fields[i], !csv);
        if (quoted) out += '"';
    }
    if (!csv) out += '}';
}

RecordReply::RecordReply(ReplyForm form, Slice slice) : form_(form), slice_(slice), first_(slice.is_first) {
    if (form == ReplyForm::kJson && slice.is_first) body_ = "{\"predictions\": [";
}

void RecordReply::Add(std::span<const ReplyField> fields) {
    if (!first_ && form_ == ReplyForm::kJson) body_ += ", ";
    if (!first_ && form_ == ReplyForm::kCsv) body_ += '\n';
    AppendRecord(body_, form_, fields);
    if (form_ == ReplyForm::kJsonLines) body_ += '\n';
    first_ = false;
}

std::string RecordReply::Take() {
    if (form_ == ReplyForm::kJson && slice_.is_last) body_ += "]}";
    return std::move(body_);
}

}  // namespace espalier::hosting
