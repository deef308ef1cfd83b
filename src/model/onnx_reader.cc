#include "model/onnx_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <unordered_map>
#include <utility>

#include "base/protobuf.h"
#include "model/float_threshold.h"
#include "model/links.h"
#include "model/model_file.h"
#include "model/model_parts.h"
#include "model/onnx_graph.h"

namespace espalier::model {
namespace {

Error Corrupt(std::string message) {
    return Error(ErrorCode::kCorruptData, std::move(message));
}
Error Unsupported(std::string message) {
    return Error(ErrorCode::kInvalidArgument, std::move(message));
}

// Turns the attributes into trees. Nodes stand tree after tree, as every writer gives them.
class Builder {
  public:
    explicit Builder(OnnxEnsemble onnx) : onnx_(std::move(onnx)) {}

    Result<TreeEnsemble> Run() {
        TRY(TakeArrays());
        TRY(SetObjective());
        TRY(MakeTrees());
        TRY(SetLeaves());
        for (std::size_t tree = 0; tree < model_.trees.size(); ++tree) model_.tree_info.push_back(groups_[tree]);
        // A graph knows no rounds: each tree is one, unless they go through the groups in turn.
        std::size_t per_round = RoundSize();
        for (std::size_t tree = 0; tree <= model_.trees.size(); tree += per_round)
            model_.iteration_indptr.push_back(static_cast<std::int32_t>(tree));
        model_.iteration_indptr.erase(model_.iteration_indptr.begin());
        TRY(SetIntercept());
        return std::move(model_);
    }

  private:
    Result<std::span<const std::int32_t>> Ints(std::string_view name, std::size_t count) const {
        auto found = onnx_.ints.find(name);
        std::size_t size = found == onnx_.ints.end() ? 0 : found->second.size();
        if (size != count)
            return Corrupt(fmt::format("the attribute {} has {} numbers instead of {}", name, size, count));
        if (count == 0) return std::span<const std::int32_t>();
        return std::span<const std::int32_t>(found->second);
    }

    Result<void> TakeArrays() {
        std::size_t n = onnx_.modes.size();
        if (n == 0) return Corrupt("the tree ensemble has no nodes");
        tree_ids_ = TRY(Ints("nodes_treeids", n));
        node_ids_ = TRY(Ints("nodes_nodeids", n));
        features_ = TRY(Ints("nodes_featureids", n));
        true_ids_ = TRY(Ints("nodes_truenodeids", n));
        false_ids_ = TRY(Ints("nodes_falsenodeids", n));
        if (onnx_.ints.contains("nodes_missing_value_tracks_true"))
            tracks_true_ = TRY(Ints("nodes_missing_value_tracks_true", n));
        auto values = onnx_.floats.find("nodes_values");
        if (values == onnx_.floats.end() || values->second.size() != n) {
            return Corrupt(fmt::format("the attribute nodes_values does not have {} numbers", n));
        }
        values_ = values->second;
        std::string_view prefix = onnx_.classifier ? "class" : "target";
        auto weights = onnx_.floats.find(fmt::format("{}_weights", prefix));
        if (weights == onnx_.floats.end()) return Corrupt(fmt::format("the attribute {}_weights is missing", prefix));
        weights_ = weights->second;
        leaf_trees_ = TRY(Ints(fmt::format("{}_treeids", prefix), weights_.size()));
        leaf_nodes_ = TRY(Ints(fmt::format("{}_nodeids", prefix), weights_.size()));
        leaf_groups_ = TRY(Ints(fmt::format("{}_ids", prefix), weights_.size()));
        return {};
    }

    std::string_view Text(std::string_view name, std::string_view otherwise) const {
        auto found = onnx_.texts.find(name);
        return found == onnx_.texts.end() ? otherwise : std::string_view(found->second);
    }

    Result<void> SetObjective() {
        std::string_view transform = Text("post_transform", "NONE");
        std::string_view aggregate = Text("aggregate_function", "SUM");
        if (aggregate != "SUM" && aggregate != "AVERAGE") {
            return Unsupported(fmt::format("aggregate_function {} is not supported", aggregate.substr(0, 60)));
        }
        average_ = aggregate == "AVERAGE";
        bool one_group = std::all_of(leaf_groups_.begin(), leaf_groups_.end(),
                                     [&](std::int32_t id) { return id == leaf_groups_[0]; });
        auto targets = onnx_.numbers.find("n_targets");
        std::int64_t outputs = targets == onnx_.numbers.end() ? 1 : targets->second;
        if (onnx_.classifier) outputs = static_cast<std::int64_t>(onnx_.num_labels);
        bool two_classes = onnx_.classifier && outputs <= 2 && one_group;
        if (two_classes) outputs = 1;
        // Two classes with one weight a leaf: the weight is the margin of the second class.
        one_group_ = outputs == 1;
        if (transform == "LOGISTIC" && one_group_) {
            model_.objective = onnx_.classifier ? "binary:logistic" : "reg:logistic";
        } else if (transform == "SOFTMAX" && !one_group_) {
            model_.objective = "multi:softprob";
        } else if (transform == "NONE" && !two_classes) {
            model_.objective = "reg:squarederror";
        } else {
            return Unsupported(
                fmt::format("post_transform {} of {} outputs is not supported", transform.substr(0, 60), outputs));
        }
        bool multi = model_.objective == "multi:softprob";
        TRY(SetOutputs(model_, multi ? outputs : 0, multi ? 1 : outputs));
        for (std::int32_t id : leaf_groups_) {
            bool known = one_group_ || (id >= 0 && static_cast<std::size_t>(id) < model_.num_groups());
            if (!known) return Corrupt(fmt::format("a leaf belongs to output {} of {}", id, model_.num_groups()));
        }
        model_.num_feature = onnx_.num_inputs;
        return {};
    }

