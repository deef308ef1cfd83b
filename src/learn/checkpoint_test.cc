#include "learn/checkpoint.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "learn/published_file.h"
#include "model/model_file.h"

namespace espalier::learn {
namespace {

namespace filesystem = std::filesystem;

model::TreeEnsemble ModelOfRounds(int num_rounds) {
    model::TreeEnsemble model;
    model.num_feature = 2;
    for (int round = 0; round < num_rounds; ++round) {
        model::Tree tree;
        tree.left_children = tree.right_children = {-1};
        tree.parents = {model::kRootParent};
        tree.split_indices = {0};
        tree.split_conditions = tree.base_weights = {0.1F * static_cast<float>(round)};
        tree.default_left = {0};
        tree.loss_changes = {0};
        tree.sum_hessian = {7};
        model.trees.push_back(tree);
        model.tree_info.push_back(0);
        model.iteration_indptr.push_back(round + 1);
    }
    model.attributes["best_score"] = "0.1";
    return model;
}

class CheckpointFolder : public testing::Test {
  protected:
    void SetUp() override {
        folder_ = testing::TempDir() + "/checkpoint_test_" + std::to_string(getpid());
        filesystem::remove_all(folder_);
        filesystem::create_directories(folder_);
    }
    void TearDown() override { filesystem::remove_all(folder_); }

    std::string PathOf(int round) const { return folder_ + "/xgboost-checkpoint." + std::to_string(round); }
    void Put(const std::string& path, std::string_view bytes) const { std::ofstream(path) << bytes; }

    std::string folder_;
    std::vector<std::string> warnings_;
};

TEST_F(CheckpointFolder, TheNewestIsRead) {
    for (const int round : {1, 9, 10}) Put(PathOf(round), WriteCheckpoint(ModelOfRounds(round + 1)));
    Put(PathOf(11) + ".sagemaker-ignore", "half of one");
    Put(folder_ + "/xgboost-checkpoint.x", "no round");
    const auto checkpoint = ReadNewestCheckpoint(folder_, warnings_);
    ASSERT_TRUE(checkpoint.has_value());
    EXPECT_EQ(checkpoint->round, 10);
    EXPECT_TRUE(warnings_.empty());
    EXPECT_EQ(model::WriteModel(checkpoint->model, model::ModelFormat::kUbjson),
              model::WriteModel(ModelOfRounds(11), model::ModelFormat::kUbjson));
}

TEST_F(CheckpointFolder, NoFolderAndNoFileAreNoCheckpoint) {
    EXPECT_FALSE(ReadNewestCheckpoint(folder_, warnings_).has_value());
    EXPECT_FALSE(ReadNewestCheckpoint(folder_ + "/none", warnings_).has_value());
    EXPECT_TRUE(warnings_.empty());
}

TEST_F(CheckpointFolder, DamagedOnesArePassedOver) {
    Put(PathOf(3), WriteCheckpoint(ModelOfRounds(4)));
    const std::string whole = WriteCheckpoint(ModelOfRounds(5));
    Put(PathOf(4), whole.substr(0, whole.size() / 2));
    std::string flipped = WriteCheckpoint(ModelOfRounds(6));
    // The last byte of the hessian 7 = 0x40e00000, which no reader could find fault with.
    const std::size_t hessian = flipped.rfind(std::string_view("\x40\xe0\x00\x00", 4));
    ASSERT_NE(hessian, std::string::npos);
    flipped[hessian + 3] = 1;
    Put(PathOf(5), flipped);
    Put(PathOf(8), WriteCheckpoint(ModelOfRounds(2)));
    const auto checkpoint = ReadNewestCheckpoint(folder_, warnings_);
    ASSERT_TRUE(checkpoint.has_value());
    EXPECT_EQ(checkpoint->round, 3);
    ASSERT_EQ(warnings_.size(), 3U);
    EXPECT_NE(warnings_[0].find("it has 2 rounds, its name says 9"), std::string::npos) << warnings_[0];
    EXPECT_NE(warnings_[1].find("its checksum is wrong"), std::string::npos) << warnings_[1];
}

TEST_F(CheckpointFolder, AModelOfStockIsBelieved) {
    ASSERT_TRUE(PublishModel(ModelOfRounds(3), model::ModelFormat::kJson, PathOf(2)).has_value());
    const auto checkpoint = ReadNewestCheckpoint(folder_, warnings_);
    ASSERT_TRUE(checkpoint.has_value());
    EXPECT_EQ(checkpoint->model.num_rounds(), 3U);
}

TEST_F(CheckpointFolder, TheWriterKeepsTheLastFiveAndWhatIsUploaded) {
    const std::string model_path = folder_ + "/xgboost-model";
    CheckpointWriter writer(folder_, model_path);
    for (int round = 0; round < 7; ++round) {
        if (round == 1) Put(PathOf(0) + ".sagemaker-uploading", "");
        if (round == 2) {
            Put(PathOf(1) + ".sagemaker-uploading", "");
            Put(PathOf(1) + ".sagemaker-uploaded", "");
        }
        writer.Insist(round, ModelOfRounds(round + 1));
    }
    writer.Insist(7, ModelOfRounds(8));  // Waits until the one before is written.
    EXPECT_TRUE(filesystem::exists(PathOf(0)));
    EXPECT_FALSE(filesystem::exists(PathOf(1)));
    for (int round = 3; round < 7; ++round) EXPECT_TRUE(filesystem::exists(PathOf(round))) << round;
    EXPECT_TRUE(filesystem::exists(model_path));
    EXPECT_GE(ReadNewestCheckpoint(folder_, warnings_)->round, 6);
}

TEST_F(CheckpointFolder, WhatAKilledWriterHasLeftIsSwept) {
    Put(PathOf(3) + ".sagemaker-ignore", "half");
    Put(folder_ + "/notes.sagemaker-ignore", "the user's");
    Put(PathOf(2), "whole");
    const CheckpointWriter writer(folder_, "");
    EXPECT_FALSE(filesystem::exists(PathOf(3) + ".sagemaker-ignore"));
    EXPECT_TRUE(filesystem::exists(folder_ + "/notes.sagemaker-ignore"));
    EXPECT_TRUE(filesystem::exists(PathOf(2)));
}

TEST_F(CheckpointFolder, AFailureToWriteIsToldOnceAndDoesNotStopTheNext) {
    filesystem::create_directories(PathOf(0) + "/taken");
    std::optional<Error> error;
    {
        CheckpointWriter writer(folder_, "");
        writer.Offer(0, ModelOfRounds(1));
        while (!error.has_value()) error = writer.TakeError();
        EXPECT_FALSE(writer.TakeError().has_value());
    }
    EXPECT_NE(error->ToString().find("write a checkpoint"), std::string::npos);
    EXPECT_FALSE(filesystem::exists(PathOf(0) + ".sagemaker-ignore"));
}

}  // namespace
}  // namespace espalier::learn
