#include <fmt/format.h>

#include <charconv>
#include <memory>
#include <optional>
#include <utility>

#include "kernels/text_number.h"
#include "model/document_cursor.h"
#include "model/model_file.h"
#include "model/objective_table.h"

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
            if (key != "learner") return cursor_->Skip();
            has_learner = true;
            return ReadLearner();
        }));
        TRY(cursor_->ExpectEnd());
        if (!has_learner) return Corrupt("this is no XGBoost model: it has no member 'learner'");
        TRY(CheckSupported());
        TRY(Complete());
        TRY(CheckEnsemble(model_));
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
            return cursor_->Skip();
        });
    }

    Result<void> ReadBoosterModel() {
        return cursor_->ReadObject([&](std::string_view key) -> Result<void> {
            if (key == "gbtree_model_param") return ReadStrings(booster_params_);
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
            if (key == "split_type") return ReadSplitTypes();
            if (key != "default_left") return cursor_->Skip();
            found |= 1U << 8;
            return cursor_->ReadBytes(tree.default_left);
        }));
        constexpr unsigned kAll = (1U << 9) - 1;
        if (found != kAll) return Corrupt("an array of the tree is missing");
        auto leaf_size = params.find("size_leaf_vector");
        if (leaf_size != params.end() && leaf_size->second != "0" && leaf_size->second != "1") {
            return Unsupported("leaves with a vector of values (multi_strategy=multi_output_tree) are not supported");
        }
        auto num_nodes = params.find("num_nodes");
        if (num_nodes != params.end() &&
            TRY(ParseParam<std::uint64_t>("num_nodes", num_nodes->second)) != tree.num_nodes()) {
            return Corrupt(fmt::format("num_nodes is {} but there are {} nodes", num_nodes->second, tree.num_nodes()));
        }
        model_.trees.push_back(std::move(tree));
        return {};
    }

    Result<void> ReadSplitTypes() {
        std::vector<std::uint8_t> types;
        TRY(cursor_->ReadBytes(types));
        for (std::uint8_t type : types) {
            if (type != 0) return Unsupported("categorical splits are not supported");
        }
        return {};
    }

    Result<void> ReadObjective() {
        return cursor_->ReadObject([&](std::string_view key) -> Result<void> {
            if (key == "name") return cursor_->ReadString(model_.objective);
            if (key.ends_with("_param")) return ReadStrings(model_.objective_params);
            return cursor_->Skip();
        });
    }

    // An object whose values are strings; others are left out.
    Result<void> ReadStrings(std::map<std::string, std::string>& strings) {
        return cursor_->ReadObject([&](std::string_view key) -> Result<void> {
            if (strings.size() >= kModelNamesMax) return TooManyNames();
            std::string name(key);
            if (TRY(cursor_->Peek()) != ValueKind::kString) return cursor_->Skip();
            return cursor_->ReadString(strings[name]);
        });
    }

    Result<void> ReadStringArray(std::vector<std::string>& strings) {
        strings.clear();
        return cursor_->ReadArray([&]() -> Result<void> {
            if (strings.size() >= kModelNamesMax) return TooManyNames();
            return cursor_->ReadString(strings.emplace_back());
        });
    }

    Result<void> CheckSupported() const {
        if (booster_ != "gbtree") {
            return Unsupported(fmt::format("the booster '{}' is not supported, only 'gbtree'", booster_));
        }
        if (FindObjective(model_.objective) == nullptr) {
            return Unsupported(fmt::format("the objective '{}' is not supported", model_.objective));
        }
        auto num_target = learner_params_.find("num_target");
        if (num_target != learner_params_.end() && num_target->second != "0" && num_target->second != "1") {
            return Unsupported(fmt::format("models with {} targets are not supported", num_target->second));
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
        model_.num_class = TRY(ParseParam<std::int32_t>("num_class", TRY(LearnerParam("num_class"))));
        Link link = FindObjective(model_.objective)->link;
        bool multi = link == Link::kArgmax || link == Link::kSoftmax;
        if (multi && model_.num_class < 2) {
            return Corrupt(fmt::format("num_class is {}, but {} needs at least 2", model_.num_class, model_.objective));
        }
        if (model_.num_class > kClassesMax) {
            return Corrupt(
                fmt::format("num_class is {}; more than {} classes are not supported", model_.num_class, kClassesMax));
        }
        if (!multi) model_.num_class = 0;
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
        return has_iteration_indptr_ ? Result<void>() : MakeIterationIndptr();
    }

    // Files before 2.0: every round has num_parallel_tree trees of each class.
    Result<void> MakeIterationIndptr() {
        std::size_t per_round = model_.num_groups() * static_cast<std::size_t>(model_.num_parallel_tree);
        if (model_.trees.size() % per_round != 0) {
            return Corrupt(fmt::format("{} trees are no whole number of rounds of {}", model_.trees.size(), per_round));
        }
        model_.iteration_indptr.clear();
        for (std::size_t tree = 0; tree <= model_.trees.size(); tree += per_round) {
            model_.iteration_indptr.push_back(static_cast<std::int32_t>(tree));
        }
        return {};
    }

    std::unique_ptr<DocumentCursor> cursor_;
    TreeEnsemble model_;
    std::string booster_ = "gbtree";
    std::map<std::string, std::string> learner_params_;
    std::map<std::string, std::string> booster_params_;
    bool has_iteration_indptr_ = false;
};

}  // namespace

Result<ModelFormat> DetectModelFormat(std::string_view bytes) {
    std::size_t first = bytes.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return Corrupt("the model file is empty");
    if (bytes[first] == '{') {
        std::size_t second = bytes.find_first_not_of(" \t\r\n", first + 1);
        bool json = second != std::string_view::npos && (bytes[second] == '"' || bytes[second] == '}');
        return json ? ModelFormat::kJson : ModelFormat::kUbjson;
    }
    if (bytes[0] == '\x80') {
        return Unsupported(
            "this is a Python pickle. Load it in Python and save the booster with "
            "booster.save_model('xgboost-model.ubj').");
    }
    if (bytes.starts_with("binf") || bytes.starts_with("CONFIG-offset:") ||
        bytes.find("gbtree") != std::string_view::npos) {
        return Unsupported(
            "this is XGBoost's old binary format. Load it with xgboost before 3.1 and save it with "
            "booster.save_model('xgboost-model.json').");
    }
    return Corrupt("this is neither XGBoost JSON nor UBJSON: it does not begin with '{'");
}

Result<TreeEnsemble> ReadModel(std::string_view bytes) {
    ModelFormat format = TRY(DetectModelFormat(bytes));
    return Reader(format == ModelFormat::kJson ? MakeJsonCursor(bytes) : MakeUbjsonCursor(bytes)).Run();
}

}  // namespace espalier::model
