#include "data/libsvm.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "data/compact_rows.h"

namespace espalier::data {
namespace {

struct Parsed {
    LabeledRows rows;
    std::optional<TextIssue> issue;
};

LabeledRows Expanded(const RowBlock& block) {
    LabeledRows rows;
    Expand(ViewOf(block), ValueDictionary(), rows.rows);
    rows.rows.num_features = block.num_features;
    rows.labels = block.labels;
    rows.weights = block.weights;
    rows.query_ids = block.query_ids;
    return rows;
}

Parsed ParseTraining(std::string_view text, std::uint32_t feature_idx_max = kFeatureIdxMax) {
    PaddedBuffer buffer;
    PaddedText padded = buffer.Assign(text);
    LibsvmRules rules;
    rules.feature_idx_max = feature_idx_max;
    SniffLibsvmRules(padded, rules);
    Parsed parsed;
    RowBlock block;
    parsed.issue = ParseLibsvmBlock(padded, rules, block);
    if (!parsed.issue) parsed.rows = Expanded(block);
    return parsed;
}

using Indices = EntryVector<std::uint32_t>;
using Values = EntryVector<float>;
using Offsets = std::vector<std::uint64_t>;
using Floats = std::vector<float>;

TEST(LibsvmTest, TakesIndicesAsWrittenAndZerosAsPresent) {
    Parsed parsed = ParseTraining("5 1:0.0 2:0.5 784:1\n0 0:-0 3:.25\n");
    ASSERT_FALSE(parsed.issue) << parsed.issue->message;
    EXPECT_EQ(parsed.rows.labels, (Floats{5, 0}));
    EXPECT_EQ(parsed.rows.rows.row_offsets, (Offsets{0, 3, 5}));
    EXPECT_EQ(parsed.rows.rows.feature_idx, (Indices{1, 2, 784, 0, 3}));
    EXPECT_EQ(parsed.rows.rows.values, (Values{0, 0.5F, 1, -0.0F, 0.25F}));
    EXPECT_EQ(parsed.rows.rows.num_features, 785U);
}

TEST(LibsvmTest, SkipsCommentsBlankLinesAndEveryLineEnd) {
    Parsed parsed = ParseTraining("# c\n1 1:2 # x 3:4\n\n \t\r\n2 2:1\r\n3\t1:1\t4:2 \r4 1:5#end");
    ASSERT_FALSE(parsed.issue) << parsed.issue->message;
    EXPECT_EQ(parsed.rows.labels, (Floats{1, 2, 3, 4}));
    EXPECT_EQ(parsed.rows.rows.feature_idx, (Indices{1, 2, 1, 4, 1}));
    EXPECT_EQ(parsed.rows.rows.values, (Values{2, 1, 1, 2, 5}));
}

TEST(LibsvmTest, AnIndexAloneIsOneAndALabelAloneIsAnEmptyRow) {
    Parsed parsed = ParseTraining("1 3 7:2 9\n0\n");
    ASSERT_FALSE(parsed.issue) << parsed.issue->message;
    EXPECT_EQ(parsed.rows.rows.row_offsets, (Offsets{0, 3, 3}));
    EXPECT_EQ(parsed.rows.rows.values, (Values{1, 2, 1}));
}

TEST(LibsvmTest, NanIsMissing) {
    Parsed parsed = ParseTraining("1 1:nan 2:1 3:NaN\n");
    ASSERT_FALSE(parsed.issue) << parsed.issue->message;
    EXPECT_EQ(parsed.rows.rows.feature_idx, (Indices{2}));
}

TEST(LibsvmTest, ReadsWeightsAndQueriesOfEveryRow) {
    Parsed parsed = ParseTraining("1:2 qid:7 1:2\n0:0.5 qid:8 2:3\n");
    ASSERT_FALSE(parsed.issue) << parsed.issue->message;
    EXPECT_EQ(parsed.rows.weights, (Floats{2, 0.5F}));
    EXPECT_EQ(parsed.rows.query_ids, (Offsets{7, 8}));
    EXPECT_TRUE(ParseTraining("1:2 1:1\n0 1:1\n").issue);
    EXPECT_TRUE(ParseTraining("1 1:1\n0:2 1:1\n").issue);
    EXPECT_TRUE(ParseTraining("1 qid:1 1:1\n0 1:1\n").issue);
    EXPECT_TRUE(ParseTraining("1 1:1\n0 qid:1 1:1\n").issue);
    EXPECT_TRUE(ParseTraining("1:-1 1:1\n").issue);
}

TEST(LibsvmTest, SortsARowAndRefusesAnIndexTwice) {
    Parsed parsed = ParseTraining("1 9:9 3:3 5:5 4:4\n2 1:1\n");
    ASSERT_FALSE(parsed.issue) << parsed.issue->message;
    EXPECT_EQ(parsed.rows.rows.feature_idx, (Indices{3, 4, 5, 9, 1}));
    EXPECT_EQ(parsed.rows.rows.values, (Values{3, 4, 5, 9, 1}));
    EXPECT_EQ(parsed.rows.rows.num_features, 10U);
    EXPECT_TRUE(ParseTraining("1 3:1 3:2\n").issue);
    EXPECT_TRUE(ParseTraining("1 3:1 4:1 3:2\n").issue);
}

TEST(LibsvmTest, GuessedAndReadIndicesAgreeAtEveryWidth) {
    std::string text = "1";
    Indices expected;
    for (std::uint32_t idx : {0U, 1U, 9U, 10U, 11U, 99U, 100U, 101U, 999U, 1000U, 4094U, 4095U, 4096U, 4097U, 9999999U,
                              12345678U, 123456789U, kFeatureIdxMax}) {
        text += " " + std::to_string(idx) + ":1";
        expected.push_back(idx);
    }
    Parsed parsed = ParseTraining(text + "\n");
    ASSERT_FALSE(parsed.issue) << parsed.issue->message;
    EXPECT_EQ(parsed.rows.rows.feature_idx, expected);
}

// Runs of explicit zeros are compared with an expected text as a whole: every start, every way to end, over the borders
// of one to four digits and beyond the indices that are expected at all.
TEST(LibsvmTest, RunsOfZerosAreZerosWhereverTheyEnd) {
    for (const char* zero : {":0.0", ":0"}) {
        for (const std::uint32_t first : {0U, 1U, 8U, 9U, 95U, 99U, 990U, 999U, 4090U, 4095U, 4096U}) {
            for (std::uint32_t count = 1; count < 12; ++count) {
                for (const char* last : {"", ":0.05", ":5", ":0.0e1", ":00", ":-0", ":0.", ":1e-3", ":0.0#c", ":nan"}) {
                    std::string text = "1";
                    Indices expected;
                    for (std::uint32_t idx = first; idx < first + count; ++idx) {
                        text += " " + std::to_string(idx) + zero;
                        expected.push_back(idx);
                    }
                    if (*last != 0) text += " " + std::to_string(first + count) + last;
                    if (*last != 0 && std::string_view(last) != ":nan") expected.push_back(first + count);
                    Parsed parsed = ParseTraining(text + "\n7 3:2\n");
                    ASSERT_FALSE(parsed.issue) << text << parsed.issue->message;
                    expected.push_back(3);
                    ASSERT_EQ(parsed.rows.rows.feature_idx, expected) << text;
                    for (std::uint32_t i = 0; i < count; ++i) ASSERT_EQ(parsed.rows.rows.values[i], 0.0F) << text;
                }
            }
        }
    }
    EXPECT_FALSE(ParseTraining("1 4:0.0 5:0.0\n", 5).issue);
    EXPECT_TRUE(ParseTraining("1 4:0.0 5:0.0 6:0.0\n", 5).issue);
}

// Fractions that were seen before are taken together with the index behind them: every number of digits, every start,
// and behind each run whatever can stand there.
TEST(LibsvmTest, RunsOfKnownFractionsEndWhereTheyEnd) {
    const std::vector<std::string> fractions = {"0.5",      "0.25",      "0.125",      "0.0625", "0.03125",
                                                "0.015625", "0.0078125", "0.00390625", "0.50",   "0.99609375"};
    std::string learnt = "1 0:1";
    for (std::size_t i = 0; i < fractions.size(); ++i) learnt += " " + std::to_string(i + 1) + ":" + fractions[i];
    const auto value_of = [](std::string_view text) { return std::strtof(std::string(text).c_str(), nullptr); };
    for (const std::uint32_t first : {0U, 7U, 95U, 990U, 4090U}) {
        for (std::uint32_t count = 1; count < 12; ++count) {
            for (const char* last :
                 {"", "0.5#c", "0.5\t", "0.003906254", "0.5e1", "-0.5", "1.5", "0.0", ".5", "00.5"}) {
                std::string text = "2";
                Indices indices;
                Values values;
                for (std::uint32_t i = 0; i < count; ++i) {
                    const std::string& fraction = fractions[(first + i) % fractions.size()];
                    text += " " + std::to_string(first + i) + ":" + fraction;
                    indices.push_back(first + i);
                    values.push_back(value_of(fraction));
                }
                if (*last != 0) {
                    text += " " + std::to_string(first + count) + ":" + last;
                    indices.push_back(first + count);
                    values.push_back(value_of(last));
                }
                const Parsed parsed = ParseTraining(learnt + "\n" + text + "\n3\n");
                ASSERT_FALSE(parsed.issue) << text << parsed.issue->message;
                const FeatureRows& rows = parsed.rows.rows;
                const auto begin = static_cast<std::ptrdiff_t>(rows.row_offsets[1]);
                ASSERT_EQ(Indices(rows.feature_idx.begin() + begin, rows.feature_idx.end()), indices) << text;
                ASSERT_EQ(Values(rows.values.begin() + begin, rows.values.end()), values) << text;
            }
        }
    }
    for (const char* bad : {"0.5x", "0.5:", "0.5,", "0.5.5", "0.5\xB0", "0.5/"}) {
        const std::string text = learnt + "\n1 1:0.5 2:" + bad;
        const Parsed parsed = ParseTraining(text + " 3:0.5\n");
        ASSERT_TRUE(parsed.issue) << bad;
        EXPECT_EQ(parsed.issue->offset, text.rfind(':', text.rfind("0.5")) + 1) << bad;
    }
}

TEST(LibsvmTest, RefusesIndicesAboveTheLimit) {
    EXPECT_FALSE(ParseTraining("1 5:1\n", 5).issue);
    EXPECT_TRUE(ParseTraining("1 6:1\n", 5).issue);
    EXPECT_TRUE(ParseTraining("1 5:1 6:1\n", 5).issue);
    EXPECT_TRUE(ParseTraining("1 4294967296:1\n").issue);
    EXPECT_TRUE(ParseTraining("1 99999999999999999999999:1\n").issue);
}

TEST(LibsvmTest, SaysWhatAndWhere) {
    struct Case {
        const char* text;
        std::size_t offset;
        const char* part;
    };
    for (const Case& c :
         {Case{"1 1:2\n0 2:abc\n", 10, "'abc' is not a number"}, Case{"1 1:2\nx 2:1\n", 6, "'x' is not a label"},
          Case{"1,2,3\n", 0, "text/csv"}, Case{"1 a:2\n", 2, "does not begin with a feature index"},
          Case{"1 -1:2\n", 2, "does not begin with a feature index"},
          Case{"1 1.5:2\n", 2, "does not begin with a feature index"},
          Case{"1 1:2,3:4\n", 4, "'2,3:4' is not a number"}, Case{"1 1:\n", 4, "'' is not a number"},
          Case{"1 1:inf\n", 4, "infinite"}, Case{"1 1:1e400\n", 4, "too large"},
          Case{"1 1:0x10\n", 4, "'0x10' is not a number"}, Case{"nan 1:2\n", 0, "not a finite number"},
          Case{"1 1:2 qid:3\n", 6, "right after the label"},
          Case{"1 1 :2\n", 4, "does not begin with a feature index"}}) {
        Parsed parsed = ParseTraining(c.text);
        ASSERT_TRUE(parsed.issue) << c.text;
        EXPECT_EQ(parsed.issue->offset, c.offset) << c.text;
        EXPECT_NE(parsed.issue->message.find(c.part), std::string::npos) << c.text << parsed.issue->message;
    }
}

TEST(LibsvmRequestTest, IgnoresLabelsSumsRepeatsAndKeepsRowsWithoutFeatures) {
    FeatureRows rows;
    ASSERT_TRUE(ParseLibsvmRequest("7 1:1 2:2\n1:3 4:1\n5\n\nabc qid:3 2:1 2:2\n", rows));
    EXPECT_EQ(rows.row_offsets, (Offsets{0, 2, 4, 4, 5}));
    EXPECT_EQ(rows.feature_idx, (Indices{1, 2, 1, 4, 2}));
    EXPECT_EQ(rows.values, (Values{1, 2, 3, 1, 3}));
    Result<void> refused = ParseLibsvmRequest("1 1:1\n1 1:x\n", rows);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_EQ(refused.error().message().rfind("line 2, column 5: ", 0), 0U) << refused.error().message();
}

TEST(LibsvmRequestTest, CsvIsNotTakenForRowsWithoutFeatures) {
    FeatureRows rows;
    for (const char* body : {"0.5,1,2\n", "1 1:1\n0,0.5,0.25\n", "1, 2, 3\n"}) {
        Result<void> refused = ParseLibsvmRequest(body, rows);
        ASSERT_FALSE(refused) << body;
        EXPECT_NE(refused.error().message().find("If the data is CSV"), std::string::npos) << refused.error().message();
    }
}

// The part parsed in place and the padded copy of the tail must give what one pass gives, wherever the border falls.
TEST(LibsvmRequestTest, TheBorderOfTheTailDoesNotShow) {
    std::string body;
    for (int row = 0; row < 60; ++row) {
        body +=
            "1 1:" + std::to_string(row) + " 2:0.0 3:" + std::string(static_cast<std::size_t>(row % 7 + 1), '1') + "\n";
        FeatureRows rows;
        ASSERT_TRUE(ParseLibsvmRequest(body, rows));
        Parsed whole = ParseTraining(body);
        EXPECT_EQ(rows.row_offsets, whole.rows.rows.row_offsets);
        EXPECT_EQ(rows.feature_idx, whole.rows.rows.feature_idx);
        EXPECT_EQ(rows.values, whole.rows.rows.values);
        EXPECT_EQ(rows.num_features, whole.rows.rows.num_features);
    }
}

TEST(LibsvmRequestTest, AWarmBatchKeepsItsMemory) {
    std::string body;
    for (int row = 0; row < 100; ++row) body += "1 1:0.0 2:0.5 3:1\n";
    FeatureRows rows;
    ASSERT_TRUE(ParseLibsvmRequest(body, rows));
    const float* values = rows.values.data();
    const std::uint32_t* indices = rows.feature_idx.data();
    const std::uint64_t* offsets = rows.row_offsets.data();
    ASSERT_TRUE(ParseLibsvmRequest(body, rows));
    EXPECT_EQ(rows.num_rows(), 100U);
    EXPECT_EQ(rows.values.data(), values);
    EXPECT_EQ(rows.feature_idx.data(), indices);
    EXPECT_EQ(rows.row_offsets.data(), offsets);
}

}  // namespace
}  // namespace espalier::data
