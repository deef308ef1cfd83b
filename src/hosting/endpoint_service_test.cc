#include "hosting/endpoint_service.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

#include "hosting/hosting_fixture.h"
#include "meta/tags.h"

namespace espalier::hosting {
namespace {

TEST_F(EndpointServiceTest, ServesAsSoonAsCreateReturnsAndKeepsItsOwnCopy) {
    CreateConstantModel("m", 4.0F);
    CreateConfig("c", {{.name = "v", .model_name = "m"}});
    ASSERT_EQ(Create("e", "c"), "ok");
    EXPECT_EQ(Status("e"), "InService");
    EXPECT_EQ(Invoke("e"), "4.0");
    DeleteObject("m.tar.gz");
    ASSERT_TRUE(service_->catalog().Delete(meta::ResourceKind::kModel, scope_, "m").has_value());
    ASSERT_TRUE(service_->catalog().Delete(meta::ResourceKind::kEndpointConfig, scope_, "c").has_value());
    EXPECT_EQ(Invoke("e"), "4.0");
    Reopen();
    EXPECT_EQ(Status("e"), "InService");
    EXPECT_EQ(Invoke("e"), "4.0");
    EXPECT_EQ(NumArchives(), 1U);
    EXPECT_EQ(Text(service_->Delete(scope_, "e")), "ok");
    EXPECT_EQ(Invoke("e"), "not in service");
    EXPECT_EQ(Status("e"), "Could not find endpoint \"arn:aws:sagemaker:us-east-1:123456789012:endpoint/e\".");
    EXPECT_EQ(NumArchives(), 0U) << "nobody uses the archive any more";
}

TEST_F(EndpointServiceTest, ModelsThatCannotBeServedAreToldByName) {
    EXPECT_EQ(CreateModel("m", "nowhere"), "Could not find model data at s3://bucket/nowhere.");
    PutArchive("a", "{", "xgboost-model");
    EXPECT_TRUE(CreateModel("m", "a").starts_with(
        "The model archive s3://bucket/a cannot be used: its member \"xgboost-model\" cannot be read as a model: "));
    PutArchive("b", "x", "code/inference.py");
    EXPECT_EQ(CreateModel("m", "b"),
              "The model archive s3://bucket/b cannot be used: there is no model file in it: it should hold "
              "\"xgboost-model\" at its top level, and holds code/inference.py");
    ASSERT_TRUE(objects_->Put(*bucket_, store::ObjectKey::Parse("c").value(), "no archive at all", {}).has_value());
    EXPECT_EQ(CreateModel("m", "c"),
              "The model archive s3://bucket/c cannot be used: the archive is not in gzip format");
    PutArchive("d", ConstantModel(1.0F), "my-own-name.json");
    EXPECT_EQ(CreateModel("m", "d"), "ok");
    EXPECT_EQ(NumArchives(), 0U) << "checking a model keeps no copy";
    EXPECT_EQ(CreateModel("M", "d"),
              "Cannot create already existing model \"arn:aws:sagemaker:us-east-1:123456789012:model/m\".");
}

TEST_F(EndpointServiceTest, AModelThatVanishedFailsTheEndpointWithAReason) {
    CreateConstantModel("m", 4.0F);
    CreateConfig("c", {{.name = "v", .model_name = "m"}});
    DeleteObject("m.tar.gz");
    ASSERT_EQ(Create("e", "c"), "ok");
    EXPECT_EQ(Status("e"), "Failed");
    EXPECT_EQ(service_->Find(scope_, "e")->spec.failure_reason,
              "The container of production variant v could not be started: Could not find model data at "
              "s3://bucket/m.tar.gz.");
    EXPECT_EQ(Invoke("e"), "not in service");
    Reopen();
    EXPECT_EQ(Status("e"), "Failed");
    CreateConstantModel("n", 5.0F);
    CreateConfig("d", {{.name = "v", .model_name = "n"}});
    EXPECT_EQ(Text(service_->Update(scope_, "e", "d", {}, "")), "ok");
    EXPECT_EQ(Invoke("e"), "5.0");
    EXPECT_EQ(Text(service_->Delete(scope_, "e")), "ok");
}

TEST_F(EndpointServiceTest, SplitsReweightsAndTargets) {
    CreateConstantModel("m1", 1.0F);
    CreateConstantModel("m2", 2.0F);
    CreateConfig("c", {{.name = "a", .model_name = "m1", .weight = 3}, {.name = "b", .model_name = "m2", .weight = 1}});
    ASSERT_EQ(Create("e", "c"), "ok");
    auto count = [&](const char* answer) {
        int hits = 0;
        for (int i = 0; i < 1000; ++i) hits += Invoke("e") == answer ? 1 : 0;
        return hits;
    };
    EXPECT_NEAR(count("2.0"), 250, 5);
    EXPECT_EQ(Invoke("e", "a"), "1.0");
    EXPECT_EQ(Invoke("e", "b"), "2.0");
    EXPECT_EQ(Invoke("e", "z"), "no variant");
    std::vector<WeightChange> changes = {{.variant_name = "a", .weight = 0.0, .num_instances = 4}};
    ASSERT_EQ(Text(service_->UpdateWeights(scope_, "e", changes)), "ok");
    EXPECT_EQ(count("2.0"), 1000);
    EXPECT_EQ(Invoke("e", "a"), "1.0") << "weight 0 is still reachable by name";
    EXPECT_EQ(service_->Find(scope_, "e")->spec.production[0].spec.num_instances, 4);
    Reopen();
    EXPECT_EQ(count("2.0"), 1000) << "weights survive a restart";
    changes = {{.variant_name = "b", .weight = 0.0, .num_instances = std::nullopt}};
    ASSERT_EQ(Text(service_->UpdateWeights(scope_, "e", changes)), "ok");
    EXPECT_EQ(Invoke("e"), "no variant");
    changes[0].variant_name = "z";
    EXPECT_EQ(Text(service_->UpdateWeights(scope_, "e", changes)),
              "The variant name(s) \"z\" is not present within endpoint configuration "
              "\"arn:aws:sagemaker:us-east-1:123456789012:endpoint-config/c\".");
}

TEST_F(EndpointServiceTest, UpdateRetainsWhatItIsAskedTo) {
    CreateConstantModel("m1", 1.0F);
    CreateConstantModel("m2", 2.0F);
    CreateConfig("c", {{.name = "a", .model_name = "m1"}});
    CreateConfig("d", {{.name = "a", .model_name = "m2", .weight = 7, .num_instances = 2}});
    ASSERT_EQ(Create("e", "c"), "ok");
    std::vector<WeightChange> changes = {{.variant_name = "a", .weight = 5.0, .num_instances = 3}};
    ASSERT_EQ(Text(service_->UpdateWeights(scope_, "e", changes)), "ok");
    ASSERT_EQ(Text(service_->Update(scope_, "e", "d", {.weights = true, .instance_counts = false}, "")), "ok");
    EXPECT_EQ(Invoke("e"), "2.0");
    EXPECT_EQ(service_->Find(scope_, "e")->spec.production[0].spec.weight, 5.0);
    EXPECT_EQ(service_->Find(scope_, "e")->spec.production[0].spec.num_instances, 2);
    EXPECT_EQ(NumArchives(), 1U);

    PutArchive("m1.tar.gz", "broken");
    const std::string failure = Text(service_->Update(scope_, "e", "c", {}, ""));
    EXPECT_TRUE(
        failure.starts_with("The container of production variant a could not be started: The model archive "
                            "s3://bucket/m1.tar.gz cannot be used"))
        << failure;
    EXPECT_EQ(Status("e"), "InService");
    EXPECT_EQ(Invoke("e"), "2.0") << "a failed update changes nothing";

    ASSERT_TRUE(service_->catalog().Delete(meta::ResourceKind::kEndpointConfig, scope_, "d").has_value());
    EXPECT_EQ(Text(service_->Update(scope_, "e", "c", {}, "")),
              "Could not find endpoint configuration \"arn:aws:sagemaker:us-east-1:123456789012:endpoint-config/d\".");
}

TEST_F(EndpointServiceTest, NoRequestFailsWhileVariantsAreSwapped) {
    CreateConstantModel("m1", 1.0F);
    CreateConstantModel("m2", 2.0F);
    CreateConfig("c1", {{.name = "a", .model_name = "m1"}});
    CreateConfig("c2", {{.name = "b", .model_name = "m2"}});
    ASSERT_EQ(Create("e", "c1"), "ok");
    std::atomic<bool> done{false};
    std::atomic<int> failures{0};
    std::atomic<int> answers{0};
    std::vector<std::jthread> clients;
    for (int i = 0; i < 3; ++i) {
        clients.emplace_back([&] {
            while (!done.load()) {
                const std::string answer = Invoke("e");
                if (answer != "1.0" && answer != "2.0") failures.fetch_add(1);
                answers.fetch_add(1);
            }
        });
    }
    for (int i = 0; i < 20; ++i) {
        ASSERT_EQ(Text(service_->Update(scope_, "e", i % 2 == 0 ? "c2" : "c1", {}, "")), "ok");
        EXPECT_EQ(Invoke("e"), i % 2 == 0 ? "2.0" : "1.0") << "the new variant answers once Update has returned";
    }
    done.store(true);
    clients.clear();
    EXPECT_EQ(failures.load(), 0);
    EXPECT_GT(answers.load(), 100);
}

TEST_F(EndpointServiceTest, ChangesOfOneEndpointTakeTurns) {
    CreateConstantModel("m1", 1.0F);
    CreateConfig("c", {{.name = "a", .model_name = "m1"}});
    std::atomic<int> created{0};
    std::atomic<int> strange{0};
    auto race = [&](const std::function<void()>& change) {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i) threads.emplace_back(change);
    };
    race([&] {
        const std::string text = Create("e", "c");
        if (text == "ok") created.fetch_add(1);
        if (text != "ok" && !text.starts_with("Cannot create already existing endpoint")) strange.fetch_add(1);
    });
    EXPECT_EQ(created.load(), 1);
    std::atomic<int> updated{0};
    race([&] {
        for (int i = 0; i < 5; ++i) {
            const std::string text = Text(service_->Update(scope_, "e", "c", {}, ""));
            if (text == "ok") updated.fetch_add(1);
            if (text != "ok" && text !=
                                    "Cannot update in-progress endpoint "
                                    "\"arn:aws:sagemaker:us-east-1:123456789012:endpoint/e\".")
                strange.fetch_add(1);
        }
    });
    EXPECT_GT(updated.load(), 0);
    EXPECT_EQ(strange.load(), 0);
    EXPECT_EQ(Status("e"), "InService");
    EXPECT_EQ(Invoke("e"), "1.0");
    EXPECT_EQ(NumArchives(), 1U);
}

TEST_F(EndpointServiceTest, ShadowsGetTheirShareAndAreCounted) {
    CreateConstantModel("m1", 1.0F);
    CreateConstantModel("m2", 2.0F);
    CreateConfig("c", {{.name = "a", .model_name = "m1", .weight = 2}},
                 {{.name = "s", .model_name = "m2", .weight = 1}});
    ASSERT_EQ(Create("e", "c"), "ok");
    for (int i = 0; i < 200; ++i) EXPECT_EQ(Invoke("e"), "1.0");
    auto total = [&](const char* variant) {
        service_->BookTraffic();
        const monitor::Periods periods = metrics_
                                             ->Read({.metric = {scope_,
                                                                "AWS/SageMaker",
                                                                "Invocations",
                                                                {{"EndpointName", "e"}, {"VariantName", variant}}},
                                                     .from = 0,
                                                     .to = clock_.WallMillis() + 60'000,
                                                     .period_ms = 86'400'000})
                                             .value();
        double sum = 0;
        for (const auto& [begin, values] : periods.by_begin) sum += values.summary().sum;
        return sum;
    };
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (total("s") < 90 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    EXPECT_NEAR(total("s"), 100, 10);
    EXPECT_EQ(total("a"), 200);
    EXPECT_EQ(total("z"), 0);
    Reopen();
    EXPECT_EQ(total("a"), 200) << "metrics survive a restart";
}

TEST_F(EndpointServiceTest, CapturedRequestsCanBeReadBackAfterDelete) {
    CreateConstantModel("m", 1.0F);
    CaptureSpec capture{.enabled = true,
                        .sampling_percent = 50,
                        .destination_uri = "s3://bucket/captured/",
                        .input = true,
                        .output = true,
                        .csv_content_types = {"text/csv"},
                        .json_content_types = {}};
    CreateConfig("c", {{.name = "v", .model_name = "m"}}, {}, capture);
    ASSERT_EQ(Create("E-1", "c"), "ok");
    for (int i = 0; i < 100; ++i) EXPECT_EQ(Invoke("E-1"), "1.0");
    ASSERT_EQ(Text(service_->Delete(scope_, "E-1")), "ok");
    store::ListRequest request;
    request.prefix = "captured/E-1/v/";
    store::Listing listing = objects_->List(*bucket_, request).value();
    std::size_t lines = 0;
    for (const store::ObjectInfo& object : listing.objects) {
        std::string text = objects_->ReadAll(*bucket_, store::ObjectKey::Parse(object.key).value(), 1 << 20).value();
        for (std::size_t begin = 0; begin < text.size(); begin = text.find('\n', begin) + 1) {
            nlohmann::json line = nlohmann::json::parse(text.substr(begin, text.find('\n', begin) - begin));
            EXPECT_EQ(line["captureData"]["endpointInput"]["data"], "1,2,3");
            EXPECT_EQ(line["captureData"]["endpointOutput"]["data"], "1.0");
            ++lines;
        }
    }
    EXPECT_NEAR(static_cast<double>(lines), 50, 3);
    EXPECT_EQ(service_->capture().num_dropped(), 0U);
}

TEST_F(EndpointServiceTest, ACaptureDestinationMustBeThere) {
    CreateConstantModel("m", 1.0F);
    CaptureSpec capture{.enabled = true,
                        .sampling_percent = 50,
                        .destination_uri = "s3://no-such-bucket/x",
                        .input = true,
                        .output = false,
                        .csv_content_types = {},
                        .json_content_types = {}};
    EndpointConfigSpec spec{
        .production = {{.name = "v", .model_name = "m"}}, .shadow = {}, .capture = capture, .echo = "{}"};
    EXPECT_EQ(Text(service_->catalog().CreateEndpointConfig(scope_, "c", spec, {})),
              "The data capture destination s3://no-such-bucket/x names a bucket that does not exist: no-such-bucket.");
}

TEST_F(EndpointServiceTest, WhatACrashLeftHalfDoneIsTakenUpAgain) {
    CreateConstantModel("m", 4.0F);
    CreateConfig("c", {{.name = "v", .model_name = "m"}});
    ASSERT_EQ(Create("e", "c"), "ok");
    ASSERT_EQ(Create("f", "c"), "ok");
    meta::Resources rows(*database_, meta::ResourceKind::kEndpoint);
    // As after a crash between the row "Creating" and the loaded model: no archive id yet.
    EndpointService::Endpoint half = service_->Find(scope_, "e").value();
    half.spec.production[0].archive_id = "";
    half.record.status = "Creating";
    half.record.document = ToDocument(half.spec);
    ASSERT_TRUE(rows.Update(half.record).has_value());
    EndpointService::Endpoint updating = service_->Find(scope_, "f").value();
    updating.record.status = "Updating";
    ASSERT_TRUE(rows.Update(updating.record).has_value());
    Reopen();
    EXPECT_EQ(Status("e"), "InService");
    EXPECT_EQ(Status("f"), "InService");
    EXPECT_EQ(Invoke("e") + Invoke("f"), "4.04.0");
}

TEST_F(EndpointServiceTest, ADamagedArchiveIsNoticedAtStart) {
    CreateConstantModel("m", 4.0F);
    CreateConfig("c", {{.name = "v", .model_name = "m"}});
    ASSERT_EQ(Create("e", "c"), "ok");
    for (const auto& file : std::filesystem::directory_iterator(folder_ + "/hosting/archives")) {
        // Not in place: the file is a hard link of the object's blob.
        std::filesystem::remove(file.path());
        std::ofstream(file.path()) << "rot";
    }
    Reopen();
    EXPECT_EQ(Status("e"), "Failed");
    EXPECT_NE(service_->Find(scope_, "e")->spec.failure_reason.find("damaged"), std::string::npos);
}

TEST_F(EndpointServiceTest, TextsForWhatIsNotThere) {
    const std::string arn = "arn:aws:sagemaker:us-east-1:123456789012:";
    EXPECT_EQ(Create("e", "c"), "Could not find endpoint configuration \"" + arn + "endpoint-config/c\".");
    EXPECT_EQ(Text(service_->Delete(scope_, "e")), "Could not find endpoint \"" + arn + "endpoint/e\".");
    EXPECT_EQ(Text(service_->Update(scope_, "e", "c", {}, "")), "Could not find endpoint \"" + arn + "endpoint/e\".");
    CreateConstantModel("m", 4.0F);
    CreateConfig("c", {{.name = "v", .model_name = "m"}});
    ASSERT_TRUE(service_->catalog().Delete(meta::ResourceKind::kModel, scope_, "m").has_value());
    EXPECT_EQ(Create("e", "c"), "Could not find model \"" + arn + "model/m\".");
    EXPECT_EQ(Status("e"), "Could not find endpoint \"" + arn + "endpoint/e\".");
    CreateConstantModel("m", 4.0F);
    ASSERT_EQ(Create("e", "c"), "ok");
    EXPECT_EQ(Create("E", "c"), "Cannot create already existing endpoint \"" + arn + "endpoint/e\".");
}

}  // namespace
}  // namespace espalier::hosting
