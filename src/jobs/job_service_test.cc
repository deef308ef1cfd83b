#include "jobs/job_service.h"

#include <filesystem>
#include <limits>

#include "base/archive.h"
#include "jobs/jobs_fixture.h"

namespace espalier::jobs {
namespace {

using meta::JobStage;
using meta::JobStatus;
using Words = std::vector<std::string>;

class JobServiceTest : public JobsTest {
  protected:
    std::string ModelOf(const std::string& name) {
        const auto archive =
            store_->ReadAll(Bucket("data"), *store::ObjectKey::Parse("out/" + name + "/output/model.tar.gz"), 1 << 20);
        if (!archive) return "none";
        const auto members = ReadTarGz(*archive);
        EXPECT_TRUE(members && members->size() == 1 && members->at(0).name == "xgboost-model");
        return members->at(0).bytes;
    }
    std::vector<double> MetricValues(const std::string& name) {
        meta::TrainingMetrics metrics(*database_);
        const auto points =
            metrics.Points(kScope, name, "train:merror", 0, std::numeric_limits<UnixMillis>::max()).value();
        std::vector<double> values;
        for (const meta::MetricPoint& point : points) {
            values.push_back(point.value);
        }
        return values;
    }
    std::vector<std::string> FilesOf(const std::string& folder) {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(folder)) {
            names.push_back(entry.path().filename().string());
        }
        std::sort(names.begin(), names.end());
        return names;
    }
    static void Succeed(FakeRunState& run, const std::string& model = "tree") {
        run.WriteModel(model);
        run.End({.succeeded = true});
    }
};

TEST_F(JobServiceTest, WalksThroughEveryStageAndStoresTheModel) {
    StartService();
    ASSERT_TRUE(Create(Request("a")));
    const auto run = RunOf(0);
    EXPECT_EQ(run->request.image, "xgboost:1");
    ASSERT_EQ(run->request.instances.size(), 1u);
    const std::string root = run->request.instances[0].root;
    EXPECT_EQ(FilesOf(root + "/input/data/train").size(), 5u) << "the folder marker is no data";
    EXPECT_EQ(FilesOf(root + "/input/config"),
              (Words{"checkpointconfig.json", "hyperparameters.json", "inputdataconfig.json", "resourceconfig.json"}));
    run->Print(1, "[0]\ttrain-merror:0.5\tvalidation-merror:0.25\nnot a metric\n[1]\ttrain-merror:0.125");
    Succeed(*run);
    ASSERT_TRUE(Reaches("a", JobStage::kCompleted));
    const meta::TrainingJob job = Find("a");
    EXPECT_EQ(Stages(job), (Words{"Starting", "Downloading", "Training", "Uploading", "Completed"}));
    EXPECT_EQ(job.transitions[0].message, "Preparing the instances for training (ml.m4.10xlarge runs here as 2 cores)");
    EXPECT_EQ(job.transitions[2].message, "Training image download completed. Training in progress.");
    EXPECT_EQ(ModelOf("a"), "tree");
    const auto metrics = service_->FinalMetrics(job.id);
    ASSERT_EQ(metrics->size(), 2u);
    EXPECT_EQ(metrics->at(0).name, "train:merror");
    EXPECT_EQ(metrics->at(0).value, 0.125) << "the last line counts also without a line feed";
    EXPECT_TRUE(Eventually([&] { return !std::filesystem::exists(folder_ + "/jobs/1"); })) << "the work folder goes";
    meta::Logs logs(*database_);
    const auto stream = logs.FindStream(kScope, kTrainingLogGroup, "a/algo-1-1700000000");
    ASSERT_TRUE(stream);
    EXPECT_EQ(logs.Events({.stream_id = stream->id})->at(0).message,
              "[0]#011train-merror:0.5#011validation-merror:0.25");
}

TEST_F(JobServiceTest, ShardsDealTheKeysThreeAndTwo) {
    StartService();
    ASSERT_TRUE(Create(Request("a", 2)));
    const auto run = RunOf(0);
    ASSERT_EQ(run->request.instances.size(), 2u);
    EXPECT_EQ(FilesOf(run->request.instances[0].root + "/input/data/train"),
              (Words{"examples0", "examples2", "examples4"}));
    EXPECT_EQ(FilesOf(run->request.instances[1].root + "/input/data/train"), (Words{"examples1", "examples3"}));
    run->End({.succeeded = false, .failed_instance = 2, .how = "ended by signal 9 (Killed)"});
    ASSERT_TRUE(Reaches("a", JobStage::kFailed));
    EXPECT_NE(Find("a").failure_reason.find("AlgorithmError: algo-2 ended without saying why: ended by signal 9"),
              std::string::npos)
        << Find("a").failure_reason;
}

TEST_F(JobServiceTest, TwoJobsRunTogetherAndTheThirdWaitsItsTurn) {
    StartService();
    for (const char* name : {"a", "b", "c", "d"}) ASSERT_TRUE(Create(Request(name, 2)));
    ASSERT_TRUE(Reaches("a", JobStage::kTraining));
    ASSERT_TRUE(Reaches("b", JobStage::kTraining));
    EXPECT_EQ(Find("c").stage, JobStage::kStarting);
    Succeed(*RunOf(0));
    ASSERT_TRUE(Reaches("c", JobStage::kTraining)) << "first in, first out";
    EXPECT_EQ(Find("d").stage, JobStage::kStarting);
    for (std::size_t i = 1; i < 4; ++i) Succeed(*RunOf(i));
    for (const char* name : {"a", "b", "c", "d"}) EXPECT_TRUE(Reaches(name, JobStage::kCompleted)) << name;
}

TEST_F(JobServiceTest, ATrainersFailureIsTheReason) {
    StartService();
    ASSERT_TRUE(Create(Request("a", 2)));
    const auto run = RunOf(0);
    run->WriteFailure(1, "AlgorithmError: algo-2 failed first");
    run->WriteFailure(2, "ClientError: label out of range in train/examples1, line 1\n");
    run->End({.succeeded = false, .failed_instance = 2, .how = "exit code 1"});
    ASSERT_TRUE(Reaches("a", JobStage::kFailed));
    EXPECT_EQ(Find("a").failure_reason, "ClientError: label out of range in train/examples1, line 1");
    EXPECT_EQ(Find("a").status, JobStatus::kFailed);
}

TEST_F(JobServiceTest, ADeadRankIsNamedAlthoughTheOthersSaySomething) {
    StartService();
    ASSERT_TRUE(Create(Request("a", 2)));
    const auto run = RunOf(0);
    run->WriteFailure(1, "AlgorithmError: another instance of this job ended unexpectedly");
    run->End({.succeeded = false, .failed_instance = 2, .how = "ended by signal 9 (Killed)"});
    ASSERT_TRUE(Reaches("a", JobStage::kFailed));
    EXPECT_TRUE(
        Find("a").failure_reason.starts_with("AlgorithmError: algo-2 ended without saying why: ended by signal"))
        << Find("a").failure_reason;
}

TEST_F(JobServiceTest, ALongFailureIsCutAtACharacter) {
    StartService();
    ASSERT_TRUE(Create(Request("a")));
    const auto run = RunOf(0);
    std::string text = "ClientError: ";
    while (text.size() < 3000) text += "ü";
    run->WriteFailure(1, text);
    run->End({.succeeded = false, .failed_instance = 1, .how = "exit code 1"});
    ASSERT_TRUE(Reaches("a", JobStage::kFailed));
    EXPECT_EQ(Find("a").failure_reason.size(), 1023u) << "13 + 2 n bytes, at most 1024";
}

TEST_F(JobServiceTest, AnEndWithoutAModelIsAFailure) {
    StartService();
    ASSERT_TRUE(Create(Request("a")));
    RunOf(0)->End({.succeeded = true});
    ASSERT_TRUE(Reaches("a", JobStage::kFailed));
    EXPECT_NE(Find("a").failure_reason.find("left no model"), std::string::npos);
}

TEST_F(JobServiceTest, AMissingOutputBucketIsToldByName) {
    StartService();
    ASSERT_TRUE(Create(Request("a", 1, 3600, "s3://no-such-bucket/x")));
    Succeed(*RunOf(0));
    ASSERT_TRUE(Reaches("a", JobStage::kFailed));
    EXPECT_EQ(Find("a").failure_reason,
              "ClientError: The model cannot be stored at s3://no-such-bucket/x/a/output/model.tar.gz: the bucket "
              "'no-such-bucket' does not exist. Create it, or give another S3OutputPath.");
}

TEST_F(JobServiceTest, AStopWhileTrainingKeepsTheModelSoFar) {
    StartService();
    ASSERT_TRUE(Create(Request("a")));
    const auto run = RunOf(0);
    ASSERT_TRUE(service_->Stop(kScope, "a"));
    EXPECT_EQ(Find("a").status, JobStatus::kStopping);
    ASSERT_TRUE(Eventually([&] { return run->asked_to_stop.load(); }));
    Succeed(*run, "half a forest");
    ASSERT_TRUE(Reaches("a", JobStage::kStopped));
    EXPECT_EQ(Stages(Find("a")), (Words{"Starting", "Downloading", "Training", "Stopping", "Stopped"}));
    EXPECT_EQ(ModelOf("a"), "half a forest");
    const auto again = service_->Stop(kScope, "a");
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().message(), "Stopped");
}

