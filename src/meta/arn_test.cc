#include "meta/arn.h"

#include <gtest/gtest.h>

namespace espalier::meta {
namespace {

TEST(ArnTest, LowerCasesTheNameAndPicksThePartition) {
    EXPECT_EQ(SageMakerArn({.account = "123456789012", .region = "us-east-1"}, "training-job", "DEMO-x"),
              "arn:aws:sagemaker:us-east-1:123456789012:training-job/demo-x");
    EXPECT_EQ(SageMakerArn({.account = "123456789012", .region = "cn-north-1"}, "model", "M"),
              "arn:aws-cn:sagemaker:cn-north-1:123456789012:model/m");
    EXPECT_EQ(PartitionOf("us-gov-west-1"), "aws-us-gov");
}

TEST(ArnTest, TakesApartWhatItMade) {
    const auto parts = ParseSageMakerArn("arn:aws:sagemaker:eu-west-1:123456789012:model-package/group/3");
    ASSERT_TRUE(parts);
    EXPECT_EQ(parts->scope, (Scope{.account = "123456789012", .region = "eu-west-1"}));
    EXPECT_EQ(parts->kind, "model-package");
    EXPECT_EQ(parts->name, "group/3");
    for (const char* bad : {"", "arn:aws:s3:::b", "arn:aws:sagemaker:r:a:model", "x:aws:sagemaker:r:a:model/m"}) {
        EXPECT_FALSE(ParseSageMakerArn(bad)) << bad;
    }
}

}  // namespace
}  // namespace espalier::meta
