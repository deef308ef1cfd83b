#include "base/algorithm_image.h"

#include <gtest/gtest.h>

#include <string>

namespace espalier {
namespace {

std::string VersionOf(std::string_view image) {
    Result<AlgorithmVersion> version = RecogniseAlgorithmImage(image);
    return version ? std::string(ToString(*version)) : "refused";
}

TEST(AlgorithmImage, KnowsEveryTagTheSdksProduce) {
    EXPECT_EQ(VersionOf("811284229777.dkr.ecr.us-east-1.amazonaws.com/xgboost:1"), "1");
    EXPECT_EQ(VersionOf("811284229777.dkr.ecr.us-east-1.amazonaws.com/xgboost:latest"), "1");
    for (const char* tag : {"0.90-1", "0.90-2", "1.0-1"})
        EXPECT_EQ(VersionOf("683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:" + std::string(tag) +
                            "-cpu-py3"),
                  tag);
    for (const char* tag : {"1.2-1", "1.2-2", "1.3-1", "1.5-1", "1.7-1", "3.0-5", "3.2-0"})
        EXPECT_EQ(VersionOf("450853457545.dkr.ecr.cn-north-1.amazonaws.com.cn/sagemaker-xgboost:" + std::string(tag)),
                  tag);
}

TEST(AlgorithmImage, TakesTheOtherSpellings) {
    EXPECT_EQ(VersionOf("xgboost"), "1");
    EXPECT_EQ(VersionOf("sagemaker-xgboost:1.7-1-gpu-py3"), "1.7-1");
    EXPECT_EQ(VersionOf("sagemaker-xgboost:1.2"), "1.2-2");
    EXPECT_EQ(VersionOf("sagemaker-xgboost:1.5-cpu-py3"), "1.5-1");
    EXPECT_EQ(VersionOf("226302683700.dkr.ecr-fips.us-gov-west-1.amazonaws.com/xgboost:1"), "1");
    EXPECT_EQ(VersionOf("sagemaker-xgboost:3.0-5@sha256:" + std::string(64, 'a')), "3.0-5");
}

TEST(AlgorithmImage, RefusesEverythingElseByName) {
    for (const char* image :
         {"", "xgboost:2", "xgboost:", "sagemaker-xgboost", "sagemaker-xgboost:latest", "sagemaker-xgboost:1.1-1",
          "sagemaker-xgboost:1.7-1-cpu-py2", "sagemaker-xgboost:3.0-5@sha256:xyz", "docker.io/xgboost:1",
          "my/sagemaker-xgboost:1.7-1", "382416733822.dkr.ecr.us-east-1.amazonaws.com/linear-learner:1"})
        EXPECT_EQ(VersionOf(image), "refused") << image;
    EXPECT_TRUE(RecogniseAlgorithmImage("linear-learner:1")
                    .error()
                    .message()
                    .starts_with("The image linear-learner:1 is not one that this server runs."));
}

TEST(AlgorithmImage, VersionsCompareByAge) {
    EXPECT_LT(AlgorithmVersion::kLegacy, AlgorithmVersion::k0_90_1);
    EXPECT_LT(AlgorithmVersion::k1_2_1, AlgorithmVersion::k1_2_2);
    EXPECT_LT(AlgorithmVersion::k1_7_1, AlgorithmVersion::k3_2_0);
}

}  // namespace
}  // namespace espalier
