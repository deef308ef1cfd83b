#include "hosting/async_queue.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "hosting/endpoint_metrics.h"
#include "hosting/hosting_fixture.h"

namespace espalier::hosting {
namespace {

class AsyncQueueTest : public EndpointServiceTest {
  protected:
    /// An asynchronous endpoint "e" with one variant "v" that predicts 4.
    void MakeEndpoint(const std::string& failure_uri = "s3://bucket/failed", int num_instances = 1) {
        CreateConstantModel("m", 4.0F);
        EndpointConfigSpec spec{.production = {{.name = "v", .model_name = "m", .num_instances = num_instances}},
                                .shadow = {},
                                .capture = std::nullopt,
                                .async = AsyncSpec{.output_uri = "s3://bucket/out", .failure_uri = failure_uri},
                                .echo = "{}"};
        ASSERT_EQ(Text(service_->catalog().CreateEndpointConfig(scope_, "c", spec, {})), "ok");
        ASSERT_EQ(Create("e", "c"), "ok");
        Put("in", "1,2,3");
    }
    void Put(const std::string& key, std::string_view bytes) {
        const store::ObjectAttributes attributes{.headers = {{"content-type", "text/csv"}}, .user_metadata = {}};
        ASSERT_TRUE(objects_->Put(*bucket_, store::ObjectKey::Parse(key).value(), bytes, attributes).has_value());
    }
    Result<AsyncAccepted> Accept(AsyncInvocation invocation) {
        return service_->async().Accept(*service_->FindLive(scope_.account, scope_.region, "e"), std::move(invocation));
    }
    AsyncAccepted AcceptObject(const std::string& uri = "s3://bucket/in", std::int64_t ttl_seconds = 60) {
        return Accept({.input_location = uri, .ttl_seconds = ttl_seconds}).value();
    }
    /// Until nothing that waits can start.
    void RunAll() {
        for (std::size_t before = SIZE_MAX; Backlog() < before;) {
            before = Backlog();
            service_->async().Dispatch();
            service_->async().WaitForRunning();
        }
    }
    /// The object at s3://bucket/…, or "-".
    std::string Read(const std::string& uri) {
        const std::string key = uri.substr(std::string("s3://bucket/").size());
        auto bytes = objects_->ReadAll(*bucket_, store::ObjectKey::Parse(key).value(), 1 << 20);
        return bytes ? *bytes : "-";
    }
    std::string Ends(const AsyncAccepted& accepted) {
        return Read(accepted.output_location) + " " + Read(accepted.failure_location);
    }
    std::size_t Backlog() { return service_->async().BacklogOf(scope_, "e").size; }
    void SetInstances(int count) {
        const WeightChange change{.variant_name = "v", .weight = std::nullopt, .num_instances = count};
        ASSERT_EQ(Text(service_->UpdateWeights(scope_, "e", std::span(&change, 1))), "ok");
    }
    /// The sum of what was booked under that name in the last hour.
    double Metric(const std::string& variant, const std::string& metric) {
        service_->BookTraffic();
        const UnixMillis now = clock_.WallMillis();
        auto periods = metrics_->Read({.metric = EndpointMetric({scope_, "e", variant}, metric),
                                       .unit = "",
                                       .from = now - 3'600'000,
                                       .to = now + 60'000});
        double sum = 0;
        for (const auto& [begin, values] : periods->by_begin) sum += values.summary().sum;
        return sum;
    }
};

TEST_F(AsyncQueueTest, EndsWithTheAnswerWhereItSaidItWould) {
    MakeEndpoint();
    const AsyncAccepted accepted = AcceptObject();
    EXPECT_TRUE(accepted.output_location.starts_with("s3://bucket/out/")) << accepted.output_location;
    EXPECT_TRUE(accepted.output_location.ends_with(".out"));
    EXPECT_TRUE(accepted.failure_location.ends_with("-error.out"));
    EXPECT_EQ(Ends(accepted), "- -") << "nobody has looked yet";
    EXPECT_EQ(Backlog(), 1U);
    RunAll();
    EXPECT_EQ(Ends(accepted), "4.0 -");
    EXPECT_EQ(Backlog(), 0U);
    const AsyncAccepted inlined = Accept({.inference_id = "mine",
                                          .content_type = "text/csv",
                                          .inline_body = "1,2,3\n1,2,3",
                                          .path_extension = "a/b",
                                          .file_name = "x.csv"})
                                      .value();
    EXPECT_EQ(inlined.inference_id, "mine");
    EXPECT_EQ(inlined.output_location, "s3://bucket/out/a/b/x.csv");
    EXPECT_EQ(inlined.failure_location, "s3://bucket/failed/a/b/x-error.out");
    RunAll();
    EXPECT_EQ(Ends(inlined), "4.0,4.0 -");
    EXPECT_EQ(Metric("v", "InvocationsProcessed"), 2);
    EXPECT_EQ(Metric("v", "InvocationFailures"), 0);
    EXPECT_EQ(Metric("v", "Invocations"), 0) << "not a metric of asynchronous endpoints";
}

TEST_F(AsyncQueueTest, FailuresAreObjectsWithTheReason) {
    MakeEndpoint();
    const AsyncAccepted missing = AcceptObject("s3://bucket/nowhere");
    const AsyncAccepted no_bucket = AcceptObject("s3://other-bucket/in");
    Put("bad", "1,2,3,4,5,6,7,8");
    const AsyncAccepted refused = AcceptObject("s3://bucket/bad");
    RunAll();
    EXPECT_EQ(Ends(missing),
              "- ClientError: The input s3://bucket/nowhere cannot be read: The specified key does not exist.");
    EXPECT_EQ(Ends(no_bucket),
              "- ClientError: The input s3://other-bucket/in cannot be read: The specified bucket does not exist");
    EXPECT_NE(Read(refused.failure_location).find("Unable to evaluate payload"), std::string::npos)
        << Read(refused.failure_location);
    EXPECT_EQ(Metric("v", "InvocationFailures"), 3);
    EXPECT_EQ(Metric("v", "RequestDownloadFailures"), 2);
}

TEST_F(AsyncQueueTest, AnInputThatIsTooLargeFailsWithTheSizes) {
    MakeEndpoint();
    EndpointLog log(*database_, clock_);
    std::filesystem::create_directories(folder_ + "/inputs");
    AsyncRun run(folder_ + "/inputs", *objects_, service_->invoker(), log, 5);
    const PickedVariant picked = Invoker::Pick(service_->FindLive(scope_.account, scope_.region, "e"), "");
    meta::AsyncRequest request{.id = 1,
                               .scope = scope_,
                               .endpoint = "e",
                               .inference_id = "id",
                               .content_type = "text/csv",
                               .accept = "",
                               .input_location = "s3://bucket/in",
                               .inline_body = "",
                               .output_location = "s3://bucket/out/1",
                               .failure_location = "s3://bucket/failed/1",
                               .timeout_seconds = 60,
                               .trace_parent = ""};
    EXPECT_EQ(run.Answer(request, picked).kind, AsyncOutcome::Kind::kAnswered) << "five bytes are not too many";
    EXPECT_EQ(Read("s3://bucket/out/1"), "4.0");
    Put("in", "1,2,30");
    request.output_location = "s3://bucket/out/2";
    EXPECT_EQ(run.Answer(request, picked).kind, AsyncOutcome::Kind::kFailed);
    EXPECT_EQ(Read("s3://bucket/out/2"), "-");
    EXPECT_EQ(Read("s3://bucket/failed/1"),
              "ClientError: The input s3://bucket/in cannot be read: it has 6 bytes, and an input has at most 5");
    EXPECT_EQ(AsyncRun::kInputBytesMax, std::uint64_t{1} << 30) << "as AWS";
}

TEST_F(AsyncQueueTest, NothingAcceptedIsForgottenByARestart) {
    MakeEndpoint();
    const AsyncAccepted first = AcceptObject();
    const AsyncAccepted second = AcceptObject("s3://bucket/nowhere");
    Reopen();
    EXPECT_EQ(Backlog(), 2U);
    RunAll();
    EXPECT_EQ(Ends(first), "4.0 -");
    EXPECT_TRUE(Ends(second).starts_with("- ClientError: The input"));
    Reopen();
    EXPECT_EQ(Backlog(), 0U);
}

TEST_F(AsyncQueueTest, WhatHadEndedBeforeAKillIsNotDoneAgain) {
    MakeEndpoint();
    const AsyncAccepted answered = AcceptObject();
    const AsyncAccepted failed = AcceptObject("s3://bucket/late");
    const AsyncAccepted named = Accept({.input_location = "s3://bucket/in", .file_name = "x.out"}).value();
    // As a kill between the object and the end of the row leaves it.
    Put(answered.output_location.substr(12), "4.0 from before");
    Put(failed.failure_location.substr(12), "failed before");
    Put("out/x.out", "of another request of that name");
    Put("late", "1,2,3");
    Reopen();
    RunAll();
    EXPECT_EQ(Ends(answered), "4.0 from before -");
    EXPECT_EQ(Ends(failed), "- failed before");
    EXPECT_EQ(Read(named.output_location), "4.0");
    EXPECT_EQ(Backlog(), 0U);
}

TEST_F(AsyncQueueTest, WhatWaitsTooLongExpires) {
    MakeEndpoint("s3://bucket/failed");
    SetInstances(0);
    const AsyncAccepted accepted = AcceptObject();
    const AsyncAccepted patient = AcceptObject("s3://bucket/in", 3600);
    clock_.Advance(std::chrono::seconds(59));
    RunAll();
    EXPECT_EQ(Backlog(), 2U) << "there is no instance";
    EXPECT_EQ(Metric("", "HasBacklogWithoutCapacity"), 1);
    EXPECT_EQ(Metric("", "ApproximateBacklogSizePerInstance"), 4) << "two looks at two requests";
    clock_.Advance(std::chrono::seconds(1));
    RunAll();
    EXPECT_EQ(Ends(accepted),
              "- ClientError: The request expired: it had waited for 60 seconds, its RequestTTLSeconds.");
    EXPECT_EQ(Backlog(), 1U);
    SetInstances(1);
    RunAll();
    EXPECT_EQ(Ends(patient), "4.0 -");
    EXPECT_EQ(Metric("v", "ExpiredRequests"), 1);
}

TEST_F(AsyncQueueTest, ADeletedEndpointEndsWhatWaits) {
    MakeEndpoint();
    SetInstances(0);
    const AsyncAccepted accepted = AcceptObject();
    ASSERT_EQ(Text(service_->Delete(scope_, "e")), "ok");
    ASSERT_EQ(Create("e", "c"), "ok");
    const AsyncAccepted next = AcceptObject();
    Reopen();
    RunAll();
    EXPECT_EQ(Ends(accepted), "- ClientError: The endpoint e was deleted.");
    EXPECT_EQ(Ends(next), "4.0 -") << "it is of the new endpoint of that name";
}

TEST_F(AsyncQueueTest, AnUpdateAnswersWhatWaits) {
    MakeEndpoint();
    const AsyncAccepted accepted = AcceptObject();
    CreateConstantModel("n", 5.0F);
    CreateConfig("d", {{.name = "v", .model_name = "n"}});
    ASSERT_EQ(Text(service_->Update(scope_, "e", "d", {}, "")), "ok");
    RunAll();
    EXPECT_EQ(Ends(accepted), "5.0 -") << "also by an endpoint that is not asynchronous any more";
}

TEST_F(AsyncQueueTest, AnOutputThatCannotBeWrittenIsAFailure) {
    CreateConstantModel("m", 4.0F);
    EndpointConfigSpec spec{.production = {{.name = "v", .model_name = "m"}},
                            .shadow = {},
                            .capture = std::nullopt,
                            .async = AsyncSpec{.output_uri = "s3://gone/out", .failure_uri = "s3://bucket/failed"},
                            .echo = "{}"};
    ASSERT_EQ(Text(service_->catalog().CreateEndpointConfig(scope_, "c", spec, {})), "ok");
    ASSERT_EQ(Create("e", "c"), "ok");
    Put("in", "1,2,3");
    const AsyncAccepted accepted = AcceptObject();
    RunAll();
    EXPECT_TRUE(Read(accepted.failure_location).starts_with("ClientError: The output s3://gone/out/"))
        << Read(accepted.failure_location);
    EXPECT_EQ(Metric("v", "ResponseUploadFailures"), 1);
    EXPECT_EQ(Backlog(), 0U);
}

}  // namespace
}  // namespace espalier::hosting
