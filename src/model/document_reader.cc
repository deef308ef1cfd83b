#include "model/document_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <utility>

#include "kernels/text_number.h"
#include "model/model_file.h"
#include "model/model_parts.h"

namespace espalier::model {
namespace {

Error Corrupt(std::string message) {
    return Error(ErrorCode::kCorruptData, std::move(message));
}
Error Unsupported(std::string message) {
    return Error(ErrorCode::kInvalidArgument, std::move(message));
}

Error TooManyNames() {
    return Error(ErrorCode::kResourceLimit,
                 fmt::format("the model has more than {} feature names or attributes", kModelNamesMax));
}

template <typename T>
Result<T> ParseParam(std::string_view name, std::string_view text) {
    T value{};
    auto [stop, status] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (status != std::errc() || stop != text.data() + text.size()) {
        return Corrupt(fmt::format("{} is '{}', which is not a whole number in range", name, text));
    }
    return value;
}

// "5E-1", "[5E-1]" or "[1E0, 2E0]".
Result<std::vector<float>> ParseBaseScore(std::string_view text) {
    std::vector<float> scores;
    const char* p = text.data();
    const char* end = p + text.size();
    auto skip = [&](char c) {
        while (p != end && (*p == ' ' || *p == c)) ++p;
    };
    bool list = !text.empty() && text.front() == '[';
    if (list) ++p;
    for (;;) {
        skip(',');
        if (p == end || *p == ']') break;
        float score;
        const char* stop = kernels::ParseFloatSlow(p, end, score);
        if (stop == nullptr) return Corrupt(fmt::format("base_score is '{}', which is no number", text));
        p = stop;
        scores.push_back(score);
    }
    bool closed = list ? (p != end && *p == ']' && p + 1 == end) : p == end;
    if (!closed || scores.empty()) return Corrupt(fmt::format("base_score is '{}', which is no number", text));
    return scores;
}

// One reading of one document; members are what was found so far.
class Reader {
  public:
    explicit Reader(std::unique_ptr<DocumentCursor> cursor) : cursor_(std::move(cursor)) {}

    Result<TreeEnsemble> Run() {
        bool has_learner = false;
        TRY(cursor_->ReadObject([&](std::string_view key) -> Result<void> {
            if (key == "learner") {
                has_learner = true;
                return ReadLearner();
            }
            // What pickles of 1.6 and later hold: {"Model": {"learner": …}, "Config": …}.
            if (key != "Model") return cursor_->Skip();
            return cursor_->ReadObject([&](std::string_view inner) -> Result<void> {
                if (inner != "learner") return cursor_->Skip();
                has_learner = true;
                return ReadLearner();
            });
        }));
        TRY(cursor_->ExpectEnd());
        if (!has_learner) return Corrupt("this is no XGBoost model: it has no member 'learner'");
        TRY(SetBooster());
        TRY(Complete());
        return std::move(model_);
    }

  private:
    Result<void> ReadLearner() {
        return cursor_->ReadObject([&](std::string_view key) -> Result<void> {
            if (key == "attributes") return ReadStrings(model_.attributes);
            if (key == "feature_names") return ReadStringArray(model_.feature_names);
            if (key == "feature_types") return ReadStringArray(model_.feature_types);
            if (key == "gradient_booster") return ReadBooster();
            if (key == "learner_model_param") return ReadStrings(learner_params_);
            if (key == "objective") return ReadObjective();
            return cursor_->Skip();
        });
    }

    Result<void> ReadBooster() {
        return cursor_->ReadObject([&](std::string_view key) -> Result<void> {
            if (key == "name") return cursor_->ReadString(booster_);
            if (key == "model") return ReadBoosterModel();
            if (key == "weight_drop") return cursor_->ReadFloats(model_.weight_drop);
            if (key != "gbtree") return cursor_->Skip();
            // The trees of dart.
            return cursor_->ReadObject([&](std::string_view inner) -> Result<void> {
                return inner == "model" ? ReadBoosterModel() : cursor_->Skip();
            });
        });
    }

    Result<void> ReadBoosterModel() {
        return cursor_->ReadObject([&](std::string_view key) -> Result<void> {
            if (key == "gbtree_model_param") return ReadStrings(booster_params_);
            if (key == "weights") return cursor_->ReadFloats(model_.linear_weights);
            if (key == "boosted_rounds") return cursor_->ReadInteger(model_.boosted_rounds);
            if (key == "cats") return ReadCategoryNames();
            if (key == "tree_info") return cursor_->ReadInts(model_.tree_info);
            if (key == "iteration_indptr") {
                has_iteration_indptr_ = true;
                return cursor_->ReadInts(model_.iteration_indptr);
            }
            if (key != "trees") return cursor_->Skip();
            model_.trees.clear();
            return cursor_->ReadArray([&]() -> Result<void> {
                TRY_MSG(ReadTree(), fmt::format("tree {}", model_.trees.size()));
                return {};
            });
        });
    }

