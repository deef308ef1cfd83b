#include "data/csv.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "data/compact_rows.h"

namespace espalier::data {
namespace {

using Indices = EntryVector<std::uint32_t>;
using Values = EntryVector<float>;
using Offsets = std::vector<std::uint64_t>;
using Floats = std::vector<float>;

struct Parsed {
    LabeledRows rows;
    CsvTextCells text_cells;
    std::optional<TextIssue> issue;
};

Parsed ParseTraining(std::string_view text, bool weights = false) {
    PaddedBuffer buffer;
    CsvRules rules;
    rules.delimiter = *DetermineCsvDelimiter(text);
    rules.num_columns = CountCsvColumns(text, rules.delimiter);
    rules.weights = weights;
    Parsed parsed;
    RowBlock block;
    parsed.issue = ParseCsvBlock(buffer.Assign(text), rules, block, parsed.text_cells);
    if (parsed.issue) return parsed;
    block.ListFeatures();
    Expand(ViewOf(block), ValueDictionary(), parsed.rows.rows);
    parsed.rows.rows.num_features = block.num_features;
    parsed.rows.labels = block.labels;
    parsed.rows.weights = block.weights;
    return parsed;
}

TEST(CsvTest, TheFirstColumnIsTheLabel) {
    Parsed parsed = ParseTraining("1,2,3\n4, 5 ,6.5\r\n\n7,0,-0.25");
    ASSERT_FALSE(parsed.issue) << parsed.issue->message;
    EXPECT_EQ(parsed.rows.labels, (Floats{1, 4, 7}));
    EXPECT_EQ(parsed.rows.rows.row_offsets, (Offsets{0, 2, 4, 6}));
    EXPECT_EQ(parsed.rows.rows.feature_idx, (Indices{0, 1, 0, 1, 0, 1}));
    EXPECT_EQ(parsed.rows.rows.values, (Values{2, 3, 5, 6.5F, 0, -0.25F}));
    EXPECT_EQ(parsed.rows.rows.num_features, 2U);
}

TEST(CsvTest, EmptyNanAndTextAreMissing) {
    Parsed parsed = ParseTraining("1,,3\n4,nan,6\n5,abc,\n");
    ASSERT_FALSE(parsed.issue) << parsed.issue->message;
    EXPECT_EQ(parsed.rows.rows.row_offsets, (Offsets{0, 1, 2, 2}));
    EXPECT_EQ(parsed.rows.rows.feature_idx, (Indices{1, 1}));
    EXPECT_EQ(parsed.text_cells.count, 1U);
    EXPECT_EQ(parsed.text_cells.first_offset, 15U);
}

TEST(CsvTest, RunsOfZerosAreZeros) {
    for (const std::size_t num_columns : {2UL, 4UL, 5UL, 6UL, 9UL, 40UL}) {
        std::string text = "1";
        for (std::size_t column = 1; column < num_columns; ++column) text += column % 7 == 6 ? ",0.5" : ",0";
        Parsed parsed = ParseTraining(text + "\n" + text + "\n");
        ASSERT_FALSE(parsed.issue) << parsed.issue->message;
        ASSERT_EQ(parsed.rows.rows.num_entries(), 2 * (num_columns - 1));
        for (std::size_t e = 0; e < parsed.rows.rows.num_entries(); ++e) {
            const std::size_t column = e % (num_columns - 1) + 1;
            EXPECT_EQ(parsed.rows.rows.feature_idx[e], column - 1);
            EXPECT_EQ(parsed.rows.rows.values[e], column % 7 == 6 ? 0.5F : 0.0F);
        }
    }
}

TEST(CsvTest, ReadsQuotedCells) {
    Parsed parsed = ParseTraining("1,\"2\",3\n\"4\", \"5.5\" ,\"\"\n");
    ASSERT_FALSE(parsed.issue) << parsed.issue->message;
    EXPECT_EQ(parsed.rows.labels, (Floats{1, 4}));
    EXPECT_EQ(parsed.rows.rows.values, (Values{2, 3, 5.5F}));
    EXPECT_TRUE(ParseTraining("1,\"2,3\n1,2,3\n").issue);
    EXPECT_TRUE(ParseTraining("1,\"2\"x,3\n").issue);
}

TEST(CsvTest, ReadsWeights) {
    Parsed parsed = ParseTraining("1,0.5,3\n2,2,1\n", true);
    ASSERT_FALSE(parsed.issue) << parsed.issue->message;
    EXPECT_EQ(parsed.rows.weights, (Floats{0.5F, 2}));
    EXPECT_EQ(parsed.rows.rows.values, (Values{3, 1}));
    EXPECT_EQ(parsed.rows.rows.num_features, 1U);
    EXPECT_TRUE(ParseTraining("1,-1,3\n", true).issue);
    EXPECT_TRUE(ParseTraining("1,,3\n", true).issue);
}

TEST(CsvTest, DeterminesTheDelimiter) {
    EXPECT_EQ(*DetermineCsvDelimiter("1,2;3"), ',');
    EXPECT_EQ(*DetermineCsvDelimiter("\n1\t2\n"), '\t');
    EXPECT_EQ(*DetermineCsvDelimiter("1;2; 3"), ';');
    EXPECT_EQ(*DetermineCsvDelimiter("1 2 3"), ' ');
    EXPECT_EQ(*DetermineCsvDelimiter("1|2|3"), '|');
    EXPECT_EQ(*DetermineCsvDelimiter("1:2:3"), ':');
    EXPECT_EQ(*DetermineCsvDelimiter("1:2|3|4|5"), ':');  // preferred, though there are more of the other
    EXPECT_EQ(*DetermineCsvDelimiter("-1.5~+2.5~3.5e-2"), '~');
    EXPECT_EQ(*DetermineCsvDelimiter("1&2|3"), '|');  // as often: the later in ASCII
    EXPECT_EQ(*DetermineCsvDelimiter("\"a,b\";2"), ';');
    EXPECT_EQ(*DetermineCsvDelimiter("1.5"), ',');
    EXPECT_FALSE(DetermineCsvDelimiter("abc"));
    for (const char* text : {"1;2;3\n4;;6\n", "1\t2\t3\n4\t\t6\n", "1|2|3\n4||6\n", "1 2 3\n4  6\n", "1:2:3\n4::6\n"}) {
        Parsed parsed = ParseTraining(text);
        ASSERT_FALSE(parsed.issue) << text << parsed.issue->message;
        EXPECT_EQ(parsed.rows.rows.values, (Values{2, 3, 6})) << text;
    }
}

TEST(CsvTest, SaysWhatAndWhere) {
    struct Case {
        const char* text;
        std::size_t offset;
        const char* part;
    };
    for (const Case& c : {Case{"1,2\n3,4,5\n", 4, "3 cells, the first line has 2"},
                          Case{"1,2,3\n4,5\n", 6, "2 cells, the first line has 3"},
                          Case{"1,2,3\n4\n", 6, "1 cells, the first line has 3"}, Case{"1,inf,3\n", 2, "infinite"},
                          Case{"1,1e400,3\n", 2, "too large"}, Case{"1,5x,3\n", 2, "begins like a number"},
                          Case{"1,2\n,3\n", 4, "the label '' is not a number"},
                          Case{"1,2\nx,3\n", 4, "the label 'x' is not a number"}}) {
        Parsed parsed = ParseTraining(c.text);
        ASSERT_TRUE(parsed.issue) << c.text;
        EXPECT_EQ(parsed.issue->offset, c.offset) << c.text;
        EXPECT_NE(parsed.issue->message.find(c.part), std::string::npos) << c.text << parsed.issue->message;
    }
}

TEST(CsvRequestTest, EveryColumnIsAFeature) {
    FeatureRows rows;
    ASSERT_TRUE(ParseCsvRequest("1,,3\n4,nan,6", rows));
    EXPECT_EQ(rows.row_offsets, (Offsets{0, 2, 4}));
    EXPECT_EQ(rows.feature_idx, (Indices{0, 2, 0, 2}));
    EXPECT_EQ(rows.num_features, 3U);
    ASSERT_TRUE(ParseCsvRequest("7.5\n2\n", rows));
    EXPECT_EQ(rows.values, (Values{7.5F, 2}));
    EXPECT_EQ(rows.num_features, 1U);
    Result<void> refused = ParseCsvRequest("1,2\n3,abc\n", rows);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message().rfind("line 2, column 3: 'abc' is not a number", 0), 0U);
    EXPECT_FALSE(ParseCsvRequest("1,2\n3\n", rows));
    EXPECT_FALSE(ParseCsvRequest("hello", rows));
}

}  // namespace
}  // namespace espalier::data
