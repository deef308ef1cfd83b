#include "data/compact_rows.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <random>

#include "data/value_summaries.h"

namespace espalier::data {
namespace {

enum class Values { kFew, kMany };

/// Rows as a parser might find them: full, with gaps, with zeros, or none of it.
FeatureRows MakeRows(std::size_t num_rows, std::uint32_t num_features, double present, double zeros, Values values,
                     unsigned seed) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<double> share(0, 1);
    FeatureRows rows;
    rows.num_features = num_features;
    for (std::size_t row = 0; row < num_rows; ++row) {
        for (std::uint32_t f = 0; f < num_features; ++f) {
            if (share(random) >= present) continue;
            float value = values == Values::kFew ? static_cast<float>(random() % 200) - 100.5F
                                                 : static_cast<float>(random()) * 1e-3F - 1e6F;
            if (share(random) < zeros) value = random() % 2 == 0 ? 0.0F : -0.0F;
            rows.feature_idx.push_back(f);
            rows.values.push_back(value);
        }
        rows.row_offsets.push_back(rows.values.size());
    }
    return rows;
}

FeatureRows Slice(const FeatureRows& rows, std::size_t begin, std::size_t end) {
    FeatureRows part;
    part.num_features = rows.num_features;
    for (std::size_t row = begin; row < end; ++row) {
        for (std::uint64_t e = rows.row_offsets[row]; e < rows.row_offsets[row + 1]; ++e) {
            part.feature_idx.push_back(rows.feature_idx[e]);
            part.values.push_back(rows.values[e]);
        }
        part.row_offsets.push_back(part.values.size());
    }
    return part;
}

/// In blocks of `block_rows`, with two encoders in turn, as two threads would.
CompactRows Encode(const FeatureRows& rows, std::size_t block_rows) {
    CompactRows compact;
    compact.num_features = rows.num_features;
    CompactEncoder encoders[] = {CompactEncoder(compact.dictionary()), CompactEncoder(compact.dictionary())};
    for (std::size_t begin = 0; begin < rows.num_rows(); begin += block_rows) {
        LabeledRows part;
        part.rows = Slice(rows, begin, std::min(begin + block_rows, rows.num_rows()));
        part.labels.assign(part.rows.num_rows(), 1.0F);
        EXPECT_TRUE(compact.Append(encoders[begin / block_rows % 2].Encode(MakeRowBlock(part))).has_value());
    }
    return compact;
}

void ExpectSame(const FeatureRows& a, const FeatureRows& b) {
    EXPECT_EQ(a.row_offsets, b.row_offsets);
    EXPECT_EQ(a.feature_idx, b.feature_idx);
    EXPECT_EQ(a.values, b.values);
    EXPECT_EQ(a.num_features, b.num_features);
}

/// The summaries as the definition has them.
std::vector<ValueSummary> SummariesByMap(const FeatureRows& rows, const std::vector<std::int64_t>& weights) {
    std::vector<std::map<float, std::int64_t>> seen(rows.num_features);
    std::vector<ValueSummary> summaries(rows.num_features);
    for (std::size_t row = 0; row < rows.num_rows(); ++row) {
        for (std::uint64_t e = rows.row_offsets[row]; e < rows.row_offsets[row + 1]; ++e) {
            seen[rows.feature_idx[e]][rows.values[e]] += weights.empty() ? 1 : weights[row];
            ++summaries[rows.feature_idx[e]].num_entries;
        }
    }
    for (std::size_t f = 0; f < seen.size(); ++f) {
        for (const auto& [value, weight] : seen[f]) {
            if (weight == 0) continue;
            summaries[f].values.push_back(value);
            summaries[f].weights.push_back(weight);
        }
    }
    return summaries;
}

struct Case {
    const char* name;
    std::size_t num_rows;
    std::uint32_t num_features;
    double present;
    double zeros;
    Values values;
};

const Case kCases[] = {
    {"none", 0, 3, 1, 0, Values::kFew},
    {"one row", 1, 1, 1, 0, Values::kFew},
    {"only zeros", 70, 9, 1, 1, Values::kFew},
    {"pixels", 500, 60, 1, 0.8, Values::kFew},
    {"gaps and zeros", 500, 60, 0.7, 0.3, Values::kFew},
    {"continuous", 5000, 7, 1, 0, Values::kMany},
    {"continuous with gaps", 3000, 12, 0.9, 0.1, Values::kMany},
    {"wide", 20, 70'000, 0.001, 0.1, Values::kMany},
    {"wide with few values", 20, 70'000, 0.001, 0.1, Values::kFew},
    {"empty rows", 40, 5, 0.02, 0.5, Values::kMany},
};

TEST(CompactRowsTest, GiveBackEveryRowExactly) {
    for (const Case& c : kCases) {
        SCOPED_TRACE(c.name);
        const FeatureRows rows = MakeRows(c.num_rows, c.num_features, c.present, c.zeros, c.values, 5);
        for (const std::size_t block_rows : {1UL, 33UL, 100'000UL}) {
            const CompactRows compact = Encode(rows, block_rows);
            EXPECT_EQ(compact.num_rows(), rows.num_rows());
            EXPECT_EQ(compact.num_entries(), rows.num_entries());
            ExpectSame(Expand(compact), rows);
        }
        ExpectSame(Expand(CompactRows::FromRows(rows)), rows);
    }
}

TEST(CompactRowsTest, TakeAByteAnEntryWhileValuesAreFew) {
    const FeatureRows few = MakeRows(300, 20, 1, 0, Values::kFew, 1);
    EXPECT_LT(Encode(few, 100).memory_bytes(), 6000U + 100U);
    // Fewer than one in four is not 0.
    const FeatureRows pixels = MakeRows(300, 784, 1, 0.8, Values::kFew, 1);
    EXPECT_LT(Encode(pixels, 100).memory_bytes(), pixels.num_entries() * 3);
    const FeatureRows many = MakeRows(300, 20, 1, 0, Values::kMany, 1);
    EXPECT_EQ(Encode(many, 100).memory_bytes(), 4 * many.num_entries() + 3 * 20 * sizeof(kernels::ValueRange));
}

TEST(CompactRowsTest, ReadTheSameFromASpillFile) {
    std::string folder = (std::filesystem::temp_directory_path() / "espalier-spill-XXXXXX").string();
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    for (const Case& c : kCases) {
        SCOPED_TRACE(c.name);
        const FeatureRows rows = MakeRows(c.num_rows, c.num_features, c.present, c.zeros, c.values, 5);
        CompactRows compact = Encode(rows, 33);
        ASSERT_TRUE(compact.SpillTo(folder).has_value());
        EXPECT_EQ(compact.memory_bytes(), 0U);
        ExpectSame(Expand(compact), rows);
    }
    EXPECT_TRUE(std::filesystem::is_empty(folder));
    std::filesystem::remove_all(folder);
    CompactRows nowhere;
    EXPECT_FALSE(nowhere.SpillTo(folder).has_value());
}

TEST(ValueSummariesTest, AgreeWithTheDefinition) {
    for (const Case& c : kCases) {
        const FeatureRows rows = MakeRows(c.num_rows, c.num_features, c.present, c.zeros, c.values, 6);
        std::mt19937 random(8);
        std::vector<std::int64_t> weights;
        for (std::size_t row = 0; row < rows.num_rows(); ++row) weights.push_back(random() % 4);  // some are 0
        for (const auto& units : {std::vector<std::int64_t>(), weights}) {
            const std::vector<ValueSummary> expected = SummariesByMap(rows, units);
            for (const int threads : {1, 3}) {
                SCOPED_TRACE(testing::Message() << c.name << ", weights " << units.size() << ", threads " << threads);
                WorkerTeam team(threads);
                const auto summaries = SummarizeValues(Encode(rows, 33), units, rows.num_features, team);
                ASSERT_EQ(summaries.size(), expected.size());
                for (std::size_t f = 0; f < expected.size(); ++f) {
                    ASSERT_EQ(summaries[f].values, expected[f].values) << f;
                    ASSERT_EQ(summaries[f].weights, expected[f].weights) << f;
                    ASSERT_EQ(summaries[f].num_entries, expected[f].num_entries) << f;
                }
            }
        }
    }
}

}  // namespace
}  // namespace espalier::data
