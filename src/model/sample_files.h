// For tests and fuzz entries: one small sound file of each format that is only read.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/protobuf.h"

namespace espalier::model {

template <typename T>
void AppendLittleEndian(std::string& out, T value) {
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    out.append(bytes, sizeof value);
}

inline void AppendSizedText(std::string& out, std::string_view text) {
    AppendLittleEndian<std::uint64_t>(out, text.size());
    out += text;
}

/// binary:logistic of one stump on feature 1 of 3, as 1.0 wrote it; dart if `booster` says so.
inline std::string SampleOldBinary(std::string_view booster = "gbtree") {
    std::string out = "binf";
    AppendLittleEndian(out, 0.25F);
    for (std::int32_t number : {3, 0, 1, 0, 1, 0}) AppendLittleEndian(out, number);
    out.append(136 - 28, '\0');
    AppendSizedText(out, "binary:logistic");
    AppendSizedText(out, booster);
    for (std::int32_t number : {1, 1, 3, 0, 0, 0, 1, 0}) AppendLittleEndian(out, number);
    out.append(160 - 32, '\0');
    for (std::int32_t number : {1, 3, 0, 1, 3, 0}) AppendLittleEndian(out, number);
    out.append(148 - 24, '\0');
    for (auto [parent, left, right, split, value] :
         std::vector<std::tuple<std::uint32_t, std::int32_t, std::int32_t, std::uint32_t, float>>{
             {0xFFFFFFFFU, 1, 2, 0x80000001U, 0.5F}, {0x80000000U, -1, -1, 0, -1.5F}, {0, -1, -1, 0, 2.0F}}) {
        AppendLittleEndian(out, parent);
        AppendLittleEndian(out, left);
        AppendLittleEndian(out, right);
        AppendLittleEndian(out, split);
        AppendLittleEndian(out, value);
    }
    for (int node = 0; node < 3; ++node) {
        for (float number : {4.0F, 10.0F, 0.5F}) AppendLittleEndian(out, number);
        AppendLittleEndian<std::int32_t>(out, 0);
    }
    AppendLittleEndian<std::int32_t>(out, 0);
    if (booster == "dart") {
        AppendLittleEndian<std::uint64_t>(out, 1);
        AppendLittleEndian(out, 0.75F);
    }
    AppendLittleEndian<std::uint64_t>(out, 2);
    AppendSizedText(out, "best_iteration");
    AppendSizedText(out, "0");
    AppendSizedText(out, "objective");
    AppendSizedText(out, R"({"name":"binary:logistic","reg_loss_param":{"scale_pos_weight":"2"}})");
    return out;
}

/// A Booster of protocol 2 whose handle is `handle`, with feature names.
inline std::string SamplePickle(std::string_view handle) {
    auto text = [](std::string_view value) {
        std::string out = "X";
        AppendLittleEndian<std::uint32_t>(out, static_cast<std::uint32_t>(value.size()));
        return out.append(value);
    };
    std::string out =
        "\x80\x02"
        "cxgboost.core\nBooster\nq\x01)\x81q\x02}q\x03(";
    out += text("handle") + "cbuiltins\nbytearray\nB";
    AppendLittleEndian<std::uint32_t>(out, static_cast<std::uint32_t>(handle.size()));
    out += handle;
    out += "\x85Rq\x04" + text("feature_names") + "]q\x05(" + text("a") + text("b") + text("c") + "e";
    out += text("best_ntree_limit") + "K\x01ub.";
    return out;
}

/// A regression of a tree with a numeric and a categorical split, and of a tree that is one leaf.
inline std::string SampleLightgbm() {
    return "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=2\n"
           "objective=regression\nfeature_names=a b c\nfeature_infos=[0:1] [0:1] 0:1:2\ntree_sizes=400 60\n\n"
           "Tree=0\nnum_leaves=3\nnum_cat=1\nsplit_feature=0 2\nsplit_gain=5 2.5\nthreshold=0.50000000000000011 0\n"
           "decision_type=10 1\nleft_child=1 -1\nright_child=-3 -2\nleaf_value=0.5 -0.25 1.5\nleaf_weight=3 4 5\n"
           "leaf_count=3 4 5\ninternal_value=0 0.125\ninternal_weight=12 7\ninternal_count=12 7\ncat_boundaries=0 1\n"
           "cat_threshold=6\nis_linear=0\nshrinkage=1\n\n\nTree=1\nnum_leaves=1\nnum_cat=0\nleaf_value=0.125\n\n\n"
           "end of trees\n\nparameters:\nend of parameters\n";
}

/// A TreeEnsembleRegressor of one stump, `x1 <= 0.5`.
inline std::string SampleOnnx() {
    std::string node;
    AppendBytesField(node, 4, "TreeEnsembleRegressor");
    auto attribute = [&](std::string_view name, std::uint32_t field, const std::vector<std::string>& values) {
        std::string message;
        AppendBytesField(message, 1, name);
        for (const std::string& value : values) AppendBytesField(message, field, value);
        AppendBytesField(node, 5, message);
    };
    auto ints = [&](std::string_view name, const std::vector<std::uint64_t>& values) {
        std::string packed;
        for (std::uint64_t value : values) AppendVarint(packed, value);
        attribute(name, 8, {packed});
    };
    auto floats = [&](std::string_view name, const std::vector<float>& values) {
        std::string packed;
        for (float value : values) AppendLittleEndian(packed, value);
        attribute(name, 7, {packed});
    };
    ints("nodes_treeids", {0, 0, 0});
    ints("nodes_nodeids", {0, 1, 2});
    ints("nodes_featureids", {1, 0, 0});
    ints("nodes_truenodeids", {1, 0, 0});
    ints("nodes_falsenodeids", {2, 0, 0});
    floats("nodes_values", {0.5F, 0, 0});
    attribute("nodes_modes", 9, {"BRANCH_LEQ", "LEAF", "LEAF"});
    ints("target_treeids", {0, 0});
    ints("target_nodeids", {1, 2});
    ints("target_ids", {0, 0});
    floats("target_weights", {-1, 1.5F});
    floats("base_values", {0.25F});
    attribute("post_transform", 4, {"NONE"});
    std::string graph;
    AppendBytesField(graph, 1, node);
    std::string model;
    AppendVarintField(model, 1, 8);
    AppendBytesField(model, 7, graph);
    return model;
}

}  // namespace espalier::model