TEST_F(JobServiceTest, ATrainerThatDoesNotStopIsKilledAfterTheGrace) {
    StartService();
    ASSERT_TRUE(Create(Request("a")));
    const auto run = RunOf(0);
    ASSERT_TRUE(service_->Stop(kScope, "a"));
    ASSERT_TRUE(Eventually([&] { return run->asked_to_stop.load(); }));
    clock_.Advance(kStopGrace - std::chrono::seconds(1));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_FALSE(run->killed);
    clock_.Advance(std::chrono::seconds(2));
    ASSERT_TRUE(Eventually([&] { return run->killed.load(); }));
    ASSERT_TRUE(Reaches("a", JobStage::kStopped));
    EXPECT_EQ(ModelOf("a"), "none");
}

TEST_F(JobServiceTest, AStopInTheQueueEndsAtOnce) {
    StartService(/*num_slots=*/1);
    ASSERT_TRUE(Create(Request("a")));
    ASSERT_TRUE(Create(Request("b")));
    ASSERT_TRUE(service_->Stop(kScope, "b"));
    EXPECT_EQ(Find("b").status, JobStatus::kStopped);
    EXPECT_EQ(Stages(Find("b")), (Words{"Starting", "Stopping", "Stopped"}));
    Succeed(*RunOf(0));
    ASSERT_TRUE(Reaches("a", JobStage::kCompleted));
    EXPECT_EQ(launcher_.runs().size(), 1u);
}

