// Formats that are only read: the samples mean what they say, and every cut and every flipped byte of them ends well.
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <new>

#include "model/model_file.h"
#include "model/predictor.h"
#include "model/sample_files.h"

namespace {

thread_local std::size_t held_bytes = 0;
thread_local std::size_t peak_bytes = 0;

}  // namespace

// Counted for the whole program; the tests of this file look.
void* operator new(std::size_t size) {
    void* place = std::malloc(size);
    if (place == nullptr) throw std::bad_alloc();
    held_bytes += ::malloc_usable_size(place);
    peak_bytes = std::max(peak_bytes, held_bytes);
    return place;
}
void operator delete(void* place) noexcept {
    if (place != nullptr) held_bytes -= std::min(held_bytes, ::malloc_usable_size(place));
    std::free(place);
}
void operator delete(void* place, std::size_t) noexcept {
    operator delete(place);
}

namespace espalier::model {
namespace {

struct Foreign {
    std::string bytes;
    ModelFormat format;
    std::vector<float> margins;  // of the rows of Rows()
};

data::FeatureRows Rows() {
    data::FeatureRows rows;
    rows.row_offsets = {0, 3, 6, 6};
    for (std::uint32_t feature : {0U, 1U, 2U, 0U, 1U, 2U}) rows.feature_idx.push_back(feature);
    for (float value : {0.25F, 0.25F, 1.0F, 0.75F, 0.75F, 3.0F}) rows.values.push_back(value);
    rows.num_features = 3;
    return rows;
}

std::vector<Foreign> Samples() {
    const float base = -std::log(1 / 0.25F - 1);
    std::string with_config = "CONFIG-offset:";
    AppendLittleEndian<std::uint64_t>(with_config, SampleOldBinary().size());
    with_config += SampleOldBinary() + "{}";
    return {{SampleOldBinary(), ModelFormat::kOldBinary, {base - 1.5F, base + 2, base - 1.5F}},
            {SampleOldBinary().substr(4), ModelFormat::kOldBinary, {base - 1.5F, base + 2, base - 1.5F}},
            {SampleOldBinary("dart"), ModelFormat::kOldBinary, {base - 1.125F, base + 1.5F, base - 1.125F}},
            {SamplePickle(SampleOldBinary()), ModelFormat::kPickle, {base - 1.5F, base + 2, base - 1.5F}},
            {SamplePickle(with_config), ModelFormat::kPickle, {base - 1.5F, base + 2, base - 1.5F}},
            // Left iff a <= 0.5, missing left; then category 1 or 2 is leaf 0, others and missing are leaf 1.
            {SampleLightgbm(), ModelFormat::kLightgbm, {0.625F, 1.625F, -0.125F}},
            // A missing value is not tracked to the true side.
            {SampleOnnx(), ModelFormat::kOnnx, {-0.75F, 1.75F, 1.75F}}};
}

TEST(ForeignModelTest, SamplesPredictWhatTheySay) {
    for (const Foreign& sample : Samples()) {
        EXPECT_EQ(*DetectModelFormat(sample.bytes), sample.format);
        Result<TreeEnsemble> read = ReadModel(sample.bytes);
        ASSERT_TRUE(read) << ToString(sample.format) << ": " << read.error().ToString();
        auto predictor = Predictor::Create(*read);
        ASSERT_TRUE(predictor.has_value());
        std::vector<float> margins(3);
        (*predictor)->PredictMargins(Rows(), margins);
        for (std::size_t row = 0; row < 3; ++row) {
            EXPECT_NEAR(margins[row], sample.margins[row], 1e-6) << ToString(sample.format) << " row " << row;
        }
    }
}

TEST(ForeignModelTest, WhatStandsBesideTheTreesComesAlong) {
    TreeEnsemble old = *ReadModel(SampleOldBinary());
    EXPECT_EQ(old.attributes, (std::map<std::string, std::string>{{"best_iteration", "0"}}));
    EXPECT_EQ(old.objective_params.at("scale_pos_weight"), "2");
    EXPECT_EQ(ReadModel(SamplePickle(SampleOldBinary()))->feature_names, (std::vector<std::string>{"a", "b", "c"}));
    EXPECT_EQ(ReadModel(SampleLightgbm())->feature_names, (std::vector<std::string>{"a", "b", "c"}));
}

// What follows the last tree, attributes aside, may be missing: a cut there is not noticed by any reader.
TEST(ForeignModelTest, EveryCutIsReadOrRefused) {
    for (const Foreign& sample : Samples()) {
        std::size_t refused = 0;
        for (std::size_t size = 0; size < sample.bytes.size(); ++size) {
            std::string cut = sample.bytes.substr(0, size);
            cut.shrink_to_fit();
            Result<TreeEnsemble> read = ReadModel(cut);
            if (read) continue;
            EXPECT_FALSE(read.error().message().empty());
            ++refused;
        }
        EXPECT_GT(refused, sample.bytes.size() * 9 / 10) << ToString(sample.format);
    }
}

TEST(ForeignModelTest, EveryFlippedByteEndsWell) {
    for (const Foreign& sample : Samples()) {
        for (std::size_t at = 0; at < sample.bytes.size(); ++at) {
            for (unsigned flip : {0xFFU, 0x80U, 0x01U}) {
                std::string changed = sample.bytes;
                changed[at] = static_cast<char>(static_cast<unsigned char>(changed[at]) ^ flip);
                Result<TreeEnsemble> read = ReadModel(changed);
                if (!read) continue;
                EXPECT_TRUE(Predictor::Create(*std::move(read)).has_value());
            }
        }
    }
}

// The most that is held at once while reading, counted by the operators below.
std::size_t PeakOf(const std::string& bytes) {
    held_bytes = peak_bytes = 0;
    Result<TreeEnsemble> read = ReadModel(bytes);
    return peak_bytes;
}

// Files that promise much: what is kept of them stays within four times their size.
TEST(ForeignModelTest, HostileFilesTakeNoMemory) {
    std::string tuples = "\x80\x02";
    for (int i = 0; i < 1'000'000; ++i) tuples += ')';
    EXPECT_FALSE(ReadModel(tuples + "."));
    std::string marks = "\x80\x02" + std::string(1'000'000, '(') + ".";
    EXPECT_FALSE(ReadModel(marks));
    std::string old = SampleOldBinary();
    std::string many_trees = old;
    std::memcpy(many_trees.data() + 4 + 136 + 23 + 14, "\xff\xff\xff\x7f", 4);
    EXPECT_FALSE(ReadModel(many_trees));
    std::string lines = "tree\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=1\nobjective=regression\n\n";
    std::string leaves = lines + "Tree=0\nnum_leaves=1000000000\nleaf_value=1 2\n\nend of trees\n";
    EXPECT_FALSE(ReadModel(leaves));
    for (const std::string& bytes : {tuples, marks, many_trees, leaves}) EXPECT_LE(PeakOf(bytes), 4 * bytes.size());
}

}  // namespace
}  // namespace espalier::model
