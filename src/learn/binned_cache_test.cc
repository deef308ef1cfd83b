#include "learn/binned_cache.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <thread>

#include "data/value_summaries.h"

namespace espalier::learn {
namespace {

namespace fs = std::filesystem;

class BinnedCacheTest : public testing::Test {
  protected:
    void SetUp() override {
        folder_ = (fs::temp_directory_path() / "espalier-bins-XXXXXX").string();
        ASSERT_NE(mkdtemp(folder_.data()), nullptr);
    }
    void TearDown() override { fs::remove_all(folder_); }

    static BinnedJob MakeJob(unsigned seed) {
        std::mt19937 random(seed);
        data::FeatureRows rows;
        rows.num_features = 6;
        for (int row = 0; row < 200; ++row) {
            for (std::uint32_t f = 0; f < 6; ++f) {
                if (f == 2 && row % 50 != 0) continue;  // a sparse column
                if (random() % 5 == 0) continue;
                rows.feature_idx.push_back(f);
                rows.values.push_back(static_cast<float>(random() % 40));
            }
            rows.row_offsets.push_back(rows.values.size());
        }
        WorkerTeam team(1);
        const data::CompactRows compact = data::CompactRows::FromRows(rows);
        const auto summaries = data::SummarizeValues(compact, {}, 6, team);
        BinnedJob job;
        job.layout = data::BinLayout::Create(summaries, data::BuildCutPoints(summaries, 16, team), 200, team);
        for (const auto use : {data::BinnedMatrix::Use::kTraining, data::BinnedMatrix::Use::kEvaluation}) {
            BinnedSet& set = job.sets.emplace_back();
            set.matrix = data::BinnedMatrix::Create(compact, job.layout, use, team);
            set.labels.assign(200, 2.5F);
            set.weights.assign(seed % 2 == 0 ? 200 : 0, 0.5F);
            set.query_ids = {1, 2, 3};
            set.num_features = 6;
            set.num_entries = rows.num_entries();
            set.csv_delimiter = ';';
            set.warnings = {"a warning", ""};
        }
        return job;
    }

    std::string BytesOf(const std::string& path) const {
        std::ostringstream bytes;
        bytes << std::ifstream(path, std::ios::binary).rdbuf();
        return bytes.str();
    }
    /// The file that `job` becomes: equal files, equal jobs.
    std::string Written(BinnedJob job) const {
        BinnedCache cache(folder_, "written");
        EXPECT_TRUE(cache.Keep(job).has_value());
        return BytesOf(cache.path());
    }
    bool IsThere(const std::string& description) const {
        const auto job = BinnedCache(folder_, description).Open();
        EXPECT_TRUE(job.has_value());
        return job->has_value();
    }

    std::string folder_;
};

TEST_F(BinnedCacheTest, GivesBackWhatWasKept) {
    for (const unsigned seed : {1U, 2U}) {
        const std::string description = "job " + std::to_string(seed);
        BinnedJob job = MakeJob(seed);
        {
            BinnedCache maker(folder_, description);
            EXPECT_FALSE((*maker.Open()).has_value());
            ASSERT_TRUE(maker.Keep(job).has_value());
        }
        const auto found = BinnedCache(folder_, description).Open();
        ASSERT_TRUE(found.has_value() && found->has_value());
        EXPECT_EQ((*found)->sets[1].warnings, (std::vector<std::string>{"a warning", ""}));
        EXPECT_EQ((*found)->sets[0].labels, job.sets[0].labels);
        EXPECT_EQ((*found)->layout.cuts.values, job.layout.cuts.values);
        EXPECT_EQ(Written(**found), Written(job));
        EXPECT_FALSE(IsThere("another job"));
    }
}

TEST_F(BinnedCacheTest, ADamagedOrCutFileIsAsGoodAsNone) {
    BinnedJob job = MakeJob(1);
    BinnedCache maker(folder_, "job");
    EXPECT_FALSE((*maker.Open()).has_value());
    ASSERT_TRUE(maker.Keep(job).has_value());
    const std::string good = BytesOf(maker.path());
    for (std::size_t at = 0; at < good.size(); at += at < 64 ? 1 : 487) {
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ 0x10);
        std::ofstream(maker.path(), std::ios::binary | std::ios::trunc) << bad;
        EXPECT_FALSE(IsThere("job")) << at;
    }
    for (const std::size_t size : {0UL, 63UL, 64UL, good.size() / 2, good.size() - 1}) {
        std::ofstream(maker.path(), std::ios::binary | std::ios::trunc) << good.substr(0, size);
        EXPECT_FALSE(IsThere("job")) << size;
    }
    // Made anew, it is good again.
    BinnedCache again(folder_, "job");
    EXPECT_FALSE((*again.Open()).has_value());
    ASSERT_TRUE(again.Keep(job).has_value());
    EXPECT_TRUE(IsThere("job"));
}

// A sound checksum over nonsense must not lead the reader beyond the file.
TEST_F(BinnedCacheTest, AReaderStaysWithinTheFile) {
    BinnedJob job = MakeJob(1);
    const std::string good = Written(job).substr(64);
    std::mt19937 random(3);
    for (int round = 0; round < 300; ++round) {
        std::string bad = good.substr(0, round % 3 == 0 ? random() % good.size() : good.size());
        for (int i = 0; i < 8 && !bad.empty(); ++i) bad[random() % bad.size()] = static_cast<char>(random());
        const auto memory = std::make_shared<std::vector<char>>(bad.begin(), bad.end());
        data::ArrayReader reader(std::as_bytes(std::span(*memory)), memory);
        data::BinnedMatrix matrix;
        matrix.Exchange(reader);
        std::vector<std::uint64_t> numbers;
        std::string text;
        reader(text);
        reader(numbers);
    }
}

TEST_F(BinnedCacheTest, OneMakesAndTheOthersWait) {
    BinnedJob job = MakeJob(1);
    BinnedCache maker(folder_, "job");
    EXPECT_FALSE((*maker.Open()).has_value());
    int found = 0;
    {
        std::vector<std::jthread> others;
        std::mutex mutex;
        for (int i = 0; i < 3; ++i) {
            others.emplace_back([&] {
                const auto opened = BinnedCache(folder_, "job").Open();
                std::lock_guard lock(mutex);
                found += opened.has_value() && opened->has_value() ? 1 : 0;
            });
        }
        ASSERT_TRUE(maker.Keep(job).has_value());
    }
    EXPECT_EQ(found, 3);
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_)) names.push_back(entry.path().extension().string());
    std::sort(names.begin(), names.end());
    EXPECT_EQ(names, (std::vector<std::string>{".bins", ".lock"}));
}

TEST_F(BinnedCacheTest, AMakerThatFailsLetsTheNextOneMake) {
    {
        BinnedCache failing(folder_, "job");
        EXPECT_FALSE((*failing.Open()).has_value());
    }
    EXPECT_FALSE(IsThere("job"));
    EXPECT_FALSE(BinnedCache(folder_ + "/none", "job").Open().has_value());
}

}  // namespace
}  // namespace espalier::learn