    // Calls on_tree with the first node and the one after the last, for each tree.
    Result<void> MakeTrees() {
        std::size_t n = onnx_.modes.size();
        for (std::size_t begin = 0; begin < n;) {
            std::size_t end = begin;
            while (end < n && tree_ids_[end] == tree_ids_[begin]) ++end;
            if (!tree_of_id_.emplace(tree_ids_[begin], model_.trees.size()).second) {
                return Unsupported(fmt::format("the nodes of tree {} do not stand together", tree_ids_[begin]));
            }
            TRY_MSG(MakeTree(begin, end), fmt::format("tree {}", tree_ids_[begin]));
            begin = end;
        }
        return {};
    }

    // Places of nodes are their numbers, which writers count from 0; others are looked up.
    Result<std::int32_t> Place(std::size_t begin, std::size_t end, std::int32_t id) const {
        if (id >= 0 && static_cast<std::size_t>(id) < end - begin &&
            node_ids_[begin + static_cast<std::size_t>(id)] == id)
            return id;
        return Corrupt(fmt::format("node {} is missing; nodes must be numbered from 0 in their order", id));
    }

    Result<void> MakeTree(std::size_t begin, std::size_t end) {
        Tree tree;
        std::size_t num_nodes = end - begin;
        for (auto* ints : {&tree.left_children, &tree.right_children, &tree.split_indices}) ints->assign(num_nodes, 0);
        tree.parents.assign(num_nodes, kRootParent);
        for (auto* floats : {&tree.split_conditions, &tree.base_weights, &tree.loss_changes, &tree.sum_hessian})
            floats->assign(num_nodes, 0);
        tree.default_left.assign(num_nodes, 0);
        for (std::size_t node = 0; node < num_nodes; ++node) {
            TRY(Place(begin, end, static_cast<std::int32_t>(node)));
            if (onnx_.modes[begin + node] == OnnxMode::kLeaf) {
                tree.left_children[node] = tree.right_children[node] = -1;
                continue;
            }
            TRY(SetSplit(tree, node, begin, end));
        }
        model_.trees.push_back(std::move(tree));
        return {};
    }

    Result<void> SetSplit(Tree& tree, std::size_t node, std::size_t begin, std::size_t end) {
        std::size_t at = begin + node;
        OnnxMode mode = onnx_.modes[at];
        bool true_left = mode == OnnxMode::kLess || mode == OnnxMode::kLessOrEqual;
        bool just_above = mode == OnnxMode::kLessOrEqual || mode == OnnxMode::kGreater;
        std::int32_t on_true = TRY(Place(begin, end, true_ids_[at]));
        std::int32_t on_false = TRY(Place(begin, end, false_ids_[at]));
        bool missing_true = !tracks_true_.empty() && tracks_true_[at] != 0;
        tree.left_children[node] = true_left ? on_true : on_false;
        tree.right_children[node] = true_left ? on_false : on_true;
        tree.default_left[node] = missing_true == true_left ? 1 : 0;
        tree.split_conditions[node] = just_above ? JustAbove(static_cast<double>(values_[at])) : values_[at];
        tree.split_indices[node] = features_[at];
        if (features_[at] < 0 || features_[at] == kDeletedNodeMarker)
            return Corrupt(fmt::format("a node splits on feature {}", features_[at]));
        model_.num_feature = std::max(model_.num_feature, static_cast<std::uint32_t>(features_[at]) + 1);
        for (std::int32_t child : {on_true, on_false})
            tree.parents[static_cast<std::size_t>(child)] = static_cast<std::int32_t>(node);
        return {};
    }

