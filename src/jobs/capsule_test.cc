#include "jobs/capsule.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "jobs/artifacts.h"
#include "jobs/jobs_fixture.h"
#include "meta/lineage.h"

namespace espalier::jobs {
namespace {

class CapsuleTest : public JobsTest {
  protected:
    nlohmann::json CapsuleIn(const std::string& key) {
        const auto bytes = store_->ReadAll(Bucket("data"), *store::ObjectKey::Parse(key), 1 << 20);
        EXPECT_TRUE(bytes) << key;
        return nlohmann::json::parse(bytes ? *bytes : "null", nullptr, false);
    }
};

TEST_F(CapsuleTest, IsReadAsItWasWritten) {
    const Capsule capsule = {
        .job = "j",
        .request = R"({"TrainingJobName":"j","Tags":[{"Key":"k","Value":"v"}],"HyperParameters":{"seed":"7"}})",
        .trainer_sha256 = "aa",
        .channels = {{.name = "train",
                      .bucket = "b",
                      .prefix = "p",
                      .objects = {{.key = "p/ü", .path = "ü", .instances = {1, 2}, .content = {3, "cc"}}}}},
        .checkpoints = {{"xgboost-checkpoint.0", {5, "dd"}}},
        .model_uri = "s3://b/m",
        .model = {{"xgboost-model", {9, "ee"}}}};
    const std::string document = ToDocument(capsule);
    EXPECT_EQ(nlohmann::json::parse(document)["seed"], "7");
    EXPECT_EQ(document.find("Tags"), std::string::npos);
    const Capsule read = *ParseCapsule(document);
    EXPECT_EQ(read.job, "j");
    EXPECT_EQ(read.channels[0].objects[0].key, "p/ü");
    EXPECT_EQ(read.channels[0].objects[0].instances, (std::vector<int>{1, 2}));
    EXPECT_EQ(read.channels[0].objects[0].content.sha256, "cc");
    EXPECT_EQ(read.checkpoints[0].content.size_bytes, 5U);
    EXPECT_EQ(read.model[0].name, "xgboost-model");
    EXPECT_EQ(ToDocument(read), document);
    for (const char* bad : {"", "{", "[]", "{}", R"({"espalier_capsule":2})", R"({"espalier_capsule":1,"job":3})"})
        EXPECT_EQ(ParseCapsule(bad).error().code(), ErrorCode::kInvalidArgument) << bad;
}

TEST_F(CapsuleTest, SaysWhoReadWhat) {
    ChannelSpec channel;
    channel.name = "train";
    channel.location = {.bucket = "data", .key = "p/train"};
    const ChannelPlan plan = {{{"p/train/a", "a"}, {"p/train/c", "c"}}, {{"p/train/b", "b"}, {"p/train/c", "c"}}};
    const CapsuleChannel noted = ChannelOf(channel, plan);
    ASSERT_EQ(noted.objects.size(), 3U);
    EXPECT_EQ(noted.objects[0].instances, std::vector<int>{1});
    EXPECT_EQ(noted.objects[1].instances, std::vector<int>{2});
    EXPECT_EQ(noted.objects[2].instances, (std::vector<int>{1, 2}));
    CapsuleChannel other = noted;
    other.objects[1].content.sha256 = "x";
    EXPECT_NE(DigestOf(noted), DigestOf(other));
}

TEST_F(CapsuleTest, LinksOfOneFileAreReadOnce) {
    std::filesystem::create_directories(folder_ + "/files");
    const std::string first = folder_ + "/files/a";
    std::ofstream(first) << "abc";
    std::filesystem::create_hard_link(first, folder_ + "/files/b");
    ContentDigests digests;
    const std::string sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    EXPECT_EQ(digests.Of(first)->sha256, sha256);
    EXPECT_EQ(digests.Of(folder_ + "/files/b", [] { return true; })->sha256, sha256) << "known, so nothing to cancel";
    EXPECT_EQ(digests.Of(first)->size_bytes, 3U);
    EXPECT_FALSE(digests.Of(folder_ + "/files/none"));
    std::ofstream(folder_ + "/files/c") << "abcd";
    EXPECT_EQ(digests.Of(folder_ + "/files/c", [] { return true; }).error().code(), ErrorCode::kCancelled);
}

TEST_F(CapsuleTest, AFinishedJobLeavesOneAndItsLineage) {
    StartService();
    ASSERT_TRUE(Create(Request("j")));
    const auto run = RunOf(0);
    run->WriteModel("the model");
    run->End({.succeeded = true});
    ASSERT_TRUE(Reaches("j", meta::JobStage::kCompleted));
    const nlohmann::json capsule = CapsuleIn("out/j/capsule.json");
    ASSERT_EQ(capsule["inputs"][0]["objects"].size(), 5U);
    EXPECT_EQ(capsule["inputs"][0]["objects"][0]["key"], "p/train/examples0");
    EXPECT_EQ(capsule["inputs"][0]["objects"][0]["sha256"].get<std::string>().size(), 64U);
    EXPECT_EQ(capsule["model"]["files"][0]["size"], 9);
    meta::Lineage lineage(*database_);
    const auto edges = *lineage.Edges(kScope, {}, 10);
    ASSERT_EQ(edges.size(), 3U) << "image and data to the job, the job to the model";
    const auto component = *lineage.Find(kScope, {"experiment-trial-component", "j-aws-training-job"});
    ASSERT_TRUE(component);
    EXPECT_EQ(lineage.EdgesOf(kScope, component->key, /*outgoing=*/true)->at(0).type, "Produced");
}

TEST_F(CapsuleTest, AServerThatRestartsInUploadingStillKnowsTheInputs) {
    meta::TrainingJobs rows(*database_);
    const meta::TrainingJob row = *rows.Insert({.scope = kScope, .name = "j", .request = Request("j")});
    for (const meta::JobStage stage :
         {meta::JobStage::kDownloading, meta::JobStage::kTraining, meta::JobStage::kUploading})
        ASSERT_TRUE(rows.Enter(row.id, {.stage = stage, .now = 5}));
    const JobSpec spec = *ParseJobSpec(row.request);
    const WorkFolder folder(folder_ + "/jobs", row.id);
    ASSERT_TRUE(folder.MakeEmpty(spec));
    std::ofstream(folder.ModelFolder() + "/xgboost-model") << "the model";
    std::ofstream(folder.ChannelFolder(1, spec.channels[0]) + "/examples0") << "1 1:1\n";
    const ChannelPlan plan = {{{"p/train/examples0", "examples0"}}};
    ASSERT_TRUE(folder.WriteCapsule(ToDocument({.job = "j",
                                                .request = row.request,
                                                .trainer_sha256 = "",
                                                .channels = {ChannelOf(spec.channels[0], plan)},
                                                .checkpoints = {},
                                                .model_uri = "",
                                                .model = {}})));
    ASSERT_TRUE(PackModel(spec, folder, 1));
    StartService();
    ASSERT_TRUE(Reaches("j", meta::JobStage::kCompleted));
    const nlohmann::json capsule = CapsuleIn("out/j/capsule.json");
    EXPECT_EQ(capsule["inputs"][0]["objects"][0]["size"], 6);
    EXPECT_EQ(capsule["model"]["files"][0]["name"], "xgboost-model");
}

}  // namespace
}  // namespace espalier::jobs
