#include "store/s3_location.h"

#include <gtest/gtest.h>

namespace espalier::store {
namespace {

std::string Parsed(std::string_view uri) {
    Result<S3Location> location = ParseS3Location(uri);
    return location ? location->bucket + " " + location->key : location.error().message();
}

TEST(S3Location, ReadsEverySpelling) {
    for (const char* uri :
         {"s3://b-1/p/k x", "https://s3-us-east-1.amazonaws.com/b-1/p/k%20x",
          "https://s3.eu-west-1.amazonaws.com/b-1/p/k x", "https://s3.amazonaws.com/b-1/p/k%20x",
          "https://b-1.s3.amazonaws.com/p/k%20x", "https://b-1.s3-us-west-2.amazonaws.com/p/k%20x",
          "https://b-1.s3.us-west-2.amazonaws.com/p/k%20x", "https://b-1.s3.cn-north-1.amazonaws.com.cn/p/k%20x",
          "https://localhost:8642/b-1/p/k%20x", "http://127.0.0.1:8642/b-1/p/k%20x"})
        EXPECT_EQ(Parsed(uri), "b-1 p/k x") << uri;
}

TEST(S3Location, KeepsDotsInBucketsAndPercentInS3Keys) {
    EXPECT_EQ(Parsed("https://my.s3.logs.s3.us-east-1.amazonaws.com/k"), "my.s3.logs k");
    EXPECT_EQ(Parsed("s3://b/k%20x"), "b k%20x");
    EXPECT_EQ(Parsed("s3://b"), "b ");
    EXPECT_EQ(Parsed("s3://b/"), "b ");
    EXPECT_EQ(Parsed("s3://b//k"), "b /k");
}

TEST(S3Location, RefusesWhatPointsNowhere) {
    for (const char* uri :
         {"", "b/k", "ftp://b/k", "s3://", "s3:///k", "https://s3.amazonaws.com", "https:///b/k",
          "https://s3.amazonaws.com/", "https://b.s3.amazonaws.com/%zz", "https://ec2.amazonaws.com/b/k"})
        EXPECT_EQ(Parsed(uri), std::string(uri) + " is not an S3 location") << uri;
}

TEST(S3Location, JoinsWithOneSlash) {
    EXPECT_EQ((S3Location{"b", "p/"}.Join("x").ToUri()), "s3://b/p/x");
    EXPECT_EQ((S3Location{"b", "p"}.Join("x").ToUri()), "s3://b/p/x");
    EXPECT_EQ((S3Location{"b", ""}.Join("x").ToUri()), "s3://b/x");
}

}  // namespace
}  // namespace espalier::store