    // Weights of one output for each tree make trees of that output; others make vector leaves.
    Result<void> SetLeaves() {
        std::size_t num_trees = model_.trees.size();
        groups_.assign(num_trees, -1);
        std::vector<std::uint8_t> mixed(num_trees, 0);
        std::vector<std::size_t> tree_of(weights_.size());
        for (std::size_t i = 0; i < weights_.size(); ++i) {
            auto found = tree_of_id_.find(leaf_trees_[i]);
            if (found == tree_of_id_.end())
                return Corrupt(fmt::format("a leaf belongs to tree {}, which is missing", leaf_trees_[i]));
            std::size_t tree = tree_of[i] = found->second;
            std::int32_t group = one_group_ ? 0 : leaf_groups_[i];
            if (groups_[tree] >= 0 && groups_[tree] != group) mixed[tree] = 1;
            groups_[tree] = group;
        }
        for (std::size_t tree = 0; tree < num_trees; ++tree) {
            groups_[tree] = mixed[tree] != 0 ? 0 : std::max(groups_[tree], 0);
            if (mixed[tree] != 0) TRY(MakeLeafVectors(model_.trees[tree]));
        }
        float scale = average_ ? 1.0F / static_cast<float>(num_trees) : 1.0F;
        for (std::size_t i = 0; i < weights_.size(); ++i) {
            Tree& tree = model_.trees[tree_of[i]];
            auto node = static_cast<std::size_t>(leaf_nodes_[i]);
            if (leaf_nodes_[i] < 0 || node >= tree.num_nodes() || !tree.is_leaf(node)) {
                return Corrupt(
                    fmt::format("node {} of tree {} is no leaf, but has a weight", leaf_nodes_[i], leaf_trees_[i]));
            }
            std::size_t group = one_group_ ? 0 : static_cast<std::size_t>(leaf_groups_[i]);
            float& value =
                tree.has_leaf_vectors()
                    ? tree.leaf_weights[static_cast<std::size_t>(tree.right_children[node]) * model_.num_groups() +
                                        group]
                    : tree.split_conditions[node];
            value += scale * weights_[i];
        }
        return {};
    }

    Result<void> MakeLeafVectors(Tree& tree) {
        std::size_t outputs = model_.num_groups();
        std::int32_t row = 0;
        for (std::size_t node = 0; node < tree.num_nodes(); ++node) {
            if (tree.is_leaf(node)) tree.right_children[node] = row++;
        }
        // A few leaves with weights for a few of very many outputs would grow without bound.
        num_leaf_values_ += (static_cast<std::size_t>(row) + tree.num_nodes()) * outputs;
        if (num_leaf_values_ > 3 * weights_.size() + kLeafValuesMin) {
            return Error(ErrorCode::kResourceLimit,
                         "the leaves have weights for a few of their outputs only; that many zeros are not kept");
        }
        tree.leaf_size = static_cast<std::int32_t>(outputs);
        tree.leaf_weights.assign(static_cast<std::size_t>(row) * outputs, 0);
        tree.base_weights.assign(tree.num_nodes() * outputs, 0);
        return {};
    }

    std::size_t RoundSize() const {
        std::size_t groups = model_.num_groups();
        bool in_turn = model_.trees.size() % groups == 0;
        for (std::size_t tree = 0; tree < groups_.size() && in_turn; ++tree)
            in_turn =
                static_cast<std::size_t>(groups_[tree]) == tree % groups && !model_.trees[tree].has_leaf_vectors();
        return in_turn ? groups : 1;
    }

    Result<void> SetIntercept() {
        auto found = onnx_.floats.find("base_values");
        std::vector<float> base = found == onnx_.floats.end() ? std::vector<float>() : found->second;
        if (one_group_ && base.size() == 2) base = {base[1]};
        if (base.empty()) base = {0};
        if (base.size() != 1 && base.size() != model_.num_groups()) {
            return Corrupt(fmt::format("base_values has {} numbers for {} outputs", base.size(), model_.num_groups()));
        }
        model_.boost_from_average = false;
        bool sigmoid = model_.objective.ends_with("logistic");
        model_.base_score = sigmoid ? std::vector<float>{0.5F} : base;
        if (!sigmoid || base[0] == 0) return {};
        Tree& first = model_.trees[0];
        for (std::size_t node = 0; node < first.num_nodes(); ++node) {
            if (first.is_leaf(node)) first.split_conditions[node] += base[0];
        }
        return {};
    }

    static constexpr std::size_t kLeafValuesMin = 100'000;

    OnnxEnsemble onnx_;
    std::span<const std::int32_t> tree_ids_, node_ids_, features_, true_ids_, false_ids_, tracks_true_;
    std::span<const std::int32_t> leaf_trees_, leaf_nodes_, leaf_groups_;
    std::span<const float> values_, weights_;
    bool one_group_ = true;
    bool average_ = false;
    std::size_t num_leaf_values_ = 0;
    std::unordered_map<std::int32_t, std::size_t> tree_of_id_;
    std::vector<std::int32_t> groups_;  // [trees]
    TreeEnsemble model_;
};

}  // namespace

bool LooksLikeOnnx(std::string_view bytes) {
    // ir_version (1), a small number, and then another field of a model.
    if (bytes.size() < 4 || bytes[0] != '\x08' || bytes[1] < 1 || bytes[1] > 32) return false;
    ProtobufCursor cursor(bytes);
    ProtobufField field;
    bool has_graph = false;
    while (!has_graph && cursor.Next(field)) has_graph = field.number == 7;
    return has_graph || cursor.offset() > 2;
}

Result<TreeEnsemble> ReadOnnx(std::string_view bytes) {
    return Builder(TRY(ReadOnnxGraph(bytes))).Run();
}

}  // namespace espalier::model