TEST_F(JobServiceTest, MaxRuntimeStopsWithTheModelSoFar) {
    StartService();
    ASSERT_TRUE(Create(Request("a", 1, 60)));
    const auto run = RunOf(0);
    clock_.Advance(std::chrono::seconds(59));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_FALSE(run->asked_to_stop);
    clock_.Advance(std::chrono::seconds(1));
    ASSERT_TRUE(Eventually([&] { return run->asked_to_stop.load(); }));
    EXPECT_EQ(Find("a").status, JobStatus::kStopping);
    Succeed(*run);
    ASSERT_TRUE(Reaches("a", JobStage::kMaxRuntimeExceeded));
    EXPECT_EQ(Find("a").status, JobStatus::kStopped);
    EXPECT_EQ(ModelOf("a"), "tree");
}

TEST_F(JobServiceTest, ARestartRunsAJobAgainAndSweepsItsProcesses) {
    StartService();
    ASSERT_TRUE(Create(Request("a")));
    const std::string token = RunOf(0)->request.token;
    service_.reset();
    EXPECT_TRUE(launcher_.runs()[0]->killed) << "a server that ends takes its instances along";
    std::filesystem::create_directories(folder_ + "/jobs/99/left");
    StartService();
    EXPECT_FALSE(std::filesystem::exists(folder_ + "/jobs/99")) << "folders of no job are swept";
    EXPECT_EQ(Find("a").status, JobStatus::kInProgress);
    const auto run = RunOf(1);
    EXPECT_EQ(launcher_.swept_tokens(), Words{token});
    EXPECT_NE(run->request.token, token);
    Succeed(*run);
    ASSERT_TRUE(Reaches("a", JobStage::kCompleted));
    EXPECT_EQ(Stages(Find("a")), (Words{"Starting", "Downloading", "Training", "Restarting", "Starting", "Downloading",
                                        "Training", "Uploading", "Completed"}));
    EXPECT_FALSE(Create(Request("a"))) << "the name stays taken";
}

