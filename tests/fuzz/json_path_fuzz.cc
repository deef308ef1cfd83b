#include <nlohmann/json.hpp>

#include "base/check.h"
#include "fuzz_target.h"
#include "transform/json_path.h"

namespace espalier::fuzz {

std::vector<std::string> Seeds() {
    return {"$",
            "$.id",
            "$['id','b']",
            "$[0]",
            "$[-1]",
            "$[0,2:]",
            "$[1:3]",
            "$.rows[*].v",
            "$.deep.*.x",
            "$[:-1]",
            "$.x[1:].y",
            "$[ 'a' ]",
            "$..x",
            "$[?(@.a)]",
            "$[",
            "$['a",
            "id",
            "$[1,'a']",
            "$[99999999999999999999]",
            "$.",
            "$[]"};
}

std::vector<std::string> Words() {
    return {"$",
            ".",
            "*",
            "[",
            "]",
            "'",
            "\"",
            ",",
            ":",
            "-1",
            "0",
            "id",
            "rows",
            "v",
            " ",
            "9223372036854775807",
            "-9223372036854775808"};
}

}  // namespace espalier::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace espalier;
    const auto path = transform::JsonPath::Parse(fuzz::AsText(data, size));
    if (!path) return 0;
    CHECK(path->text().size() <= transform::kJsonPathBytesMax);
    static const nlohmann::json record = nlohmann::json::parse(
        R"({"id": 1, "rows": [{"v": 1}, {"v": [1, 2, 3]}], "deep": {"a": {"x": 1}}, "x": [{"y": 1}, {"y": 2}]})");
    for (const nlohmann::json* value : {&record, &record["rows"], &record["id"]}) {
        const auto selected = path->Select(*value);
        if (selected) CHECK(!path->is_whole() || *selected == *value);
    }
    if (!path->CheckForCells()) return 0;
    for (const std::size_t num_cells : {std::size_t{0}, std::size_t{1}, std::size_t{7}}) {
        const auto cells = path->SelectCells(num_cells);
        if (!cells) continue;
        for (const std::size_t cell : *cells) CHECK(cell < num_cells);
    }
    return 0;
}
