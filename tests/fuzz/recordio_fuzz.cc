#include "base/protobuf.h"
#include "data/recordio.h"
#include "fuzz_target.h"
#include "row_invariants.h"

namespace espalier::fuzz {
namespace {

std::string Record(std::uint32_t kind, std::string_view values, std::string_view keys) {
    std::string record;
    for (const std::uint32_t map : {1U, 2U}) {
        std::string tensor;
        AppendBytesField(tensor, 1, map == 1 ? values : std::string_view("\0\0\x80\x3f", 4));
        if (map == 1 && !keys.empty()) AppendBytesField(tensor, 2, keys);
        std::string value;
        AppendBytesField(value, map == 1 ? kind : 2, tensor);
        std::string entry;
        AppendBytesField(entry, 1, "values");
        AppendBytesField(entry, 2, value);
        AppendBytesField(record, map, entry);
    }
    std::string framed;
    data::AppendRecordIoFrame(framed, record);
    return framed;
}

}  // namespace

std::vector<std::string> Seeds() {
    const std::string_view floats("\0\0\x80\x3f\0\0\0\x40\0\0\xc0\x7f", 12);
    const std::string_view doubles("\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\xf0\x7f", 16);
    return {Record(2, floats, ""), Record(2, floats, "\x05\x02\x09"), Record(3, doubles, ""), Record(7, "\x01\x02", ""),
            Record(2, floats, "") + Record(7, "\x01", "\x03")};
}

std::vector<std::string> Words() {
    return {std::string("\x0A\x23\xD7\xCE", 4), "values", "\xFF\xFF\xFF\xFF\x0F", std::string("\0\0\0\x20", 4)};
}

}  // namespace espalier::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace espalier;
    const std::string_view bytes = fuzz::AsText(data, size);
    data::LabeledRows request;
    if (data::ParseRecordIoRequest(bytes, request)) fuzz::CheckRows(request.rows);

    const std::size_t whole = data::WholeRecordsSize(bytes);
    CHECK(whole <= size);
    data::LabeledRows rows;
    const std::optional<data::TextIssue> issue =
        data::ParseRecordIoBlock(bytes.substr(0, whole), {.feature_idx_max = 1'000'000}, rows);
    fuzz::CheckLabeledRows(rows);  // Also before an issue: rows are appended whole.
    if (issue) CHECK(issue->offset < size && !issue->message.empty());
    return 0;
}