TEST_F(JobServiceTest, AnInterruptedTrainingGoesOnFromItsCheckpoint) {
    StartService();
    ASSERT_TRUE(Create(Request("a", 2)));
    const auto first = RunOf(0);
    const std::string root = first->request.instances[0].root;
    std::ofstream(root + "/checkpoints/xgboost-checkpoint.3") << "four rounds";
    first->WriteFailure(1, "AlgorithmError: instance algo-2 (rank 1) has given no sign of life for 15 s");
    first->End({.failed_instance = 1, .how = "exit code 75", .interrupted = true});
    const auto second = RunOf(1);
    EXPECT_EQ(second->request.instances[0].root, root);
    EXPECT_NE(second->request.token, first->request.token);
    EXPECT_TRUE(std::filesystem::exists(root + "/checkpoints/xgboost-checkpoint.3"));
    EXPECT_FALSE(std::filesystem::exists(root + "/output/failure")) << "of the launch before";
    Succeed(*second);
    ASSERT_TRUE(Reaches("a", JobStage::kCompleted));
    const meta::TrainingJob job = Find("a");
    EXPECT_EQ(Stages(job),
              (Words{"Starting", "Downloading", "Training", "Restarting", "Training", "Uploading", "Completed"}));
    EXPECT_EQ(
        job.transitions[3].message,
        "AlgorithmError: instance algo-2 (rank 1) has given no sign of life for 15 s. The training goes on from its "
        "last checkpoint.");
}

/// From a checkpoint the rounds after it come again, without one all do.
TEST_F(JobServiceTest, RoundsThatAreTrainedAgainAreNotCountedTwice) {
    StartService();
    for (const bool checkpoint : {true, false}) {
        const std::string name = checkpoint ? "a" : "b";
        const std::size_t launch = checkpoint ? 0 : 2;
        ASSERT_TRUE(Create(Request(name)));
        const auto first = RunOf(launch);
        if (checkpoint) {
            std::ofstream(first->request.instances[0].root + "/checkpoints/xgboost-checkpoint.0") << "one round";
        }
        first->Print(1, "[0]\ttrain-merror:0.5\n[1]\ttrain-merror:0.25\n[2]\ttrain-merror:0.125\n");
        first->End({.failed_instance = 1, .how = "ended by signal 9 (Killed)", .interrupted = true});
        const auto second = RunOf(launch + 1);
        second->Print(1, std::string(checkpoint ? "" : "[0]\ttrain-merror:0.5\n") +
                             "[1]\ttrain-merror:0.25\n[2]\ttrain-merror:0.125\n[3]\ttrain-merror:0.0625\n");
        Succeed(*second);
        ASSERT_TRUE(Reaches(name, JobStage::kCompleted));
        EXPECT_EQ(MetricValues(name), (std::vector<double>{0.5, 0.25, 0.125, 0.0625})) << name;
    }
}

/// The folds of a cross-validation each begin with round 0.
TEST_F(JobServiceTest, RoundsThatBeginAnewAreOtherPoints) {
    StartService();
    ASSERT_TRUE(Create(Request("a")));
    RunOf(0)->Print(1, "[0]\ttrain-merror:0.5\n[1]\ttrain-merror:0.25\n[0]\ttrain-merror:0.125\n");
    Succeed(*RunOf(0));
    ASSERT_TRUE(Reaches("a", JobStage::kCompleted));
    EXPECT_EQ(MetricValues("a"), (std::vector<double>{0.5, 0.25, 0.125}));
}

TEST_F(JobServiceTest, ATrainingThatIsInterruptedAgainAndAgainFails) {
    StartService();
    ASSERT_TRUE(Create(Request("a")));
    for (std::size_t launch = 0; launch < kLaunchesMax; ++launch) {
        RunOf(launch)->End({.failed_instance = 1, .how = "ended by signal 9 (Killed)", .interrupted = true});
    }
    ASSERT_TRUE(Reaches("a", JobStage::kFailed));
    EXPECT_EQ(launcher_.runs().size(), static_cast<std::size_t>(kLaunchesMax));
    EXPECT_TRUE(Find("a").failure_reason.starts_with(
        "AlgorithmError: algo-1 ended without saying why: ended by signal 9 (Killed)."))
        << Find("a").failure_reason;
}

