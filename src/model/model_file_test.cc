#include "model/model_file.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "model/predictor.h"

namespace espalier::model {
namespace {

Tree Stump(std::int32_t feature, float condition, float left, float right) {
    Tree tree;
    tree.left_children = {1, -1, -1};
    tree.right_children = {2, -1, -1};
    tree.parents = {kRootParent, 0, 0};
    tree.split_indices = {feature, 0, 0};
    tree.split_conditions = {condition, left, right};
    tree.default_left = {1, 0, 0};
    tree.base_weights = {0, left, right};
    tree.loss_changes = {3.5F, 0, 0};
    tree.sum_hessian = {10, 4, 6};
    return tree;
}

TreeEnsemble Sample() {
    TreeEnsemble model;
    model.objective = "multi:softprob";
    model.num_class = 3;
    model.num_feature = 5;
    model.base_score = {0.1F, -0.25F, 0.5F};
    for (int i = 0; i < 6; ++i) {
        model.trees.push_back(Stump(i % 5, 0.1F * static_cast<float>(i), -1.0F / 3, 1e-30F * static_cast<float>(i)));
        model.tree_info.push_back(i % 3);
    }
    model.iteration_indptr = {0, 3, 6};
    model.attributes = {{"best_iteration", "1"}, {"note", "quote \" backslash \\ tab \t end"}};
    model.feature_names = {"a", "b", "c", "d", "é"};
    model.feature_types = {"float", "float", "float", "float", "int"};
    return model;
}

void ExpectEqual(const TreeEnsemble& a, const TreeEnsemble& b) {
    EXPECT_EQ(a.objective, b.objective);
    EXPECT_EQ(a.num_class, b.num_class);
    EXPECT_EQ(a.num_feature, b.num_feature);
    EXPECT_EQ(a.base_score, b.base_score);
    EXPECT_EQ(a.tree_info, b.tree_info);
    EXPECT_EQ(a.iteration_indptr, b.iteration_indptr);
    EXPECT_EQ(a.attributes, b.attributes);
    EXPECT_EQ(a.feature_names, b.feature_names);
    EXPECT_EQ(a.feature_types, b.feature_types);
    ASSERT_EQ(a.trees.size(), b.trees.size());
    for (std::size_t i = 0; i < a.trees.size(); ++i) {
        EXPECT_EQ(a.trees[i].left_children, b.trees[i].left_children);
        EXPECT_EQ(a.trees[i].right_children, b.trees[i].right_children);
        EXPECT_EQ(a.trees[i].parents, b.trees[i].parents);
        EXPECT_EQ(a.trees[i].split_indices, b.trees[i].split_indices);
        EXPECT_EQ(a.trees[i].split_conditions, b.trees[i].split_conditions);
        EXPECT_EQ(a.trees[i].default_left, b.trees[i].default_left);
        EXPECT_EQ(a.trees[i].base_weights, b.trees[i].base_weights);
        EXPECT_EQ(a.trees[i].loss_changes, b.trees[i].loss_changes);
        EXPECT_EQ(a.trees[i].sum_hessian, b.trees[i].sum_hessian);
    }
}

std::string Replace(std::string text, const std::string& from, const std::string& to) {
    std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

std::string Message(const std::string& bytes) {
    Result<TreeEnsemble> model = ReadModel(bytes);
    return model ? "read" : model.error().ToString();
}

#define EXPECT_TELLS(bytes, part) EXPECT_NE(Message(bytes).find(part), std::string::npos) << Message(bytes)

TEST(ModelFileTest, BothFormatsComeBackAsWritten) {
    TreeEnsemble model = Sample();
    for (ModelFormat format : {ModelFormat::kJson, ModelFormat::kUbjson}) {
        std::string bytes = WriteModel(model, format);
        EXPECT_EQ(*DetectModelFormat(bytes), format);
        Result<TreeEnsemble> read = ReadModel(bytes);
        ASSERT_TRUE(read) << read.error().ToString();
        ExpectEqual(model, *read);
        EXPECT_EQ(WriteModel(*read, format), bytes);
    }
}

TEST(ModelFileTest, TellsWhatIsNotSupportedByName) {
    std::string json = WriteModel(Sample(), ModelFormat::kJson);
    EXPECT_TELLS(Replace(json, "\"name\":\"gbtree\"", "\"name\":\"forest\""), "booster 'forest'");
    EXPECT_TELLS(Replace(json, "multi:softprob", "reg:nothing"), "objective 'reg:nothing'");
    EXPECT_TELLS(Replace(json, "\"num_target\":\"1\"", "\"num_target\":\"4\""), "4 targets");
    EXPECT_TELLS(std::string("\x80\x03"
                             "cos\nsystem\n"),
                 "'os system'");
    EXPECT_EQ(ReadModel("\x80\x03\xff").error().code(), ErrorCode::kInvalidArgument);
}

TEST(ModelFileTest, TellsWhatIsBroken) {
    std::string json = WriteModel(Sample(), ModelFormat::kJson);
    EXPECT_TELLS("", "empty");
    EXPECT_TELLS("hello", "no model file");
    EXPECT_TELLS("binf....", "cut off");
    EXPECT_TELLS("\x80\x03", "cut off");
    EXPECT_TELLS("tree\nversion=v4", "max_feature_idx is missing");
    EXPECT_TELLS(Replace(json, "\"name\":\"gbtree\"", "\"name\":\"dart\""), "weight_drop has 0 entries");
    EXPECT_TELLS(Replace(json, "\"size_leaf_vector\":\"1\"", "\"size_leaf_vector\":\"3\""), "differ in length");
    EXPECT_TELLS(Replace(json, "\"split_type\":[0,", "\"split_type\":[1,"), "splits on categories, but has none");
    EXPECT_TELLS("{}", "no member 'learner'");
    EXPECT_TELLS(Replace(json, "\"left_children\":[1,", "\"left_children\":[9,"), "outside the tree");
    EXPECT_TELLS(Replace(json, "\"left_children\":[1,", "\"left_children\":[0,"), "child of two nodes");
    EXPECT_TELLS(Replace(json, "\"left_children\":[1,", "\"left_children\":[2,"), "child of two nodes");
    EXPECT_TELLS(Replace(json, "\"right_children\":[2,", "\"right_children\":[-1,"), "has a child -1");
    EXPECT_TELLS(Replace(json, "\"parents\":[2147483647,0", "\"parents\":[2147483647,2"), "as its parent");
    EXPECT_TELLS(Replace(json, "\"split_indices\":[0,", "\"split_indices\":[5,"), "splits on feature 5");
    EXPECT_TELLS(Replace(json, "\"tree_info\":[0,", "\"tree_info\":[3,"), "belongs to class 3");
    EXPECT_TELLS(Replace(json, "\"iteration_indptr\":[0,3,6]", "\"iteration_indptr\":[0,3,7]"), "iteration_indptr");
    EXPECT_TELLS(Replace(json, "\"num_trees\":\"6\"", "\"num_trees\":\"7\""), "num_trees");
    EXPECT_TELLS(Replace(json, "\"num_class\":\"3\"", "\"num_class\":\"x\""), "num_class");
    EXPECT_TELLS(Replace(json, "\"num_class\":\"3\"", "\"num_class\":\"1\""), "at least 2");
    EXPECT_TELLS(Replace(json, "[1E-1,-2.5E-1,5E-1]", "[1E-1,5E-1]"), "base_score");
    EXPECT_TELLS(Replace(json, "[1E-1,-2.5E-1,5E-1]", "nonsense"), "base_score");
    EXPECT_TELLS(Replace(json, "[1E-1,-2.5E-1,5E-1]", "[NaN]"), "base_score");
    EXPECT_TELLS(Replace(json, "\"sum_hessian\":[1E1,", "\"sum_hessian\":["), "differ in length");
    EXPECT_TELLS(Replace(json, "\"sum_hessian\"", "\"sum_of_hessian\""), "missing");
    EXPECT_TELLS(json + "x", "follows the end");
}

// Every cut of both formats is an error, never a crash (the sanitizers watch in the asan build).
TEST(ModelFileTest, EveryTruncationIsAnError) {
    for (ModelFormat format : {ModelFormat::kJson, ModelFormat::kUbjson}) {
        std::string bytes = WriteModel(Sample(), format);
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            std::string cut = bytes.substr(0, size);
            cut.shrink_to_fit();
            EXPECT_FALSE(ReadModel(cut)) << size;
        }
    }
}

TEST(ModelFileTest, HostileDocumentsAreRefused) {
    EXPECT_TELLS(std::string("{\"a\":") + std::string(100000, '[') + std::string(100000, ']') + "}", "too deeply");
    std::string deep = "{L" + std::string("\0\0\0\0\0\0\0\1a", 9) + std::string(100000, '[');
    EXPECT_TELLS(deep, "too deeply");
    // An array that claims 2^40 elements, of a type with bytes and of one without.
    std::string key = "{L" + std::string("\0\0\0\0\0\0\0\1a", 9);
    std::string count("\0\0\1\0\0\0\0\0", 8);
    EXPECT_TELLS(key + "[$d#L" + count, "cut off");
    EXPECT_TELLS(key + "[$T#L" + count, "not supported");
    EXPECT_TELLS(key + "[#L" + count, "cut off");
    EXPECT_TELLS(key + "SL" + count, "cut off");
    EXPECT_TELLS(key + "SL" + std::string(8, '\xFF'), "negative");
    EXPECT_TELLS("{L" + count, "cut off");
}

TEST(ModelFileTest, NamesAreLimited) {
    TreeEnsemble model = Sample();
    model.feature_names.assign(kModelNamesMax, "");
    std::string bytes = WriteModel(model, ModelFormat::kUbjson);
    EXPECT_TRUE(ReadModel(bytes));
    model.feature_names.push_back("");
    Result<TreeEnsemble> refused = ReadModel(WriteModel(model, ModelFormat::kUbjson));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::kResourceLimit);
}

TEST(ModelFileTest, ReadsTheOlderSpellings) {
    TreeEnsemble model = Sample();
    std::string json = WriteModel(model, ModelFormat::kJson);
    std::string old = Replace(json, "\"iteration_indptr\":[0,3,6],", "");
    for (int i = 0; i < 6; ++i) {
        old = Replace(old, "\"split_type\":[0,0,0],", "");
        old = Replace(old, "\"default_left\":[1,0,0]", "\"default_left\":[true,false,false]");
        old = Replace(old, "\"size_leaf_vector\":\"1\"", "\"size_leaf_vector\":\"0\"");
    }
    old = Replace(old, "\"[1E-1,-2.5E-1,5E-1]\"", "\"5E-1\"");
    old = Replace(old, "\"num_parallel_tree\":\"1\"", "\"num_parallel_tree\":\"0\"");
    old = Replace(old, "\"feature_names\"", " \n\t\"feature\\u005fnames\"");
    Result<TreeEnsemble> read = ReadModel(old);
    ASSERT_TRUE(read) << read.error().ToString();
    model.base_score = {0.5F};
    ExpectEqual(model, *read);
}

}  // namespace
}  // namespace espalier::model
