#include "data/data_files.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace espalier::data {
namespace {

namespace fs = std::filesystem;

class DataFilesTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = (fs::temp_directory_path() / "espalier-files-XXXXXX").string();
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        root_ = pattern;
    }
    void TearDown() override { fs::remove_all(root_); }

    void Write(const std::string& name, const std::string& content) {
        fs::create_directories((root_ / name).parent_path());
        std::ofstream(root_ / name, std::ios::binary) << content;
    }
    Result<std::vector<DataFile>> Find(const std::string& name) {
        std::string path = (root_ / name).string();
        return FindDataFiles(std::span(&path, 1));
    }

    fs::path root_;
};

TEST_F(DataFilesTest, SortsByRelativePathSkipsEmptyFilesAndKnowsGzip) {
    Write("train/part-10", "1 1:1\n");
    Write("train/part-2", "1 1:1\n");
    Write("train/a/z", std::string("\x1f\x8b\x08", 3));
    Write("train/_SUCCESS", "");
    Write("train/b", "x");
    Result<std::vector<DataFile>> files = Find("train");
    ASSERT_TRUE(files);
    std::vector<std::string> names;
    for (const DataFile& file : *files) names.push_back(file.name);
    EXPECT_EQ(names, (std::vector<std::string>{"train/a/z", "train/b", "train/part-10", "train/part-2"}));
    EXPECT_TRUE((*files)[0].gzip);
    EXPECT_FALSE((*files)[1].gzip);
    EXPECT_EQ((*files)[2].size_bytes, 6U);
    Result<std::vector<DataFile>> with_slash = Find("train/");
    ASSERT_TRUE(with_slash);
    EXPECT_EQ((*with_slash)[0].name, "train/a/z");
}

TEST_F(DataFilesTest, RefusesHiddenFilesByTheImagesText) {
    Write("train/deep/.hidden", "x");
    Result<std::vector<DataFile>> files = Find("train");
    ASSERT_FALSE(files);
    EXPECT_EQ(files.error().message().rfind("Hidden file found in the data path! Remove that before training.", 0), 0U);
    EXPECT_NE(files.error().message().find("train/deep/.hidden"), std::string::npos);
}

TEST_F(DataFilesTest, TakesASingleFileAndTellsAMissingOne) {
    Write("one.libsvm", "1 1:1\n");
    ASSERT_TRUE(Find("one.libsvm"));
    EXPECT_EQ((*Find("one.libsvm"))[0].name, "one.libsvm");
    EXPECT_EQ(Find("two.libsvm").error().code(), ErrorCode::kNotFound);
    fs::create_directories(root_ / "empty");
    EXPECT_TRUE(Find("empty")->empty());
}

}  // namespace
}  // namespace espalier::data
