#include "api/sagemaker/validation.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace espalier::api::sagemaker {
namespace {

using nlohmann::json;

const ServiceModel& Model() {
    static const ServiceModel model = ServiceModel::Load();
    return model;
}

json GoodTrainingJob() {
    return json::parse(R"({
        "TrainingJobName": "demo-1", "RoleArn": "arn:aws:iam::123456789012:role/LocalSageMakerRole",
        "AlgorithmSpecification": {"TrainingImage": "xgboost:1", "TrainingInputMode": "File"},
        "HyperParameters": {"max_depth": "5"},
        "InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource":
            {"S3DataType": "S3Prefix", "S3Uri": "s3://b/p", "S3DataDistributionType": "FullyReplicated"}}}],
        "OutputDataConfig": {"S3OutputPath": "s3://b/out"},
        "ResourceConfig": {"InstanceType": "ml.m4.10xlarge", "InstanceCount": 1, "VolumeSizeInGB": 5},
        "StoppingCondition": {"MaxRuntimeInSeconds": 86400}})");
}

std::string Verdict(const std::string& operation, json document) {
    const auto error = Validate(*Model().InputOf(operation), document);
    return error ? error->type + ": " + error->message : "ok";
}

TEST(ValidationTest, AGoodRequestPassesAndUnknownMembersAreKept) {
    json document = GoodTrainingJob();
    document["FutureMember"] = {{"deep", 1}};
    document["Environment"] = nullptr;
    EXPECT_FALSE(Validate(*Model().InputOf("CreateTrainingJob"), document));
    EXPECT_EQ(document["FutureMember"]["deep"], 1);
    EXPECT_FALSE(document.contains("Environment")) << "null means absent";
}

TEST(ValidationTest, AWordsOnePatternViolationAsAwsDoes) {
    json document = GoodTrainingJob();
    document["TrainingJobName"] = "a_b";
    EXPECT_EQ(Verdict("CreateTrainingJob", document),
              "ValidationException: 1 validation error detected: Value 'a_b' at 'trainingJobName' failed to satisfy "
              "constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}");
}

TEST(ValidationTest, CollectsEveryViolation) {
    json document = GoodTrainingJob();
    document.erase("RoleArn");
    document["ResourceConfig"]["InstanceType"] = "m4.xlarge";
    document["StoppingCondition"]["MaxRuntimeInSeconds"] = 0;
    document["InputDataConfig"][0]["CompressionType"] = "Zip";
    const std::string verdict = Verdict("CreateTrainingJob", document);
    EXPECT_TRUE(verdict.starts_with("ValidationException: 4 validation errors detected: ")) << verdict;
    EXPECT_NE(verdict.find("Value null at 'roleArn' failed to satisfy constraint: Member must not be null; "),
              std::string::npos)
        << verdict;
    EXPECT_NE(verdict.find("Value 'm4.xlarge' at 'resourceConfig.instanceType' failed to satisfy constraint: Member "
                           "must satisfy enum value set: [ml."),
              std::string::npos)
        << verdict;
    EXPECT_NE(verdict.find("Value 'Zip' at 'inputDataConfig.1.member.compressionType' failed to satisfy constraint: "
                           "Member must satisfy enum value set: [None, Gzip]"),
              std::string::npos)
        << verdict;
    EXPECT_NE(verdict.find("Value '0' at 'stoppingCondition.maxRuntimeInSeconds' failed to satisfy constraint: Member "
                           "must have value greater than or equal to 1"),
              std::string::npos)
        << verdict;
}

TEST(ValidationTest, LengthsAreCountedInCharactersAtTheBound) {
    json document = GoodTrainingJob();
    document["TrainingJobName"] = std::string(63, 'a');
    EXPECT_EQ(Verdict("CreateTrainingJob", document), "ok");
    document["TrainingJobName"] = std::string(64, 'a');
    const std::string verdict = Verdict("CreateTrainingJob", document);
    EXPECT_NE(verdict.find("Member must have length less than or equal to 63"), std::string::npos) << verdict;
    EXPECT_NE(verdict.find("2 validation errors"), std::string::npos) << "the pattern is broken too: " << verdict;
}

