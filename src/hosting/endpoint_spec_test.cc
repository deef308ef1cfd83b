#include "hosting/endpoint_spec.h"

#include <gtest/gtest.h>

namespace espalier::hosting {
namespace {

TEST(EndpointSpec, DocumentsReadBackAsTheyWere) {
    EndpointSpec spec{.config_name = "c",
                      .production = {{.spec = {.name = "v", .model_name = "m", .weight = 0.25, .num_instances = 3},
                                      .image = "xgboost:1",
                                      .model_data_url = "s3://b/ü",
                                      .environment = {{"A", "1"}},
                                      .archive_id = "ab12",
                                      .resolved_at = 42}},
                      .shadow = {},
                      .capture = CaptureSpec{.enabled = false,
                                             .sampling_percent = 7,
                                             .destination_uri = "s3://b/c",
                                             .input = true,
                                             .output = false,
                                             .csv_content_types = {"text/csv"},
                                             .json_content_types = {}},
                      .failure_reason = "why",
                      .deployment_echo = "{}"};
    EndpointSpec again = ParseEndpointSpec(ToDocument(spec)).value();
    EXPECT_EQ(ToDocument(again), ToDocument(spec));
    EXPECT_EQ(again.production[0].spec.weight, 0.25);
    EXPECT_EQ(again.production[0].environment.at("A"), "1");
    EXPECT_EQ(again.capture->sampling_percent, 7);

    EndpointConfigSpec config{
        .production = {spec.production[0].spec}, .shadow = {}, .capture = std::nullopt, .echo = R"({"x": 1})"};
    EXPECT_EQ(ToDocument(ParseEndpointConfigSpec(ToDocument(config)).value()), ToDocument(config));
    ModelSpec model{.image = "i", .model_data_url = "u", .environment = {{"k", "v"}}, .echo = "{}"};
    EXPECT_EQ(ToDocument(ParseModelSpec(ToDocument(model)).value()), ToDocument(model));
}

TEST(EndpointSpec, DamagedDocumentsAreErrors) {
    const std::string good = ToDocument(ModelSpec{.image = "i", .model_data_url = "u", .environment = {}, .echo = ""});
    for (std::size_t size = 0; size < good.size(); ++size)
        EXPECT_EQ(ParseModelSpec(good.substr(0, size)).error().code(), ErrorCode::kCorruptData) << size;
    EXPECT_FALSE(ParseModelSpec(R"({"version": 2})").has_value());
    EXPECT_FALSE(ParseEndpointSpec("[]").has_value());
    EXPECT_FALSE(ParseEndpointConfigSpec(R"({"version": "1"})").has_value());
}

TEST(EndpointSpec, AFailureReasonMayQuoteAnyBytes) {
    EndpointSpec spec;
    spec.failure_reason = "member \"\xff\xfe\"";
    EXPECT_TRUE(ParseEndpointSpec(ToDocument(spec)).has_value());
}

}  // namespace
}  // namespace espalier::hosting