    Result<void> ReadCategoryNames() {
        return cursor_->ReadObject([&](std::string_view key) -> Result<void> {
            if (key == "feature_segments") return cursor_->ReadInts(model_.category_names_segments);
            if (key == "sorted_idx") return cursor_->ReadInts(model_.category_names_sorted_idx);
            if (key != "enc") return cursor_->Skip();
            model_.category_names.clear();
            return cursor_->ReadArray([&]() -> Result<void> {
                if (model_.category_names.size() >= kModelNamesMax) return TooManyNames();
                CategoryNames& names = model_.category_names.emplace_back();
                return cursor_->ReadObject([&](std::string_view member) -> Result<void> {
                    if (member == "type") return cursor_->ReadInteger(names.type);
                    if (member == "offsets") return cursor_->ReadInts(names.offsets);
                    return member == "values" ? cursor_->ReadInt64s(names.values) : cursor_->Skip();
                });
            });
        });
    }

    Result<void> ReadTree() {
        Tree tree;
        std::map<std::string, std::string> params;
        unsigned found = 0;
        auto floats = [&](std::vector<float>& values, unsigned bit) {
            found |= 1U << bit;
            return cursor_->ReadFloats(values);
        };
        auto ints = [&](std::vector<std::int32_t>& values, unsigned bit) {
            found |= 1U << bit;
            return cursor_->ReadInts(values);
        };
        TRY(cursor_->ReadObject([&](std::string_view key) -> Result<void> {
            if (key == "left_children") return ints(tree.left_children, 0);
            if (key == "right_children") return ints(tree.right_children, 1);
            if (key == "parents") return ints(tree.parents, 2);
            if (key == "split_indices") return ints(tree.split_indices, 3);
            if (key == "split_conditions") return floats(tree.split_conditions, 4);
            if (key == "base_weights") return floats(tree.base_weights, 5);
            if (key == "loss_changes") return floats(tree.loss_changes, 6);
            if (key == "sum_hessian") return floats(tree.sum_hessian, 7);
            if (key == "tree_param") return ReadStrings(params);
            if (key == "split_type") return cursor_->ReadBytes(tree.split_type);
            if (key == "categories") return cursor_->ReadInts(tree.categories);
            if (key == "categories_nodes") return cursor_->ReadInts(tree.categories_nodes);
            if (key == "categories_segments") return cursor_->ReadInt64s(tree.categories_segments);
            if (key == "categories_sizes") return cursor_->ReadInt64s(tree.categories_sizes);
            if (key == "leaf_weights") return cursor_->ReadFloats(tree.leaf_weights);
            if (key != "default_left") return cursor_->Skip();
            found |= 1U << 8;
            return cursor_->ReadBytes(tree.default_left);
        }));
        TRY(FinishTree(tree, params, found));
        model_.trees.push_back(std::move(tree));
        return {};
    }

    static constexpr unsigned kLossChangesBit = 1U << 6;
    static constexpr unsigned kSumHessianBit = 1U << 7;

    static Result<void> FinishTree(Tree& tree, const std::map<std::string, std::string>& params, unsigned found) {
        auto leaf_size = params.find("size_leaf_vector");
        // Files before 2.0 say 0.
        if (leaf_size != params.end() && leaf_size->second != "0") {
            tree.leaf_size = TRY(ParseParam<std::int32_t>("size_leaf_vector", leaf_size->second));
        }
        if (tree.leaf_size > 1 && tree.leaf_weights.empty()) {
            MakeLeafRows(tree);
            tree.loss_changes.resize(tree.num_nodes());
            tree.sum_hessian.resize(tree.num_nodes());
            found |= kLossChangesBit | kSumHessianBit;
        }
        if (tree.leaf_size == 1) tree.leaf_weights.clear();
        constexpr unsigned kAll = (1U << 9) - 1;
        if (found != kAll) return Corrupt("an array of the tree is missing");
        auto num_nodes = params.find("num_nodes");
        if (num_nodes != params.end() &&
            TRY(ParseParam<std::uint64_t>("num_nodes", num_nodes->second)) != tree.num_nodes()) {
            return Corrupt(fmt::format("num_nodes is {} but there are {} nodes", num_nodes->second, tree.num_nodes()));
        }
        if (std::all_of(tree.split_type.begin(), tree.split_type.end(), [](std::uint8_t type) { return type == 0; })) {
            tree.split_type.clear();
        }
        return {};
    }

