#include "model/old_binary_reader.h"

#include <algorithm>
#include <array>
#include <utility>

#include "model/byte_cursor.h"
#include "model/document_cursor.h"
#include "model/links.h"
#include "model/model_file.h"
#include "model/model_parts.h"
#include "model/objective_table.h"

namespace espalier::model {
namespace {

constexpr std::string_view kMagic = "binf";
constexpr std::size_t kLearnerParamBytes = 136;
constexpr std::size_t kNameBytesMax = 64;
constexpr std::size_t kNodeBytes = 20;
constexpr std::size_t kStatisticBytes = 16;
constexpr std::uint32_t kTopBit = 0x80000000U;

Error Unsupported(std::string message) {
    return Error(ErrorCode::kInvalidArgument, std::move(message));
}

struct LearnerParam {
    float base_score;
    std::uint32_t num_feature;
    std::int32_t num_class;
    std::int32_t has_attributes;
    std::int32_t has_metrics;
    std::uint32_t major;
    std::uint32_t minor;
    std::uint32_t num_target;
    std::int32_t boost_from_average;
    std::int32_t spare[25];
};
static_assert(sizeof(LearnerParam) == kLearnerParamBytes);

struct ForestParam {
    std::int32_t num_trees;
    std::int32_t num_parallel_tree;  ///< num_roots before 1.4, always 1
    std::int32_t num_feature;
    std::int32_t padding;
    std::int64_t num_buffered;
    std::int32_t num_output_group;
    std::int32_t size_leaf_vector;
    std::int32_t spare[32];
};
static_assert(sizeof(ForestParam) == 160);

struct TreeParam {
    std::int32_t num_roots;
    std::int32_t num_nodes;
    std::int32_t num_deleted;
    std::int32_t max_depth;
    std::int32_t num_feature;
    std::int32_t size_leaf_vector;
    std::int32_t spare[31];
};
static_assert(sizeof(TreeParam) == 148);

struct LinearParam {
    std::uint32_t num_feature;
    std::int32_t num_output_group;
    std::int32_t spare[32];
};
static_assert(sizeof(LinearParam) == 136);

struct Node {
    std::uint32_t parent;  ///< the top bit: a left child
    std::int32_t left;
    std::int32_t right;
    std::uint32_t split;  ///< the top bit: missing goes left
    float value;          ///< condition or leaf
};
static_assert(sizeof(Node) == kNodeBytes);

struct Statistic {
    float loss_change;
    float sum_hessian;
    float base_weight;
    std::int32_t leaf_child_count;
};
static_assert(sizeof(Statistic) == kStatisticBytes);

class Reader {
  public:
    explicit Reader(std::string_view bytes) : cursor_(bytes, "old binary model") {}

    Result<TreeEnsemble> Run(bool has_magic) {
        if (has_magic) TRY(cursor_.Take(kMagic.size()));
        param_ = TRY(cursor_.Number<LearnerParam>());
        model_.objective = TRY(Text());
        std::string booster = TRY(Text());
        model_.num_feature = param_.num_feature;
        model_.boost_from_average = param_.boost_from_average != 0;
        TRY(SetOutputs(model_, param_.num_class, param_.num_target));
        TRY(ReadBooster(booster));
        if (param_.has_attributes != 0) TRY(ReadAttributes());
        bool before_1_0 = param_.major < 1;
        if (before_1_0 && model_.objective == "count:poisson") model_.objective_params["max_delta_step"] = TRY(Text());
        if (before_1_0 && param_.has_metrics != 0) TRY(SkipTexts());
        model_.base_score = {param_.base_score};
        if (before_1_0) model_.base_score[0] = ScoreOfMargin(model_.objective, param_.base_score);
        return std::move(model_);
    }

  private:
    Result<std::string> Text() {
        auto size = TRY(cursor_.Number<std::uint64_t>());
        return std::string(TRY(cursor_.Take(size)));
    }

    Result<std::uint64_t> Count(std::size_t least_bytes_each) {
        auto count = TRY(cursor_.Number<std::uint64_t>());
        if (count > cursor_.left() / least_bytes_each) return cursor_.Fail("a list is longer than what is left");
        if (count > kModelNamesMax) return cursor_.Fail("a list of names is too long");
        return count;
    }

    Result<void> SkipTexts() {
        auto count = TRY(Count(sizeof(std::uint64_t)));
        for (std::uint64_t i = 0; i < count; ++i) {
            auto size = TRY(cursor_.Number<std::uint64_t>());
            TRY(cursor_.Take(size));
        }
        return {};
    }

    Result<void> ReadBooster(const std::string& booster) {
        if (booster == "gblinear") {
            model_.booster = Booster::kGblinear;
            TRY(cursor_.Number<LinearParam>());
            auto count = TRY(cursor_.Number<std::uint64_t>());
            model_.linear_weights = TRY(cursor_.Numbers<float>(count));
            return {};
        }
        if (booster != "gbtree" && booster != "dart") {
            return Unsupported(
                fmt::format("the booster '{}' is not known: it is none of gbtree, dart, gblinear", booster));
        }
        TRY(ReadForest());
        if (booster != "dart") return {};
        model_.booster = Booster::kDart;
        if (model_.trees.empty()) return {};
        auto count = TRY(cursor_.Number<std::uint64_t>());
        model_.weight_drop = TRY(cursor_.Numbers<float>(count));
        return {};
    }

