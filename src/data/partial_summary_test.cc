#include "data/partial_summary.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <random>
#include <vector>

#include "data/binned_matrix.h"

namespace espalier::data {
namespace {

ValueSummary WholeSummary(std::vector<float> values) {
    std::sort(values.begin(), values.end());
    ValueSummary summary;
    summary.num_entries = values.size();
    for (const float value : values) {
        if (summary.values.empty() || summary.values.back() != value) {
            summary.values.push_back(value);
            summary.weights.push_back(0);
        }
        ++summary.weights.back();
    }
    return summary;
}

/// The column in parts of different lengths.
PartialSummarizer::Column ColumnOf(const std::vector<float>& values) {
    PartialSummarizer::Column column;
    for (std::size_t begin = 0, size = 1; begin < values.size(); begin += size, size = 3 * size + 7) {
        column.parts.push_back(std::span(values).subspan(begin, std::min(size, values.size() - begin)));
    }
    column.lowest = *std::min_element(values.begin(), values.end());
    column.highest = *std::max_element(values.begin(), values.end());
    column.num_zeros = static_cast<std::uint64_t>(std::count(values.begin(), values.end(), 0.0F));
    return column;
}

/// Whether a partial summary was made; then it gives the cuts and the shape of the whole one.
bool GivesTheSame(const std::vector<float>& values, int max_bin, PartialSummarizer& summarizer) {
    std::vector<std::uint32_t> keys(values.size());
    ValueSummary partial;
    const auto plan = summarizer.Summarize(ColumnOf(values), static_cast<std::size_t>(max_bin), keys, partial);
    if (!plan.has_value()) return false;
    const ValueSummary whole = WholeSummary(values);
    EXPECT_LT(partial.values.size(), whole.values.size());
    const FeatureCuts cuts = CutFeature(whole, max_bin);
    const FeatureCuts partial_cuts = CutFeature(partial, max_bin, false, {.plan = &*plan});
    EXPECT_EQ(partial_cuts.values, cuts.values);
    EXPECT_EQ(partial_cuts.min_value, cuts.min_value);
    EXPECT_EQ(partial_cuts.first_value, cuts.first_value);
    const BinLayout::Shape shape = BinLayout::ShapeOf(whole, cuts.values, values.size());
    const BinLayout::Shape partial_shape = BinLayout::ShapeOf(partial, cuts.values, values.size());
    EXPECT_EQ(partial_shape.most_frequent_bin, shape.most_frequent_bin);
    EXPECT_EQ(partial_shape.listed_share, shape.listed_share);
    return true;
}

using Draw = std::function<float(std::mt19937&)>;

const std::map<std::string, Draw>& Distributions() {
    static const std::map<std::string, Draw> all = {
        {"normal", [](std::mt19937& rng) { return std::normal_distribution<float>()(rng); }},
        {"a zero now and then",
         [](std::mt19937& rng) { return rng() % 50'000 == 0 ? 0.0F : std::normal_distribution<float>()(rng); }},
        {"uniform", [](std::mt19937& rng) { return std::uniform_real_distribution<float>(1, 2)(rng); }},
        {"wide", [](std::mt19937& rng) { return std::exp(9 * std::normal_distribution<float>()(rng)); }},
        {"whole numbers", [](std::mt19937& rng) { return static_cast<float>(rng() % 1'000'000 + 1'000'000); }},
        {"some equal",
         [](std::mt19937& rng) {
             const float value = std::normal_distribution<float>()(rng);
             return rng() % 4 == 0 ? std::round(value * 30000) / 30000 + 1e-5F : value;
         }},
        {"ends that repeat",
         [](std::mt19937& rng) { return std::clamp(std::normal_distribution<float>()(rng), -4.2F, 4.2F); }},
    };
    return all;
}

TEST(PartialSummary, GivesTheCutsOfTheWholeOne) {
    std::mt19937 rng(11);
    PartialSummarizer summarizer;
    for (const auto& [name, draw] : Distributions()) {
        for (const auto& [num_values, max_bin] : {std::pair(70'000, 16), {70'000, 5}, {150'000, 64}, {400'000, 256}}) {
            std::vector<float> values(static_cast<std::size_t>(num_values));
            for (float& value : values) value = draw(rng);
            EXPECT_TRUE(GivesTheSame(values, max_bin, summarizer)) << name << " " << num_values << " " << max_bin;
        }
    }
}

TEST(PartialSummary, IsNotMadeWhereAllValuesMatter) {
    std::mt19937 rng(12);
    PartialSummarizer summarizer;
    std::vector<float> values(100'000);
    const auto fill = [&](const Draw& draw) {
        for (float& value : values) value = draw(rng);
        return GivesTheSame(values, 64, summarizer);
    };
    EXPECT_FALSE(fill([](std::mt19937& r) { return static_cast<float>(r() % 100 + 1); })) << "few values";
    EXPECT_FALSE(fill([](std::mt19937& r) { return r() % 10 == 0 ? 7.0F : std::normal_distribution<float>()(r); }))
        << "one of great weight";
    EXPECT_FALSE(fill([](std::mt19937& r) { return r() % 10 == 0 ? 0.0F : std::normal_distribution<float>()(r); }))
        << "many zeros";
    EXPECT_FALSE(fill([](std::mt19937&) { return 7.0F; })) << "more of one than 16 bits count";
    EXPECT_FALSE(fill([](std::mt19937& r) {
        const float value = std::normal_distribution<float>()(r);
        return r() % 3 == 0 ? 1e6F + value : value * 1e-6F;
    })) << "two heaps";
    values.resize(2000);
    EXPECT_FALSE(fill([](std::mt19937& r) { return std::normal_distribution<float>()(r); })) << "short";
}

}  // namespace
}  // namespace espalier::data
