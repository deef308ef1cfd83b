#include "data/content_type.h"

#include <gtest/gtest.h>

namespace espalier::data {
namespace {

TEST(ContentTypeTest, KnowsTheChannelNames) {
    for (const char* type : {"", "libsvm", "text/libsvm", "TEXT/LibSVM"}) {
        EXPECT_EQ(*ParseChannelContentType(type, ContentTypeRules::kLegacy), InputFormat::kLibsvm) << type;
        EXPECT_EQ(*ParseChannelContentType(type, ContentTypeRules::kModern), InputFormat::kLibsvm) << type;
    }
    for (const char* type : {"csv", "text/csv", "Text/CSV; label_size=1", "text/csv;charset=utf-8"}) {
        EXPECT_EQ(*ParseChannelContentType(type, ContentTypeRules::kLegacy), InputFormat::kCsv) << type;
        EXPECT_EQ(*ParseChannelContentType(type, ContentTypeRules::kModern), InputFormat::kCsv) << type;
    }
    EXPECT_EQ(*ParseChannelContentType("text/x-libsvm", ContentTypeRules::kModern), InputFormat::kLibsvm);
}

TEST(ContentTypeTest, RefusesWithTheImagesTexts) {
    EXPECT_EQ(ParseChannelContentType("text/x-libsvm", ContentTypeRules::kLegacy).error().message(),
              "ContentType should be one of these options: 'text/libsvm', 'text/csv'. It is 'text/x-libsvm'.");
    EXPECT_EQ(ParseChannelContentType("application/json", ContentTypeRules::kModern).error().message(),
              "application/json is not an accepted ContentType: csv, libsvm, parquet, recordio-protobuf, text/csv, "
              "text/libsvm, text/x-libsvm, application/x-parquet, application/x-recordio-protobuf.");
    EXPECT_EQ(
        ParseChannelContentType("text/csv; label_size=2", ContentTypeRules::kModern).error().message(),
        "text/csv; label_size=2 is not an accepted csv ContentType. Optional parameter label_size must be equal to 1");
    EXPECT_EQ(*ParseChannelContentType("Parquet", ContentTypeRules::kModern), InputFormat::kParquet);
    EXPECT_EQ(*ParseChannelContentType("application/x-recordio-protobuf", ContentTypeRules::kModern),
              InputFormat::kRecordIo);
    EXPECT_FALSE(ParseChannelContentType("parquet", ContentTypeRules::kLegacy));
}

TEST(ContentTypeTest, KnowsTheRequestNames) {
    EXPECT_EQ(*ParseRequestContentType("text/x-libsvm"), InputFormat::kLibsvm);
    EXPECT_EQ(*ParseRequestContentType(""), InputFormat::kLibsvm);
    EXPECT_EQ(*ParseRequestContentType("text/csv; charset=utf-8; label_size=1"), InputFormat::kCsv);
    EXPECT_EQ(ParseRequestContentType("application/x-parquet").error().message(),
              "Content-type application/x-parquet is not supported.");
    EXPECT_FALSE(ParseRequestContentType("application/json"));
}

}  // namespace
}  // namespace espalier::data