TEST(ValidationTest, AnyMlInstanceTypeIsTaken) {
    json document = GoodTrainingJob();
    document["ResourceConfig"]["InstanceType"] = "ml.z99.42xlarge";
    EXPECT_EQ(Verdict("CreateTrainingJob", document), "ok");
    document["ResourceConfig"]["InstanceType"] = "ml.";
    EXPECT_NE(Verdict("CreateTrainingJob", document), "ok");
}

TEST(ValidationTest, MapsNameTheConstraintsOfTheirValues) {
    json document = GoodTrainingJob();
    document["HyperParameters"]["k"] = std::string(2501, 'v');
    const std::string verdict = Verdict("CreateTrainingJob", document);
    EXPECT_NE(verdict.find("at 'hyperParameters' failed to satisfy constraint: Map value must satisfy constraint: "
                           "[Member must have length less than or equal to 2500"),
              std::string::npos)
        << verdict;
    EXPECT_LT(verdict.size(), 2000u) << "the value is quoted in part only";
}

TEST(ValidationTest, WrongJsonTypesAreSerializationExceptions) {
    json document = GoodTrainingJob();
    document["TrainingJobName"] = {{"a", 1}};
    EXPECT_EQ(Verdict("CreateTrainingJob", document),
              "SerializationException: Start of structure or map found where not expected.");
    document = GoodTrainingJob();
    document["HyperParameters"]["max_depth"] = 5;
    EXPECT_EQ(Verdict("CreateTrainingJob", document),
              "SerializationException: NUMBER_VALUE can not be converted to a String");
    document = GoodTrainingJob();
    document["ResourceConfig"]["InstanceCount"] = "1";
    EXPECT_EQ(Verdict("CreateTrainingJob", document),
              "SerializationException: STRING_VALUE can not be converted to an Integer");
    document = GoodTrainingJob();
    document["InputDataConfig"] = "x";
    EXPECT_EQ(Verdict("CreateTrainingJob", document), "SerializationException: Expected list or null");
}

TEST(ValidationTest, WholeFloatsAndIsoTimesAreNormalised) {
    json document = GoodTrainingJob();
    document["ResourceConfig"]["InstanceCount"] = 2.0;
    EXPECT_FALSE(Validate(*Model().InputOf("CreateTrainingJob"), document));
    EXPECT_TRUE(document["ResourceConfig"]["InstanceCount"].is_number_integer());
    json list = {{"CreationTimeAfter", "2023-11-14T22:13:20.5Z"}};
    EXPECT_FALSE(Validate(*Model().InputOf("ListTrainingJobs"), list));
    EXPECT_DOUBLE_EQ(list["CreationTimeAfter"].get<double>(), 1700000000.5);
    json bad = {{"CreationTimeAfter", "yesterday"}};
    EXPECT_TRUE(Validate(*Model().InputOf("ListTrainingJobs"), bad));
}

TEST(ValidationTest, PatternsWithLookAroundsKeepTheirMeaning) {
    // VersionedArnOrName: (arn:…/)?(name)(?<!-)(/version)?
    json document = {{"ModelName", "m"}, {"PrimaryContainer", {{"ModelPackageName", "good-name/12"}}}};
    EXPECT_EQ(Verdict("CreateModel", document), "ok");
    document["PrimaryContainer"]["ModelPackageName"] = "bad-";
    EXPECT_NE(Verdict("CreateModel", document), "ok");
    document["PrimaryContainer"]["ModelPackageName"] = "bad-/12";
    EXPECT_NE(Verdict("CreateModel", document), "ok");
}

TEST(ValidationTest, HostileDocumentsCostLittle) {
    json document = GoodTrainingJob();
    json& channels = document["InputDataConfig"];
    for (int i = 0; i < 5000; ++i) channels.push_back({{"ChannelName", "bad name!"}});
    const std::string verdict = Verdict("CreateTrainingJob", document);
    EXPECT_LT(verdict.size(), 100000u);
    document = GoodTrainingJob();
    document["TrainingJobName"] = std::string(500000, 'a') + "!";
    EXPECT_LT(Verdict("CreateTrainingJob", document).size(), 4000u);
}

}  // namespace
}  // namespace espalier::api::sagemaker
