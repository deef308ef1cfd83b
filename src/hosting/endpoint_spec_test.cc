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

TEST(EndpointSpec, ServerlessAndMultiModelVariantsComeBack) {
    EndpointConfigSpec config{.production = {{.name = "v",
                                              .model_name = "m",
                                              .weight = 1,
                                              .num_instances = 0,
                                              .serverless = ServerlessSpec{2048, 7, 3}}},
                              .shadow = {},
                              .capture = std::nullopt,
                              .echo = "{}"};
    const EndpointConfigSpec back = ParseEndpointConfigSpec(ToDocument(config)).value();
    ASSERT_TRUE(back.production[0].serverless.has_value());
    EXPECT_EQ(back.production[0].serverless->memory_mb, 2048);
    EXPECT_EQ(back.production[0].serverless->max_concurrency, 7);
    EXPECT_EQ(back.production[0].serverless->provisioned_concurrency, 3);
    ModelSpec model{.image = "xgboost:1", .model_data_url = "s3://b/p/", .environment = {}};
    EXPECT_FALSE(ParseModelSpec(ToDocument(model))->multi_model.has_value());
    model.multi_model = MultiModelSpec{.keeps_models = false};
    EXPECT_FALSE(ParseModelSpec(ToDocument(model))->multi_model->keeps_models);
}

TEST(EndpointSpec, ServerlessLimits) {
    const auto problem = [](int memory_mb, int max_concurrency, int provisioned) {
        const Result<void> checked = CheckServerless({memory_mb, max_concurrency, provisioned});
        return checked ? std::string() : checked.error().ToString();
    };
    EXPECT_EQ(problem(1024, 1, 0), "");
    EXPECT_EQ(problem(6144, 200, 200), "");
    for (int memory_mb : {0, 1000, 1025, 1536, 7168})
        EXPECT_TRUE(problem(memory_mb, 1, 0).starts_with("MemorySizeInMB must be one of 1024")) << memory_mb;
    EXPECT_EQ(problem(1024, 2, 3),
              "ProvisionedConcurrency must be less than or equal to MaxConcurrency: 3 is more than 2.");
    VariantSpec variant{.name = "v", .model_name = "m"};
    constexpr std::uint64_t kGb = 1 << 30;
    EXPECT_TRUE(CheckMemory(variant, 100 * kGb).has_value()) << "instances have what the machine has";
    variant.serverless = ServerlessSpec{1024, 1, 0};
    EXPECT_TRUE(CheckMemory(variant, kGb).has_value());
    EXPECT_EQ(CheckMemory(variant, kGb + 1).error().ToString(),
              "The model of variant v takes 1025 MB of memory, more than MemorySizeInMB 1024 of its ServerlessConfig. "
              "Give it more memory, or instances.");
}

}  // namespace
}  // namespace espalier::hosting
