#include "hosting/model_cache.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <latch>
#include <thread>
#include <vector>

#include "hosting/endpoint_metrics.h"
#include "hosting/hosting_fixture.h"

namespace espalier::hosting {
namespace {

class ModelCacheTest : public EndpointServiceTest {
  protected:
    void SetUp() override {
        EndpointServiceTest::SetUp();
        shelf_ = ArchiveShelf::Open({.folder = folder_ + "/shelf", .objects = objects_.get(), .fs = &fs_}).value();
        PutArchive("m/sample", ConstantModel(0));
        model_bytes_ = shelf_->LoadUnshelved({"bucket", "m/sample"})->model->memory_bytes;
    }
    void TearDown() override {
        cache_.reset();
        shelf_.reset();
        EndpointServiceTest::TearDown();
    }
    std::shared_ptr<ModelSet> Open(std::uint64_t bytes_max, std::size_t waiting_max = 1000, bool keeps_models = true) {
        cache_ = std::make_unique<ModelCache>(ModelCache::Options{
            .shelf = shelf_.get(), .bytes_max = bytes_max, .num_loaders = 2, .waiting_max = waiting_max});
        return NewSet("m/", keeps_models);
    }
    std::shared_ptr<ModelSet> NewSet(const std::string& prefix, bool keeps_models = true) {
        return cache_->NewSet({.prefix = {"bucket", prefix},
                               .settings = ServeSettings("xgboost:1", {}, true).value(),
                               .keeps_models = keeps_models});
    }
    /// What the model of that name says of a row, or the error.
    std::string Ask(const std::shared_ptr<ModelSet>& set, const std::string& name) {
        const Result<Target> target = cache_->Await(set, name);
        return target ? Infer(**target, "text/csv", "", "1,2,3").body : target.error().ToString();
    }
    std::uint64_t Loads(ModelSet& set) {
        return static_cast<std::uint64_t>(cache_->Take(set).loading_us.summary().count);
    }