    Result<void> ReadForest() {
        auto param = TRY(cursor_.Number<ForestParam>());
        if (param.num_trees < 0 || static_cast<std::size_t>(param.num_trees) > cursor_.left() / sizeof(TreeParam)) {
            return cursor_.Fail(fmt::format("{} trees should follow: it is cut off", param.num_trees));
        }
        for (std::int32_t tree = 0; tree < param.num_trees; ++tree) {
            model_.trees.push_back(TRY_MSG(ReadTree(), fmt::format("tree {}", tree)));
        }
        model_.tree_info = TRY(cursor_.Numbers<std::int32_t>(static_cast<std::uint64_t>(param.num_trees)));
        model_.num_parallel_tree = std::max(param.num_parallel_tree, 1);
        return MakeIterationIndptr(model_);
    }

    Result<Tree> ReadTree() {
        auto param = TRY(cursor_.Number<TreeParam>());
        if (param.num_roots > 1)
            return Unsupported(fmt::format("a tree with {} roots is not supported", param.num_roots));
        if (param.size_leaf_vector > 1)
            return Unsupported("leaves with a vector of values are not supported in old files");
        if (param.num_nodes < 0) return cursor_.Fail("the number of nodes is negative");
        auto num_nodes = static_cast<std::uint64_t>(param.num_nodes);
        if (num_nodes > cursor_.left() / (kNodeBytes + kStatisticBytes)) {
            return cursor_.Fail(fmt::format("{} nodes should follow: it is cut off", num_nodes));
        }
        std::string_view nodes = TRY(cursor_.Take(num_nodes * kNodeBytes));
        std::string_view statistics = TRY(cursor_.Take(num_nodes * kStatisticBytes));
        Tree tree;
        for (std::size_t i = 0; i < num_nodes; ++i) {
            Node node;
            Statistic statistic;
            std::memcpy(&node, nodes.data() + i * kNodeBytes, kNodeBytes);
            std::memcpy(&statistic, statistics.data() + i * kStatisticBytes, kStatisticBytes);
            AppendNode(tree, node, statistic);
        }
        return tree;
    }

    static void AppendNode(Tree& tree, const Node& node, const Statistic& statistic) {
        tree.left_children.push_back(node.left);
        tree.right_children.push_back(node.right);
        // The root's parent is -1, which gives kRootParent; a deleted node's split gives kDeletedNodeMarker.
        tree.parents.push_back(static_cast<std::int32_t>(node.parent & ~kTopBit));
        tree.split_indices.push_back(static_cast<std::int32_t>(node.split & ~kTopBit));
        tree.default_left.push_back(static_cast<std::uint8_t>(node.split >> 31));
        tree.split_conditions.push_back(node.value);
        tree.base_weights.push_back(statistic.base_weight);
        tree.loss_changes.push_back(statistic.loss_change);
        tree.sum_hessian.push_back(statistic.sum_hessian);
    }

    Result<void> ReadAttributes() {
        auto count = TRY(Count(2 * sizeof(std::uint64_t)));
        for (std::uint64_t i = 0; i < count; ++i) {
            std::string name = TRY(Text());
            std::string value = TRY(Text());
            // What 1.0 to 1.7 keep there for themselves.
            if (name == "objective") {
                TRY(ReadObjective(value));
            } else if (name == "count_poisson_max_delta_step") {
                model_.objective_params["max_delta_step"] = value;
            } else if (name != "metrics" && !name.starts_with("SAVED_PARAM_")) {
                model_.attributes[name] = value;
            }
        }
        return {};
    }

    // {"name": "…", "…_param": {"…": "…"}}
    Result<void> ReadObjective(const std::string& text) {
        std::unique_ptr<DocumentCursor> document = MakeJsonCursor(text);
        return document->ReadObject([&](std::string_view key) -> Result<void> {
            if (!key.ends_with("_param")) return document->Skip();
            return ReadStrings(*document, model_.objective_params);
        });
    }

    ByteCursor cursor_;
    LearnerParam param_{};
    TreeEnsemble model_;
};

// Where the two names stand after the parameters.
bool NamesFollow(std::string_view bytes, std::size_t at) {
    ByteCursor cursor(bytes, "");
    if (!cursor.Take(at + kLearnerParamBytes)) return false;
    for (int name = 0; name < 2; ++name) {
        Result<std::uint64_t> size = cursor.Number<std::uint64_t>();
        if (!size || *size == 0 || *size > kNameBytesMax) return false;
        Result<std::string_view> text = cursor.Take(*size);
        bool readable =
            text.has_value() && std::all_of(text->begin(), text->end(), [](char c) { return c > ' ' && c < '\x7f'; });
        if (!readable) return false;
    }
    return true;
}

}  // namespace

bool LooksLikeOldBinary(std::string_view bytes) {
    return bytes.starts_with(kMagic) || NamesFollow(bytes, 0);
}

Result<TreeEnsemble> ReadOldBinary(std::string_view bytes) {
    // 1.0 wrote no mark; its base_score could hold these bytes by chance, but not with two names where they belong.
    bool has_magic = bytes.starts_with(kMagic) && !NamesFollow(bytes, 0);
    return Reader(bytes).Run(has_magic);
}

}  // namespace espalier::model
