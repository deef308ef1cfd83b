// An EndpointService over a store, a database and a clock of its own, for tests. Not thread-safe.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/archive.h"
#include "hosting/endpoint_service.h"
#include "model/model_file.h"

namespace espalier::hosting {

/// A model that predicts `leaf` for every row: one tree that is one leaf, over three features.
inline std::string ConstantModel(float leaf) {
    model::TreeEnsemble ensemble;
    ensemble.num_feature = 3;
    ensemble.base_score = {0.0F};
    model::Tree tree;
    tree.left_children = {-1};
    tree.right_children = {-1};
    tree.parents = {2147483647};
    tree.split_indices = {0};
    tree.split_conditions = {leaf};
    tree.default_left = {0};
    tree.base_weights = {leaf};
    tree.loss_changes = {0};
    tree.sum_hessian = {1};
    ensemble.trees = {tree};
    ensemble.tree_info = {0};
    ensemble.iteration_indptr = {0, 1};
    return model::WriteModel(ensemble, model::ModelFormat::kJson);
}

/// Stands still until it is told.
class TestClock final : public Clock {
  public:
    UnixMillis WallMillis() const override { return now_.load(); }
    std::chrono::steady_clock::time_point Now() const override {
        return std::chrono::steady_clock::time_point(std::chrono::milliseconds(now_.load()));
    }
    void Advance(std::chrono::milliseconds time) { now_ += time.count(); }

  private:
    std::atomic<UnixMillis> now_{1'764'000'000'000};
};

class EndpointServiceTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = (std::filesystem::temp_directory_path() / "hosting_test_XXXXXX").string();
        folder_ = ::mkdtemp(pattern.data());
        Reopen();
        bucket_ = store::BucketName::Parse("bucket").value();
        ASSERT_TRUE(objects_->CreateBucket(*bucket_, "us-east-1").has_value());
    }
    void TearDown() override {
        service_.reset();
        alarms_.reset();
        metrics_.reset();
        objects_.reset();
        database_.reset();
        std::filesystem::remove_all(folder_);
    }
    void Reopen() {
        service_.reset();
        alarms_.reset();
        metrics_.reset();
        objects_.reset();
        database_.reset();
        database_ = meta::Database::Open(folder_ + "/meta.db").value();
        objects_ = store::ObjectStore::Open(
                       {.folder = folder_ + "/objects", .database = database_.get(), .clock = &clock_, .fs = &fs_})
                       .value();
        metrics_ = std::make_unique<monitor::Metrics>(*database_);
        alarms_ = std::make_unique<monitor::AlarmService>(
            monitor::AlarmService::Options{.database = database_.get(),
                                           .metrics = metrics_.get(),
                                           .clock = &clock_,
                                           .tick = std::chrono::milliseconds(0)});
        service_ = EndpointService::Open({.database = database_.get(),
                                          .objects = objects_.get(),
                                          .clock = &clock_,
                                          .fs = &fs_,
                                          .metrics = metrics_.get(),
                                          .alarms = alarms_.get(),
                                          .concurrency = {},
                                          .folder = folder_ + "/hosting",
                                          .tick = std::chrono::milliseconds(0)})
                       .value();
    }

    /// A model.tar.gz with one member at bucket/key.
    void PutArchive(const std::string& key, const std::string& content, const std::string& member = "xgboost-model") {
        const std::string file = folder_ + "/member";
        const std::string archive = folder_ + "/model.tar.gz";
        std::ofstream(file, std::ios::binary | std::ios::trunc) << content;
        std::vector<ArchiveSource> sources = {{member, file}};
        ASSERT_TRUE(WriteTarGz(archive, sources, 0).has_value());
        ASSERT_TRUE(objects_->PutFile(*bucket_, store::ObjectKey::Parse(key).value(), archive, {}).has_value());
    }
    std::string CreateModel(const std::string& name, const std::string& key) {
        ModelSpec spec{.image = "xgboost:1", .model_data_url = "s3://bucket/" + key, .environment = {}, .echo = "{}"};
        return Text(service_->catalog().CreateModel(scope_, name, spec, {}));
    }
    void CreateConstantModel(const std::string& name, float leaf) {
        PutArchive(name + ".tar.gz", ConstantModel(leaf));
        ASSERT_EQ(CreateModel(name, name + ".tar.gz"), "ok");
    }
    void CreateConfig(const std::string& name, std::vector<VariantSpec> production,
                      std::vector<VariantSpec> shadow = {}, std::optional<CaptureSpec> capture = std::nullopt) {
        EndpointConfigSpec spec{
            .production = std::move(production), .shadow = std::move(shadow), .capture = capture, .echo = "{}"};
        ASSERT_EQ(Text(service_->catalog().CreateEndpointConfig(scope_, name, spec, {})), "ok");
    }
    static std::string Text(const Result<void>& result) { return result ? "ok" : result.error().ToString(); }
    std::string Create(const std::string& name, const std::string& config) {
        return Text(service_->Create(scope_, name, config, "", {}));
    }
    std::string Status(const std::string& name) {
        auto endpoint = service_->Find(scope_, name);
        return endpoint ? endpoint->record.status : endpoint.error().ToString();
    }
    /// The answer to one row, or what went wrong.
    std::string Invoke(const std::string& name, std::string_view target_variant = "") {
        auto endpoint = service_->FindLive(scope_.account, scope_.region, name);
        if (endpoint == nullptr) return "not in service";
        const PickedVariant picked = Invoker::Pick(endpoint, target_variant);
        if (picked.variant == nullptr) return "no variant";
        return service_->Invoke(picked, {.content_type = "text/csv", .accept = "", .inference_id = "", .body = "1,2,3"})
            .reply.body;
    }
    std::size_t NumArchives() const {
        auto names = std::filesystem::directory_iterator(folder_ + "/hosting/archives");
        return static_cast<std::size_t>(std::distance(begin(names), end(names)));
    }
    void DeleteObject(const std::string& key) {
        ASSERT_TRUE(objects_->Delete(*bucket_, store::ObjectKey::Parse(key).value()).has_value());
    }

    std::string folder_;
    RealFs fs_;
    TestClock clock_;
    std::unique_ptr<meta::Database> database_;
    std::unique_ptr<store::ObjectStore> objects_;
    std::unique_ptr<monitor::Metrics> metrics_;
    std::unique_ptr<monitor::AlarmService> alarms_;
    std::unique_ptr<EndpointService> service_;
    std::optional<store::BucketName> bucket_;
    meta::Scope scope_{.account = "123456789012", .region = "us-east-1"};
};

}  // namespace espalier::hosting