    // Files of 2.0 to 3.0 keep a leaf's vector among base_weights and no statistics. CheckEnsemble sees the sizes
    // later.
    static void MakeLeafRows(Tree& tree) {
        auto leaf_size = static_cast<std::size_t>(tree.leaf_size);
        std::int32_t row = 0;
        for (std::size_t node = 0; node < std::min(tree.num_nodes(), tree.right_children.size()); ++node) {
            if (!tree.is_leaf(node) || (node + 1) * leaf_size > tree.base_weights.size()) continue;
            auto values = tree.base_weights.begin() + static_cast<std::ptrdiff_t>(node * leaf_size);
            tree.leaf_weights.insert(tree.leaf_weights.end(), values, values + tree.leaf_size);
            tree.right_children[node] = row++;
        }
    }

    Result<void> ReadObjective() {
        return cursor_->ReadObject([&](std::string_view key) -> Result<void> {
            if (key == "name") return cursor_->ReadString(model_.objective);
            if (key.ends_with("_param")) return ReadStrings(model_.objective_params);
            return cursor_->Skip();
        });
    }

    Result<void> ReadStrings(std::map<std::string, std::string>& strings) {
        return model::ReadStrings(*cursor_, strings);
    }

    Result<void> ReadStringArray(std::vector<std::string>& strings) {
        strings.clear();
        return cursor_->ReadArray([&]() -> Result<void> {
            if (strings.size() >= kModelNamesMax) return TooManyNames();
            return cursor_->ReadString(strings.emplace_back());
        });
    }

    Result<void> SetBooster() {
        if (booster_ == "dart") {
            model_.booster = Booster::kDart;
        } else if (booster_ == "gblinear") {
            model_.booster = Booster::kGblinear;
        } else if (booster_ != "gbtree") {
            return Unsupported(
                fmt::format("the booster '{}' is not known: it is none of gbtree, dart, gblinear", booster_));
        }
        return {};
    }

    Result<std::string_view> LearnerParam(const std::string& name) const {
        auto found = learner_params_.find(name);
        if (found == learner_params_.end()) return Corrupt(fmt::format("learner_model_param has no '{}'", name));
        return std::string_view(found->second);
    }

    Result<void> Complete() {
        model_.base_score = TRY(ParseBaseScore(TRY(LearnerParam("base_score"))));
        model_.num_feature = TRY(ParseParam<std::uint32_t>("num_feature", TRY(LearnerParam("num_feature"))));
        auto num_class = TRY(ParseParam<std::int32_t>("num_class", TRY(LearnerParam("num_class"))));
        auto num_target = learner_params_.find("num_target");
        TRY(SetOutputs(
            model_, num_class,
            num_target == learner_params_.end() ? 1 : TRY(ParseParam<std::int32_t>("num_target", num_target->second))));
        auto boost_from_average = learner_params_.find("boost_from_average");
        model_.boost_from_average = boost_from_average == learner_params_.end() || boost_from_average->second != "0";
        auto parallel = booster_params_.find("num_parallel_tree");
        if (parallel != booster_params_.end()) {
            model_.num_parallel_tree = TRY(ParseParam<std::int32_t>("num_parallel_tree", parallel->second));
        }
        // Models of 1.0 to 1.2 write 0.
        if (model_.num_parallel_tree < 1) model_.num_parallel_tree = 1;
        auto num_trees = booster_params_.find("num_trees");
        if (num_trees != booster_params_.end() &&
            TRY(ParseParam<std::uint64_t>("num_trees", num_trees->second)) != model_.trees.size()) {
            return Corrupt(
                fmt::format("num_trees is {} but there are {} trees", num_trees->second, model_.trees.size()));
        }
        return has_iteration_indptr_ ? Result<void>() : MakeIterationIndptr(model_);
    }

    std::unique_ptr<DocumentCursor> cursor_;
    TreeEnsemble model_;
    std::string booster_ = "gbtree";
    std::map<std::string, std::string> learner_params_;
    std::map<std::string, std::string> booster_params_;
    bool has_iteration_indptr_ = false;
};

}  // namespace

Result<TreeEnsemble> ReadDocument(std::unique_ptr<DocumentCursor> cursor) {
    return Reader(std::move(cursor)).Run();
}

}  // namespace espalier::model
