#include "transform/json_path.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace espalier::transform {
namespace {

using nlohmann::json;

const char* const kRecord = R"({"id": 7, "features": [1, 2, 3, 4], "deep": {"a": {"x": 5}, "b": {"x": 6}},
                               "rows": [{"v": 1}, {"v": 2}, {"v": 3}]})";

std::string SelectText(const std::string& path, const std::string& record = kRecord) {
    auto parsed = JsonPath::Parse(path);
    if (!parsed) return "parse: " + parsed.error().ToString();
    auto selected = parsed->Select(json::parse(record));
    return selected ? selected->dump() : "select: " + selected.error().ToString();
}

TEST(JsonPath, TakesOutWhatTheDocumentedOperatorsName) {
    EXPECT_EQ(SelectText("$", "[1,2]"), "[1,2]");
    EXPECT_EQ(SelectText("$.id"), "7");
    EXPECT_EQ(SelectText("$['id']"), "7");
    EXPECT_EQ(SelectText("$['id','features']"), R"({"features":[1,2,3,4],"id":7})");
    EXPECT_EQ(SelectText("$.features[0]"), "1");
    EXPECT_EQ(SelectText("$.features[-1]"), "4");
    EXPECT_EQ(SelectText("$.features[0,2]"), "[1,3]");
    EXPECT_EQ(SelectText("$.features[1:]"), "[2,3,4]");
    EXPECT_EQ(SelectText("$.features[:-1]"), "[1,2,3]");
    EXPECT_EQ(SelectText("$.features[0,2:]"), "[1,3,4]");
    EXPECT_EQ(SelectText("$.features[1:99]"), "[2,3,4]");
    EXPECT_EQ(SelectText("$.deep.*.x"), "[5,6]");
    EXPECT_EQ(SelectText("$.rows[*].v"), "[1,2,3]");
    EXPECT_EQ(SelectText("$.rows[1:].v"), "[2,3]");
    EXPECT_EQ(SelectText("$.deep.['a','b'].x"), R"({"a":5,"b":6})");
}

TEST(JsonPath, SaysWhatIsNotThere) {
    EXPECT_EQ(SelectText("$.nothing"), "select: $.nothing does not fit the record: there is no 'nothing' in it");
    EXPECT_EQ(SelectText("$.features[4]"),
              "select: $.features[4] does not fit the record: index 4 is outside: there are 4 elements");
    EXPECT_EQ(SelectText("$.id[0]"), "select: $.id[0] does not fit the record: what an index goes into is no array");
}

TEST(JsonPath, RefusesWhatItDoesNotKnowWithTheColumn) {
    for (const char* text : {"", "id", "$id", "$.", "$[", "$[]", "$['a'", "$['a',1]", "$[1,'a']", "$[?(@.x)]", "$..x",
                             "$[1", "$['a]", "$[*", "$[99999999999999999999]"}) {
        const auto parsed = JsonPath::Parse(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_NE(parsed.error().message().find("column"), std::string::npos) << text;
    }
    EXPECT_FALSE(JsonPath::Parse("$." + std::string(62, 'x')));
    EXPECT_TRUE(JsonPath::Parse("$." + std::string(61, 'x')));
}

TEST(JsonPath, PicksCellsOfARow) {
    using Cells = std::vector<std::size_t>;
    EXPECT_EQ(*JsonPath::Parse("$")->SelectCells(3), (Cells{0, 1, 2}));
    EXPECT_EQ(*JsonPath::Parse("$[1:]")->SelectCells(3), (Cells{1, 2}));
    EXPECT_EQ(*JsonPath::Parse("$[0,-1]")->SelectCells(3), (Cells{0, 2}));
    EXPECT_EQ(*JsonPath::Parse("$[*]")->SelectCells(2), (Cells{0, 1}));
    EXPECT_FALSE(JsonPath::Parse("$[3]")->SelectCells(3));
    EXPECT_TRUE(JsonPath::Parse("$[0,5:]")->CheckForCells());
    EXPECT_FALSE(JsonPath::Parse("$.id")->CheckForCells());
    EXPECT_FALSE(JsonPath::Parse("$[0][1]")->CheckForCells());
}

}  // namespace
}  // namespace espalier::transform
