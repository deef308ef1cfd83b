#include "data/content_type.h"

#include <fmt/format.h>

#include <string>
#include <utility>

namespace espalier::data {
namespace {

struct MediaType {
    std::string type;  ///< lower case
    bool label_size_wrong = false;
};

std::string LowerTrimmed(std::string_view text) {
    std::size_t begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return {};
    text = text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
    std::string lower(text);
    for (char& c : lower) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return lower;
}

MediaType Split(std::string_view content_type) {
    MediaType media;
    std::size_t semicolon = content_type.find(';');
    media.type = LowerTrimmed(content_type.substr(0, semicolon));
    while (semicolon != std::string_view::npos) {
        std::size_t start = semicolon + 1;
        semicolon = content_type.find(';', start);
        std::string parameter = LowerTrimmed(content_type.substr(start, semicolon - start));
        std::size_t equals = parameter.find('=');
        if (equals == std::string::npos) continue;
        if (LowerTrimmed(std::string_view(parameter).substr(0, equals)) == "label_size" &&
            LowerTrimmed(std::string_view(parameter).substr(equals + 1)) != "1") {
            media.label_size_wrong = true;
        }
    }
    return media;
}

Error NotAccepted(std::string_view content_type) {
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format(
            "{} is not an accepted ContentType: csv, libsvm, parquet, recordio-protobuf, text/csv, text/libsvm, "
            "text/x-libsvm, application/x-parquet, application/x-recordio-protobuf.",
            content_type));
}

Error LabelSizeWrong(std::string_view content_type) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} is not an accepted csv ContentType. Optional parameter label_size must be equal to 1",
                             content_type));
}

bool IsParquet(std::string_view type) {
    return type == "parquet" || type == "application/x-parquet";
}

bool IsRecordIo(std::string_view type) {
    return type == "recordio-protobuf" || type == "application/x-recordio-protobuf";
}

}  // namespace

std::string_view ToString(InputFormat format) {
    switch (format) {
        case InputFormat::kLibsvm:
            return "libsvm";
        case InputFormat::kCsv:
            return "csv";
        case InputFormat::kParquet:
            return "parquet";
        case InputFormat::kRecordIo:
            return "recordio-protobuf";
    }
    return "";
}

Result<InputFormat> ParseChannelContentType(std::string_view content_type, ContentTypeRules rules) {
    MediaType media = Split(content_type);
    const std::string& type = media.type;
    if (type == "csv" || type == "text/csv") {
        if (media.label_size_wrong) return LabelSizeWrong(content_type);
        return InputFormat::kCsv;
    }
    if (type.empty() || type == "libsvm" || type == "text/libsvm") return InputFormat::kLibsvm;
    if (rules == ContentTypeRules::kLegacy) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("ContentType should be one of these options: 'text/libsvm', 'text/csv'. It is '{}'.",
                                 content_type));
    }
    if (type == "text/x-libsvm") return InputFormat::kLibsvm;
    if (IsParquet(type)) return InputFormat::kParquet;
    if (IsRecordIo(type)) return InputFormat::kRecordIo;
    return NotAccepted(content_type);
}

Result<InputFormat> ParseRequestContentType(std::string_view content_type) {
    MediaType media = Split(content_type);
    const std::string& type = media.type;
    if (type == "csv" || type == "text/csv") {
        if (media.label_size_wrong) return LabelSizeWrong(content_type);
        return InputFormat::kCsv;
    }
    if (type.empty() || type == "libsvm" || type == "text/libsvm" || type == "text/x-libsvm")
        return InputFormat::kLibsvm;
    if (IsParquet(type) || IsRecordIo(type)) {
        return Error(ErrorCode::kInvalidArgument, fmt::format("Content-type {} is not supported.", content_type));
    }
    return NotAccepted(content_type);
}

}  // namespace espalier::data
