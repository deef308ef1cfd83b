#include "model/open_model.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/archive.h"

namespace espalier::model {
namespace {

class OpenModelTest : public ::testing::Test {
  protected:
    void SetUp() override { ASSERT_NE(mkdtemp(folder_.data()), nullptr); }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    std::string Write(const std::string& name, const std::string& bytes) const {
        std::ofstream(folder_ + "/" + name, std::ios::binary) << bytes;
        return folder_ + "/" + name;
    }
    /// A model.tar.gz whose members, in this order, all hold `bytes`.
    std::string Pack(const std::vector<std::string>& names, const std::string& bytes) const {
        const std::string content = Write("content", bytes);
        std::vector<ArchiveSource> sources;
        for (const std::string& name : names) sources.push_back({name, content});
        EXPECT_TRUE(WriteTarGz(folder_ + "/model.tar.gz", sources, 0).has_value());
        return folder_ + "/model.tar.gz";
    }
    static std::string ModelBytes() {
        TreeEnsemble model;
        model.objective = "reg:squarederror";
        model.num_feature = 3;
        model.base_score = {0.5F};
        model.iteration_indptr = {0};
        return WriteModel(model, ModelFormat::kUbjson);
    }

    std::string folder_ = "/tmp/espalier-open-model-XXXXXX";
};

TEST_F(OpenModelTest, ReadsABareFile) {
    const auto opened = OpenModel(Write("m", ModelBytes()));
    ASSERT_TRUE(opened.has_value()) << opened.error().ToString();
    EXPECT_EQ(opened->member, "");
    EXPECT_EQ(opened->size_bytes, ModelBytes().size());
    EXPECT_EQ(opened->ensemble.num_feature, 3u);
}

TEST_F(OpenModelTest, ChoosesTheMemberOfAnArchive) {
    const auto named = OpenModel(Pack({"other", "xgboost-model"}, ModelBytes()));
    ASSERT_TRUE(named.has_value()) << named.error().ToString();
    EXPECT_EQ(named->member, "xgboost-model");
    const auto only = OpenModel(Pack({".hidden", "code/other", "mine"}, ModelBytes()));
    ASSERT_TRUE(only.has_value()) << only.error().ToString();
    EXPECT_EQ(only->member, "mine");
}

TEST_F(OpenModelTest, RefusesWhatHoldsNoOneModel) {
    const auto missing = OpenModel(folder_ + "/none");
    ASSERT_FALSE(missing.has_value());
    EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
    const auto directory = OpenModel(folder_);
    ASSERT_FALSE(directory.has_value());
    EXPECT_EQ(directory.error().code(), ErrorCode::kInvalidArgument);
    const auto several = OpenModel(Pack({"a", "b"}, ModelBytes()));
    ASSERT_FALSE(several.has_value());
    EXPECT_EQ(several.error().code(), ErrorCode::kCorruptData);
    EXPECT_FALSE(OpenModel(Pack({".hidden"}, ModelBytes())).has_value());
    EXPECT_FALSE(OpenModel(Pack({"xgboost-model"}, "no model")).has_value());
    EXPECT_FALSE(OpenModel(Write("cut", "\x1f\x8b cut short")).has_value());
}

}  // namespace
}  // namespace espalier::model
