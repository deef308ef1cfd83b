// What one invocation is answered: forms, selected values, outputs by Accept parameter, several models.
#include "hosting/inference.h"

#include <gtest/gtest.h>

#include "base/protobuf.h"
#include "data/recordio.h"

namespace espalier::hosting {
namespace {

// x0 < 1 (or missing) gives `low`, else `high`, as margins of one output.
std::shared_ptr<const model::Predictor> Stump(const std::string& objective, float low, float high) {
    model::TreeEnsemble ensemble;
    ensemble.objective = objective;
    ensemble.num_feature = 2;
    ensemble.base_score = {objective == "binary:logistic" ? 0.5F : 0.0F};
    model::Tree tree;
    tree.left_children = {1, -1, -1};
    tree.right_children = {2, -1, -1};
    tree.parents = {model::kRootParent, 0, 0};
    tree.split_indices = {0, 0, 0};
    tree.split_conditions = {1, low, high};
    tree.default_left = {1, 0, 0};
    tree.base_weights = {0, low, high};
    tree.loss_changes = {1, 0, 0};
    tree.sum_hessian = {4, 2, 2};
    ensemble.trees = {tree};
    ensemble.tree_info = {0};
    ensemble.iteration_indptr = {0, 1};
    bool softmax = objective.starts_with("multi:");
    if (softmax) {
        ensemble.num_class = 2;
        ensemble.tree_info = {1};
    }
    Result<std::shared_ptr<const model::Predictor>> predictor = model::Predictor::Create(ensemble);
    EXPECT_TRUE(predictor.has_value());
    return *predictor;
}

ServedModel Serve(std::vector<std::shared_ptr<const model::Predictor>> predictors, AlgorithmVersion version) {
    ServedModel served;
    served.model = std::make_shared<const LoadedModel>(LoadedModel{.predictors = std::move(predictors)});
    served.version = version;
    return served;
}

constexpr std::string_view kRows = "0.0,5.0\n3.0,5.0\n";

std::string Answer(const ServedModel& served, std::string_view accept, std::string_view body = kRows) {
    ContainerReply reply = Infer(served, "text/csv", accept, body);
    return reply.status == 200 ? reply.body : std::to_string(reply.status) + " " + reply.body;
}

TEST(InferenceTest, FormsFollowTheVersion) {
    auto stump = Stump("reg:squarederror", 1.5F, -2);
    ServedModel old = Serve({stump}, AlgorithmVersion::kLegacy);
    EXPECT_EQ(Answer(old, "application/json"), "1.5,-2.0");
    ServedModel modern = Serve({stump}, AlgorithmVersion::k1_7_1);
    EXPECT_EQ(Answer(modern, ""), "1.5\n-2.0\n");
    EXPECT_EQ(Answer(modern, "application/json"), "{\"predictions\": [{\"score\": 1.5}, {\"score\": -2.0}]}");
    EXPECT_EQ(Answer(modern, "application/x-recordio-protobuf").substr(0, 4), "500 ");
    EXPECT_EQ(Answer(modern, "image/png").substr(0, 42), "406 Accept type image/png is not supported");
}

TEST(InferenceTest, SelectedValuesInEachForm) {
    ServedModel served = Serve({Stump("binary:logistic", -1.5F, 0)}, AlgorithmVersion::k1_2_1);
    served.selected_keys = {"predicted_label", "probability", "probabilities", "labels", "predicted_score"};
    EXPECT_EQ(Answer(served, "text/csv"),
              "0,0.18242552876472473,\"[0.8175745010375977, 0.18242552876472473]\",\"[0, 1]\",nan\n"
              "0,0.5,\"[0.5, 0.5]\",\"[0, 1]\",nan");
    served.selected_keys = {"predicted_label", "raw_score", "predicted_score"};
    EXPECT_EQ(Answer(served, "application/json", "3,1\n"),
              "{\"predictions\": [{\"predicted_label\": 0, \"raw_score\": 0.5, \"predicted_score\": NaN}]}");
    EXPECT_EQ(Answer(served, "application/jsonlines", "3,1\n"),
              "{\"predicted_label\": 0, \"raw_score\": 0.5, \"predicted_score\": NaN}\n");
    served = Serve({Stump("count:poisson", 1, 2)}, AlgorithmVersion::k1_7_1);
    served.selected_keys = {"predicted_label"};
    EXPECT_EQ(Answer(served, ""), "500 Objective `count:poisson` unsupported for selectable inference predictions.");
}

TEST(InferenceTest, RecordIoAnswersOneRecordARow) {
    ServedModel served = Serve({Stump("reg:squarederror", 1, 2)}, AlgorithmVersion::k1_7_1);
    served.selected_keys = {"predicted_score"};
    std::string body = Answer(served, "application/x-recordio-protobuf");
    EXPECT_EQ(data::WholeRecordsSize(body), body.size());
    // The values are there as floats: 1.0 and then 2.0.
    std::size_t first = body.find(std::string("\0\0\x80\x3f", 4));
    ASSERT_NE(first, std::string::npos);
    EXPECT_NE(body.find(std::string("\0\0\0\x40", 4), first), std::string::npos);
    EXPECT_NE(body.find("predicted_score"), std::string::npos);
}

TEST(InferenceTest, AnyOutputByAcceptParameter) {
    ServedModel served = Serve({Stump("binary:logistic", -1.5F, 2)}, AlgorithmVersion::kLegacy);
    EXPECT_EQ(Answer(served, "text/csv; output=margin"), "-1.5\n2.0\n");
    EXPECT_EQ(Answer(served, "application/json; output=label"),
              "{\"predictions\": [{\"label\": 0.0}, {\"label\": 1.0}]}");
    EXPECT_EQ(Answer(served, "application/jsonlines;output=\"leaf\""), "{\"leaf\": 1.0}\n{\"leaf\": 2.0}\n");
    EXPECT_EQ(Answer(served, "application/json; output=contributions", "3,1\n"),
              "{\"predictions\": [{\"contributions\": [1.75, 0.0, 0.25]}]}");
    EXPECT_EQ(Answer(served, "text/csv; output=interactions", "3,1\n"), "1.75,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.25\n");
    EXPECT_EQ(Answer(served, "text/csv; output=weather").substr(0, 49),
              "406 Accept parameter output: the output 'weather'");
}

TEST(InferenceTest, SeveralModelsAnswerWithMeanOrMajority) {
    ServedModel served =
        Serve({Stump("reg:squarederror", 1, 2), Stump("reg:squarederror", 4, 2)}, AlgorithmVersion::k3_2_0);
    EXPECT_EQ(Answer(served, ""), "2.5\n2.0\n");
    EXPECT_EQ(Answer(served, "text/csv; output=contributions", "3,1\n"), "-0.25,0.0,2.25\n");
    served.whole_ensemble = false;
    EXPECT_EQ(Answer(served, ""), "1.0\n2.0\n");
    served = Serve({Stump("multi:softmax", 1, -1), Stump("multi:softmax", -1, -1), Stump("multi:softmax", 1, 1)},
                   AlgorithmVersion::k3_2_0);
    EXPECT_EQ(Answer(served, ""), "1.0\n0.0\n");
    EXPECT_EQ(Answer(served, "text/csv; output=leaf").substr(0, 3), "406");
}

TEST(InferenceTest, PickledModelsCountTheirColumns) {
    ServedModel served = Serve({Stump("reg:squarederror", 1, 2)}, AlgorithmVersion::kLegacy);
    EXPECT_EQ(Answer(served, "", "3,1,7\n").substr(0, 63),
              "400 Unable to evaluate payload provided: Number of columns does");
    LoadedModel loaded = *served.model;
    loaded.pickled = true;
    served.model = std::make_shared<const LoadedModel>(loaded);
    EXPECT_EQ(
        Answer(served, "", "3,1,7\n"),
        "400 Unable to evaluate payload provided: Feature size of csv inference data 3 is not consistent with feature "
        "size of trained model 2.");
    EXPECT_EQ(Infer(served, "text/libsvm", "", "0:3 2:1\n").body, "2.0");
    EXPECT_EQ(Infer(served, "text/libsvm", "", "0:3 3:1\n").status, 400);
}

TEST(InferenceTest, RowsOfRecordIo) {
    // features = 1: {"values": {float32_tensor = 2: {values = 1: [3, 1]}}}
    std::string tensor;
    AppendBytesField(tensor, 1, std::string("\0\0\x40\x40\0\0\x80\x3f", 8));
    std::string value;
    AppendBytesField(value, 2, tensor);
    std::string entry;
    AppendBytesField(entry, 1, "values");
    AppendBytesField(entry, 2, value);
    std::string record;
    AppendBytesField(record, 1, entry);
    std::string body;
    data::AppendRecordIoFrame(body, record);
    ServedModel served = Serve({Stump("reg:squarederror", 1, 2)}, AlgorithmVersion::k1_7_1);
    EXPECT_EQ(Infer(served, "application/x-recordio-protobuf", "", body).body, "2.0\n");
    ContainerReply broken = Infer(served, "application/x-recordio-protobuf", "", "nonsense");
    EXPECT_EQ(broken.status, 415);
    EXPECT_EQ(broken.body.substr(0, 45), "Loading recordio-protobuf data failed with Ex");
}

/// The slices' bodies joined.
std::string SlicedAnswer(const ServedModel& served, std::string_view accept, std::string_view body, int& num_slices) {
    SlicedInference slices(served, "text/csv", accept, body);
    std::string all;
    for (num_slices = 0; !slices.done(); ++num_slices) {
        ContainerReply reply = slices.Next();
        if (reply.status != 200) return std::to_string(reply.status) + " " + reply.body;
        all += reply.body;
    }
    return all;
}

TEST(InferenceTest, SlicesTogetherAreTheAnswer) {
    ServedModel old = Serve({Stump("binary:logistic", -1.5F, 2)}, AlgorithmVersion::kLegacy);
    ServedModel modern = Serve({Stump("multi:softprob", -1.5F, 2)}, AlgorithmVersion::k1_7_1);
    ServedModel several = Serve({Stump("multi:softmax", 1, 2), Stump("multi:softmax", 2, 0)}, AlgorithmVersion::k1_7_1);
    ServedModel selecting = Serve({Stump("binary:logistic", -1.5F, 0)}, AlgorithmVersion::k1_2_1);
    selecting.selected_keys = {"predicted_label", "probabilities"};
    ServedModel multi_model = modern;
    multi_model.multi_model = true;
    ServedModel batch = old;
    batch.is_batch = true;
    ServedModel selecting_batch = selecting;
    selecting_batch.is_batch = true;
    for (const std::size_t num_rows : {1, 1024, 1025, 4000}) {
        std::string body;
        for (std::size_t row = 0; row < num_rows; ++row) body += row % 3 == 0 ? ",5\n" : "3.5,\n";
        for (const ServedModel& served : {old, modern, several, selecting, multi_model, batch, selecting_batch}) {
            for (const std::string_view accept :
                 {"", "text/csv", "application/json", "application/jsonlines", "application/x-recordio-protobuf",
                  "text/csv; output=contributions", "application/json; output=interactions", "text/csv; output=leaf",
                  "image/png", "text/csv; output=nonsense"}) {
                int num_slices = 0;
                EXPECT_EQ(SlicedAnswer(served, accept, body, num_slices), Answer(served, accept, body))
                    << num_rows << " rows as " << accept;
                EXPECT_EQ(num_slices > 1 || num_rows <= 1024 || Answer(served, accept, body).substr(3, 1) == " ", true);
            }
        }
    }
}

TEST(InferenceTest, WhatIsRefusedIsRefusedByTheFirstSlice) {
    ServedModel served = Serve({Stump("reg:squarederror", 1.5F, -2)}, AlgorithmVersion::k1_7_1);
    int num_slices = 0;
    for (const std::string_view body : {"", "  ", "a,b", "1,2,3"})
        EXPECT_EQ(SlicedAnswer(served, "", body, num_slices), Answer(served, "", body)) << body;
}

}  // namespace
}  // namespace espalier::hosting
