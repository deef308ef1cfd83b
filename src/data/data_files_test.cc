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

TEST_F(DataFilesTest, ReadsThreeFoldersDeepAndWarnsOfTheRest) {
    Write("train/a/b/deepest", "1 1:1\n");
    Write("train/a/b/c/lost", "1 1:1\n");
    Write("train/a/b/c/d/lost", "1 1:1\n");
    const std::string path = (root_ / "train").string();
    std::vector<std::string> warnings;
    Result<std::vector<DataFile>> files = FindDataFiles(std::span(&path, 1), &warnings);
    ASSERT_TRUE(files);
    ASSERT_EQ(files->size(), 1U);
    EXPECT_EQ((*files)[0].name, "train/a/b/deepest");
    EXPECT_EQ(warnings, std::vector<std::string>{"The depth of folder " + path +
                                                 "/a/b/c exceed the limit 3. Files in deeper sub dirs won't be loaded. "
                                                 "Please adjust the folder structure accordingly."});
}

TEST_F(DataFilesTest, TellsDataThatIsTrainedAndValidatedOn) {
    Write("train/part-0", "1 1:1\n");
    Write("train/part-1", "1 1:1 2:2\n");
    Write("validation/part-0", "0 2:3\n");
    Write("validation/part-1", "0 2:3\n");
    const std::vector<std::string> train = {(root_ / "train").string()};
    const std::vector<std::string> validation = {(root_ / "validation").string()};
    const auto train_files = *FindDataFiles(train);
    const auto validation_files = *FindDataFiles(validation);
    const std::vector<std::string> twins = DescribeSharedData(train, train_files, validation, validation_files);
    ASSERT_EQ(twins.size(), 1U);  // part-1 differs in size
    EXPECT_EQ(twins[0].rfind("Suspected identical files found. (" + train[0] + "/part-0 and " + validation[0] +
                                 "/part-0with same size 6 bytes). Note: Duplicate data",
                             0),
              0U)
        << twins[0];
    const std::vector<std::string> same = DescribeSharedData(train, train_files, train, train_files);
    ASSERT_EQ(same.size(), 1U);
    EXPECT_EQ(same[0].rfind("Found same path for training and validation.", 0), 0U);
}

}  // namespace
}  // namespace espalier::data