    std::unique_ptr<ArchiveShelf> shelf_;
    std::unique_ptr<ModelCache> cache_;
    std::uint64_t model_bytes_ = 0;
};

TEST_F(ModelCacheTest, LoadsAtTheFirstRequestAndServesWhatWasLoaded) {
    const auto set = Open(10 * model_bytes_);
    PutArchive("m/a.tar.gz", ConstantModel(1));
    EXPECT_EQ(cache_->Find(*set, "a.tar.gz"), nullptr);
    EXPECT_EQ(Ask(set, "a.tar.gz"), "1.0");
    PutArchive("m/a.tar.gz", ConstantModel(2));
    EXPECT_EQ(Ask(set, "a.tar.gz"), "1.0") << "an overwritten archive is read when the model is loaded again";
    DeleteObject("m/a.tar.gz");
    EXPECT_EQ(Ask(set, "a.tar.gz"), "1.0") << "so does a deleted one stay";
    PutArchive("m/new/b.tar.gz", ConstantModel(3));
    EXPECT_EQ(Ask(set, "new/b.tar.gz"), "3.0") << "no update is needed";
    const ModelSetTaken taken = cache_->Take(*set);
    EXPECT_EQ(taken.hits, 2U);
    EXPECT_EQ(taken.misses, 2U);
    EXPECT_EQ(taken.num_loaded, 2U);
    EXPECT_EQ(taken.downloading_us.summary().count, 2);
}

TEST_F(ModelCacheTest, FailuresAreToldAndTriedAgain) {
    const auto set = Open(10 * model_bytes_);
    EXPECT_EQ(Ask(set, "a"), "Could not find model data at s3://bucket/m/a.");
    EXPECT_EQ(Ask(set, std::string(2000, 'x')),
              "Could not find model data at s3://bucket/m/" + std::string(2000, 'x') + ".");
    PutArchive("m/a", "{");
    EXPECT_TRUE(Ask(set, "a").starts_with("The model archive s3://bucket/m/a cannot be used: its member"));
    PutArchive("m/a", ConstantModel(1));
    EXPECT_EQ(Ask(set, "a"), "1.0");
}

TEST_F(ModelCacheTest, AModelThatIsLargerThanAllMemoryIsRefused) {
    const auto set = Open(model_bytes_ - 1);
    PutArchive("m/a", ConstantModel(1));
    EXPECT_TRUE(Ask(set, "a").starts_with("the model takes ")) << Ask(set, "a");
    EXPECT_EQ(cache_->loaded_bytes(), 0U);
}

TEST_F(ModelCacheTest, TheLeastRecentlyUsedLeaveAcrossSets) {
    const auto set = Open(2 * model_bytes_);
    for (int i = 0; i < 3; ++i) PutArchive("m/" + std::to_string(i), ConstantModel(static_cast<float>(i)));
    PutArchive("n/0", ConstantModel(7));
    auto other = NewSet("n");
    EXPECT_EQ(Ask(set, "0"), "0.0");
    EXPECT_EQ(Ask(set, "1"), "1.0");
    EXPECT_EQ(Ask(set, "0"), "0.0");
    EXPECT_EQ(Ask(set, "2"), "2.0");
    EXPECT_NE(cache_->Find(*set, "0"), nullptr);
    EXPECT_EQ(cache_->Find(*set, "1"), nullptr) << "it was used last";
    EXPECT_EQ(Ask(other, "0"), "7.0");
    EXPECT_EQ(cache_->Find(*set, "2"), nullptr) << "all sets share the memory";
    EXPECT_EQ(cache_->loaded_bytes(), 2 * model_bytes_);
    EXPECT_EQ(cache_->Take(*set).unloading_us.summary().count, 2);
    other.reset();
    // The loader that answered last may hold the set a moment longer.
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (cache_->loaded_bytes() != model_bytes_ && std::chrono::steady_clock::now() < deadline)
        std::this_thread::yield();
    EXPECT_EQ(cache_->loaded_bytes(), model_bytes_) << "a set takes its models with it";
}

TEST_F(ModelCacheTest, AModelInUseOutlivesItsUnloading) {
    const auto set = Open(model_bytes_);
    PutArchive("m/a", ConstantModel(1));
    PutArchive("m/b", ConstantModel(2));
    const Target held = cache_->Await(set, "a").value();
    EXPECT_EQ(Ask(set, "b"), "2.0");
    EXPECT_EQ(cache_->Find(*set, "a"), nullptr);
    EXPECT_EQ(Infer(*held, "text/csv", "", "1,2,3").body, "1.0");
}

TEST_F(ModelCacheTest, WithoutCachingNothingStays) {
    const auto set = Open(10 * model_bytes_, 1000, /*keeps_models=*/false);
    PutArchive("m/a", ConstantModel(1));
    EXPECT_EQ(Ask(set, "a"), "1.0");
    PutArchive("m/a", ConstantModel(2));
    EXPECT_EQ(Ask(set, "a"), "2.0");
    EXPECT_EQ(cache_->loaded_bytes(), 0U);
    EXPECT_EQ(Loads(*set), 2U);
}

TEST_F(ModelCacheTest, ManyWhoWantOneModelWaitForOneLoadAndOthersDoNot) {
    const auto set = Open(10 * model_bytes_, 6);
    PutArchive("m/a", ConstantModel(1));
    PutArchive("m/warm", ConstantModel(9));
    EXPECT_EQ(Ask(set, "warm"), "9.0");
    EXPECT_EQ(Loads(*set), 1U);
    // Both loaders are held up by a waiter of theirs, as by slow loads.
    std::latch held(2);
    std::promise<void> go_on;
    const std::shared_future<void> may_go_on = go_on.get_future().share();
    for (const char* name : {"no1", "no2"}) {
        ASSERT_TRUE(cache_->Load(set, name, [&held, may_go_on](const Result<Target>&) {
            held.count_down();
            may_go_on.wait();
        }));
    }
    held.wait();
    std::atomic<int> answered = 0;
    std::latch all(6);
    const auto wait_for_a = [&] {
        return cache_->Load(set, "a", [&](const Result<Target>& model) {
            answered += model.has_value() ? 1 : 0;
            all.count_down();
        });
    };
    for (int i = 0; i < 6; ++i) EXPECT_TRUE(wait_for_a());
    EXPECT_FALSE(wait_for_a()) << "six may wait";
    EXPECT_EQ(answered, 0);
    EXPECT_EQ(Ask(set, "warm"), "9.0") << "a loaded model is not behind the slow ones";
    go_on.set_value();
    all.wait();
    EXPECT_EQ(answered, 6);
    EXPECT_EQ(Loads(*set), 1U) << "one load for six requests";
    bool at_once = false;
    EXPECT_TRUE(cache_->Load(set, "a", [&](const Result<Target>& model) { at_once = model.has_value(); }));
    EXPECT_TRUE(at_once) << "it is there";
}

TEST_F(ModelCacheTest, AThousandModelsThroughALittleMemory) {
    const auto set = Open(20 * model_bytes_);
    constexpr int kModels = 1000;
    for (int i = 0; i < kModels; ++i) PutArchive("m/" + std::to_string(i), ConstantModel(static_cast<float>(i)));
    std::atomic<int> right = 0;
    std::vector<std::jthread> clients;
    for (int client = 0; client < 8; ++client) {
        clients.emplace_back([&, client] {
            for (int i = 0; i < kModels; ++i) {
                const int which = (i * 7 + client * 125) % kModels;
                right += Ask(set, std::to_string(which)) == std::to_string(which) + ".0" ? 1 : 0;
                if (cache_->loaded_bytes() > 20 * model_bytes_) right -= kModels;
            }
        });
    }
    clients.clear();
    EXPECT_EQ(right, 8 * kModels);
}

class MultiModelEndpointTest : public EndpointServiceTest {
  protected:
    std::string CreateMultiModel(const std::string& name, const std::string& prefix) {
        ModelSpec spec{.image = "xgboost:1",
                       .model_data_url = "s3://bucket/" + prefix,
                       .environment = {},
                       .multi_model = MultiModelSpec(),
                       .echo = "{}"};
        return Text(service_->catalog().CreateModel(scope_, name, spec, {}));
    }
    std::string InvokeTarget(const std::string& endpoint, const std::string& target, std::string_view variant = "") {
        PickedVariant picked = Invoker::Pick(service_->FindLive(scope_.account, scope_.region, endpoint), variant);
        Result<Target> model = service_->models().Await(picked.variant->models, target);
        if (!model) return model.error().ToString();
        picked.target = *model;
        return service_
            ->Invoke(
                picked,
                {.content_type = "text/csv", .accept = "", .inference_id = "", .body = "1,2,3", .target_model = target})
            .reply.body;
    }
};

TEST_F(MultiModelEndpointTest, ModelsStayThroughReweightingAndGoWithADeployment) {
    EXPECT_EQ(CreateMultiModel("m", "p/"), "Could not find model data at s3://bucket/p/.");
    PutArchive("p/a", ConstantModel(1));
    ASSERT_EQ(CreateMultiModel("m", "p/"), "ok");
    CreateConfig("c", {{.name = "v", .model_name = "m"}, {.name = "w", .model_name = "m"}});
    ASSERT_EQ(Create("e", "c"), "ok");
    EXPECT_EQ(InvokeTarget("e", "a", "v"), "1.0");
    PutArchive("p/a", ConstantModel(2));
    const std::vector<WeightChange> changes = {{.variant_name = "v", .weight = 3.0, .num_instances = std::nullopt}};
    ASSERT_EQ(Text(service_->UpdateWeights(scope_, "e", changes)), "ok");
    EXPECT_EQ(InvokeTarget("e", "a", "v"), "1.0") << "re-weighting starts no instances";
    EXPECT_EQ(InvokeTarget("e", "a", "w"), "2.0") << "variants hold models of their own";
    clock_.Advance(std::chrono::milliseconds(1));
    ASSERT_EQ(Text(service_->Update(scope_, "e", "c", {}, "")), "ok");
    EXPECT_EQ(InvokeTarget("e", "a", "v"), "2.0") << "new instances hold nothing yet";
    DeleteObject("p/a");
    Reopen();
    EXPECT_EQ(Status("e"), "InService") << "the prefix may be empty by now";
    EXPECT_EQ(InvokeTarget("e", "a", "v"), "Could not find model data at s3://bucket/p/a.");
    EXPECT_EQ(NumArchives(), 0U);
}

TEST_F(MultiModelEndpointTest, AnEndpointHasOneModeAndItsModelsAreCounted) {
    PutArchive("p/a", ConstantModel(1));
    ASSERT_EQ(CreateMultiModel("m", "p"), "ok");
    CreateConstantModel("single", 4);
    EndpointConfigSpec mixed{.production = {{.name = "v", .model_name = "m"}},
                             .shadow = {{.name = "s", .model_name = "single"}},
                             .capture = std::nullopt,
                             .echo = "{}"};
    EXPECT_EQ(Text(service_->catalog().CreateEndpointConfig(scope_, "c", mixed, {})),
              "The model of variant v is MultiModel and that of variant s is not: the models of an endpoint must have "
              "the same Mode, since every request names a target model or none does.");
    CreateConfig("c", {{.name = "v", .model_name = "m"}}, {{.name = "s", .model_name = "m"}});
    ASSERT_EQ(Create("e", "c"), "ok");
    EXPECT_EQ(InvokeTarget("e", "a"), "1.0");
    EXPECT_EQ(InvokeTarget("e", "a"), "1.0");
    service_->BookTraffic();
    const auto statistic = [&](const char* space, const char* name, const char* wanted) {
        monitor::MetricName metric = EndpointMetric({scope_, "e", "v"}, name);
        metric.name_space = space;
        const auto found = metrics_->Read(
            {.metric = metric, .from = clock_.WallMillis() - 60'000, .to = clock_.WallMillis() + 60'000});
        if (!found || found->by_begin.size() != 1) return -1.0;
        return monitor::Statistic::Parse(wanted)->Of(found->by_begin.begin()->second).value_or(-1);
    };
    EXPECT_EQ(statistic("AWS/SageMaker", "ModelCacheHit", "Average"), 0.5);
    EXPECT_EQ(statistic("AWS/SageMaker", "ModelLoadingWaitTime", "SampleCount"), 1);
    EXPECT_EQ(statistic("/aws/sagemaker/Endpoints", "LoadedModelCount", "Maximum"), 1);
}

TEST_F(ModelCacheTest, NobodyWaitsForALoadWithoutEnd) {
    const auto set = Open(10 * model_bytes_);
    for (const char* name : {"a", "b", "slow"}) PutArchive(std::string("m/") + name, ConstantModel(1));
    std::promise<void> go;
    std::shared_future<void> gone = go.get_future().share();
    std::latch busy(2);
    for (const char* name : {"a", "b"}) {
        ASSERT_TRUE(cache_->Load(set, name, [&busy, gone](const Result<Target>&) {
            busy.count_down();
            gone.wait();
        }));
    }
    busy.wait();
    std::vector<std::string> told;
    ASSERT_TRUE(cache_->Load(set, "slow", [&told](const Result<Target>& model) {
        told.push_back(model ? "ready" : model.error().ToString());
    }));
    const auto now = std::chrono::steady_clock::now();
    cache_->GiveUpWaiting(now + std::chrono::seconds(50));
    EXPECT_TRUE(told.empty()) << "a minute is not over";
    cache_->GiveUpWaiting(now + std::chrono::seconds(70));
    EXPECT_EQ(told, (std::vector<std::string>{"it is still being loaded"}));
    go.set_value();
    EXPECT_EQ(Ask(set, "slow"), "1.0") << "the load went on";
    EXPECT_EQ(told.size(), 1U) << "told once";
    EXPECT_EQ(Loads(*set), 3U);
}

}  // namespace
}  // namespace espalier::hosting
