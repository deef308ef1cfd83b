#include "learn/instance_config.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace espalier::learn {
namespace {

namespace fs = std::filesystem;

class InstanceConfigTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = (fs::temp_directory_path() / "espalier-config-XXXXXX").string();
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        root_ = pattern;
        fs::create_directories(root_ / "input/config");
        fs::create_directories(root_ / "input/data/train");
        Write("hyperparameters.json", R"({"num_round": 3})");
    }
    void TearDown() override { fs::remove_all(root_); }

    void Write(const std::string& name, const std::string& text) {
        std::ofstream(root_ / "input/config" / name) << text;
    }
    std::string Refusal(const std::string& settings) {
        Write("espalier.json", settings);
        const auto config = ReadInstanceConfig(root_.string());
        return config.has_value() ? "read" : config.error().message();
    }

    fs::path root_;
};

TEST_F(InstanceConfigTest, WithoutOurFileItsSettingsAreOff) {
    const auto config = ReadInstanceConfig(root_.string());
    ASSERT_TRUE(config.has_value());
    EXPECT_TRUE(config->binned_cache_folder.empty());
    EXPECT_EQ(config->memory_limit_mb, 0U);
    ASSERT_EQ(config->channels.size(), 1U);
    EXPECT_TRUE(config->channels[0].data_identity.empty());
}

TEST_F(InstanceConfigTest, ReadsOurSettings) {
    Write("espalier.json",
          R"({"binned_cache_folder": "/bins", "data_identity": {"train": "abc"}, "memory_limit_mb": 500})");
    const auto config = ReadInstanceConfig(root_.string());
    ASSERT_TRUE(config.has_value()) << config.error().message();
    EXPECT_EQ(config->binned_cache_folder, "/bins");
    EXPECT_EQ(config->memory_limit_mb, 500U);
    EXPECT_EQ(config->channels[0].data_identity, "abc");
}

TEST_F(InstanceConfigTest, RefusesByNameWhatIsNoSetting) {
    EXPECT_NE(Refusal(R"({"binned_cache_dir": "/bins"})").find("'binned_cache_dir' is no setting"), std::string::npos);
    EXPECT_NE(Refusal(R"({"binned_cache_folder": 3})").find("must be a string"), std::string::npos);
    EXPECT_NE(Refusal(R"({"memory_limit_mb": -1})").find("whole number of megabytes"), std::string::npos);
    EXPECT_NE(Refusal(R"({"memory_limit_mb": 1073741825})").find("whole number of megabytes"), std::string::npos);
    EXPECT_EQ(Refusal(R"({"memory_limit_mb": 1073741824})"), "read");
    EXPECT_NE(Refusal(R"({"data_identity": {"test": "x"}})").find("'test' is not a channel"), std::string::npos);
    EXPECT_NE(Refusal("[]").find("espalier.json must be a JSON object"), std::string::npos);
}

}  // namespace
}  // namespace espalier::learn