TEST_F(JobServiceTest, CheckpointsOutliveTheServer) {
    StartService();
    ASSERT_TRUE(Create(Request("a")));
    const std::string checkpoint = RunOf(0)->request.instances[0].root + "/checkpoints/xgboost-checkpoint.0";
    std::ofstream(checkpoint) << "one round";
    RunOf(0)->Print(1, "[0]\ttrain-merror:0.5\n[1]\ttrain-merror:0.25\n");
    ASSERT_TRUE(Eventually([&] { return MetricValues("a").size() == 2; }));
    service_.reset();
    StartService();
    const auto run = RunOf(1);
    EXPECT_TRUE(std::filesystem::exists(checkpoint));
    run->Print(1, "[1]\ttrain-merror:0.25\n[2]\ttrain-merror:0.125\n");
    Succeed(*run);
    ASSERT_TRUE(Reaches("a", JobStage::kCompleted));
    EXPECT_EQ(MetricValues("a"), (std::vector<double>{0.5, 0.25, 0.125})) << "a round told again is the same point";
    EXPECT_EQ(Find("a").transitions[3].message, "The server was restarted. The job goes on from its last checkpoint.");
}

TEST_F(JobServiceTest, CheckpointsAreKeptAlikeWithS3) {
    PutObject("ckpt/xgboost-checkpoint.1", "of another job");
    const auto with_checkpoints = [](std::string request, const std::string& config) {
        request.pop_back();
        return request + R"(,"CheckpointConfig":)" + config + "}";
    };
    StartService();
    ASSERT_TRUE(Create(with_checkpoints(Request("a"), R"({"S3Uri":"s3://data/ckpt"})")));
    const auto run = RunOf(0);
    const std::string folder = run->request.instances[0].root + "/checkpoints/";
    std::ifstream downloaded(folder + "xgboost-checkpoint.1");
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(downloaded), {}), "of another job");
    std::ofstream(folder + "xgboost-checkpoint.2") << "mine";
    std::ofstream(folder + "xgboost-checkpoint.3.sagemaker-ignore") << "half";
    const auto stored = [&](const std::string& name) {
        const auto bytes = store_->ReadAll(Bucket("data"), *store::ObjectKey::Parse("ckpt/" + name), 1 << 20);
        return bytes ? *bytes : std::string("none");
    };
    clock_.Advance(std::chrono::seconds(2));
    EXPECT_TRUE(Eventually([&] { return stored("xgboost-checkpoint.2") == "mine"; })) << "while it runs";
    std::filesystem::remove(folder + "xgboost-checkpoint.1");
    std::ofstream(folder + "xgboost-checkpoint.4") << "the last";
    Succeed(*run);
    ASSERT_TRUE(Reaches("a", JobStage::kCompleted));
    EXPECT_EQ(stored("xgboost-checkpoint.4"), "the last");
    EXPECT_EQ(stored("xgboost-checkpoint.1"), "of another job");
    EXPECT_EQ(stored("xgboost-checkpoint.3.sagemaker-ignore"), "none");

    const auto elsewhere =
        Create(with_checkpoints(Request("b"), R"({"S3Uri":"s3://data/ckpt","LocalPath":"/opt/ml/model"})"));
    ASSERT_FALSE(elsewhere);
    EXPECT_NE(elsewhere.error().ToString().find("LocalPath '/opt/ml/model' is not supported"), std::string::npos);
    ASSERT_TRUE(Create(with_checkpoints(Request("c"), R"({"S3Uri":"s3://nowhere/ckpt"})")));
    ASSERT_TRUE(Reaches("c", JobStage::kFailed));
    EXPECT_EQ(Find("c").failure_reason,
              "ClientError: CheckpointConfig.S3Uri s3://nowhere/ckpt: there is no such bucket.");
}

TEST_F(JobServiceTest, AJobThatTakesTheServerDownIsGivenUp) {
    for (std::int64_t launch = 0; launch < kLaunchesMax; ++launch) {
        StartService();
        if (launch == 0) {
            ASSERT_TRUE(Create(Request("a")));
        }
        RunOf(static_cast<std::size_t>(launch));
        service_.reset();
    }
    StartService();
    ASSERT_TRUE(Reaches("a", JobStage::kFailed));
    EXPECT_TRUE(Find("a").failure_reason.starts_with("InternalServerError: The server ended 3 times"))
        << Find("a").failure_reason;
}

TEST_F(JobServiceTest, ARestartWhileUploadingGoesOnWithThePackedModel) {
    StartService();
    ASSERT_TRUE(Create(Request("a")));
    RunOf(0);
    service_.reset();
    meta::TrainingJobs rows(*database_);
    ASSERT_TRUE(rows.Enter(1, {.stage = JobStage::kUploading, .message = "u", .now = clock_.WallMillis()}));
    const std::string root = folder_ + "/jobs/1";
    std::ofstream(root + "/algo-1/model/xgboost-model") << "whole";
    ASSERT_TRUE(WriteTarGz(root + "/model.tar.gz",
                           std::vector<ArchiveSource>{{"xgboost-model", root + "/algo-1/model/xgboost-model"}}, 0));
    StartService();
    ASSERT_TRUE(Reaches("a", JobStage::kCompleted));
    EXPECT_EQ(launcher_.runs().size(), 1u) << "nothing was trained again";
    EXPECT_EQ(ModelOf("a"), "whole");
}

TEST_F(JobServiceTest, ARestartWhileStoppingEndsTheJob) {
    StartService();
    ASSERT_TRUE(Create(Request("a")));
    RunOf(0);
    service_.reset();
    meta::TrainingJobs rows(*database_);
    ASSERT_TRUE(rows.RequestStop(kScope, "a", "Stopping the training job", clock_.WallMillis()));
    StartService();
    ASSERT_TRUE(Reaches("a", JobStage::kStopped));
    EXPECT_EQ(launcher_.runs().size(), 1u);
}

TEST_F(JobServiceTest, CreateRefusesWhatCannotRun) {
    StartService();
    const auto refusal = [&](const std::string& request) {
        const auto job = Create(request);
        return job ? std::string("accepted") : job.error().message();
    };
    const auto with = [&](const std::string& from, const std::string& to) {
        std::string request = Request("x");
        request.replace(request.find(from), from.size(), to);
        return refusal(request);
    };
    EXPECT_EQ(
        with("s3://data/p/train", "s3://data/nothing/here"),
        "No S3 objects found under S3 URL \"s3://data/nothing/here\" given in input data source. Please ensure "
        "that the bucket exists in the selected region (us-east-1), that objects exist under that S3 prefix, and "
        "that the role \"arn:aws:iam::123456789012:role/R\" has \"s3:ListBucket\" permissions on bucket \"data\".");
    EXPECT_NE(with("s3://data/p/train", "s3://nobucket").find("No S3 objects found under S3 URL \"s3://nobucket\""),
              std::string::npos);
    EXPECT_NE(with("xgboost:1", "linear-learner:1").find("Supported are the built-in XGBoost images"),
              std::string::npos);
    EXPECT_NE(with("\"num_round\"", "\"sagemaker_program\"").find("Script mode is not supported"), std::string::npos);
    EXPECT_NE(with("S3Prefix", "ManifestFile").find("S3DataType ManifestFile is not supported"), std::string::npos);
    EXPECT_NE(with("\"File\"", "\"Pipe\"").find("Pipe input mode is not supported"), std::string::npos);
    EXPECT_NE(with("\"InstanceCount\":1", "\"InstanceCount\":0").find("at least 1"), std::string::npos);
    EXPECT_EQ(with("\"InstanceCount\":1", "\"InstanceCount\":64"), "accepted") << "nothing is refused for its size";
    EXPECT_NE(with("\"InstanceCount\":1", "\"InstanceCount\":65").find("account-level service limit"),
              std::string::npos);
    EXPECT_EQ(with("s3://data/p/train", "https://s3-us-east-1.amazonaws.com/data/p/train"),
              "there is a training job x already");
}

TEST_F(JobServiceTest, TheSameCallMayComeTwiceAcrossARestart) {
    StartService();
    ASSERT_TRUE(Create(Request("a"), "invocation-1"));
    const auto repeat = Create(Request("a"), "invocation-1");
    ASSERT_TRUE(repeat);
    EXPECT_EQ(repeat->id, 1);
    EXPECT_EQ(Create(Request("a"), "invocation-2").error().code(), ErrorCode::kAlreadyExists);
    EXPECT_EQ(Create(Request("a", 2), "invocation-1").error().code(), ErrorCode::kAlreadyExists);
}

}  // namespace
}  // namespace espalier::jobs
