#include "model/lightgbm_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <map>
#include <utility>

#include "model/float_threshold.h"
#include "model/model_file.h"
#include "model/model_parts.h"

namespace espalier::model {
namespace {

constexpr unsigned kCategoricalBit = 1;
constexpr unsigned kDefaultLeftBit = 2;
constexpr unsigned kMissingShift = 2;
constexpr unsigned kMissingIsZero = 1;
constexpr unsigned kMissingIsNan = 2;
constexpr std::size_t kCategoriesPerFileMin = 100'000;

Error Unsupported(std::string message) {
    return Error(ErrorCode::kInvalidArgument, std::move(message));
}

// What XGBoost calls an objective with the same link; empty if there is none.
std::string_view ObjectiveOf(std::string_view name) {
    static const std::map<std::string_view, std::string_view> table = {{"binary", "binary:logistic"},
                                                                       {"cross_entropy", "reg:logistic"},
                                                                       {"multiclass", "multi:softprob"},
                                                                       {"regression", "reg:squarederror"},
                                                                       {"regression_l1", "reg:absoluteerror"},
                                                                       {"huber", "reg:squarederror"},
                                                                       {"fair", "reg:squarederror"},
                                                                       {"quantile", "reg:squarederror"},
                                                                       {"mape", "reg:absoluteerror"},
                                                                       {"poisson", "count:poisson"},
                                                                       {"gamma", "reg:gamma"},
                                                                       {"tweedie", "reg:tweedie"},
                                                                       {"lambdarank", "rank:ndcg"},
                                                                       {"rank_xendcg", "rank:ndcg"},
                                                                       {"custom", "reg:squarederror"},
                                                                       {"", "reg:squarederror"}};
    auto found = table.find(name);
    return found == table.end() ? std::string_view() : found->second;
}

// The next word of a text, without it and the blanks around it.
std::string_view TakeWord(std::string_view& text) {
    std::size_t begin = std::min(text.find_first_not_of(' '), text.size());
    std::size_t end = std::min(text.find(' ', begin), text.size());
    std::string_view word = text.substr(begin, end - begin);
    text.remove_prefix(end);
    return word;
}

class Reader {
  public:
    explicit Reader(std::string_view bytes) : file_bytes_(bytes.size()), rest_(bytes) {}

    Result<TreeEnsemble> Run() {
        TRY(ReadBlock());  // what stands before the first tree
        TRY(ReadHeader());
        bool ended = false;
        while (!rest_.empty() && !ended) {
            std::string_view line = NextLine();
            if (line == "end of trees") {
                ended = true;
            } else if (line.starts_with("Tree=")) {
                TRY(ReadBlock());
                model_.trees.push_back(TRY_MSG(ReadTree(), fmt::format("tree {}", model_.trees.size())));
            } else if (!line.empty()) {
                return Fail("a tree is expected");
            }
        }
        if (!ended) return Fail("the file ends before 'end of trees': it is cut off");
        return Finish();
    }

  private:
    Error Fail(std::string_view what) const {
        return Error(ErrorCode::kCorruptData, fmt::format("{} in line {} of the LightGBM model", what, line_));
    }

    std::string_view NextLine() {
        std::size_t end = std::min(rest_.find('\n'), rest_.size());
        std::string_view line = rest_.substr(0, end);
        rest_.remove_prefix(std::min(end + 1, rest_.size()));
        ++line_;
        if (line.ends_with('\r')) line.remove_suffix(1);
        return line;
    }

    // The lines `key=value` up to an empty one.
    Result<void> ReadBlock() {
        keys_.clear();
        while (!rest_.empty()) {
            std::string_view line = NextLine();
            if (line.empty()) return {};
            std::size_t equals = line.find('=');
            std::string_view key = line.substr(0, equals);
            constexpr std::size_t kKeysMax = 64;
            if (keys_.size() >= kKeysMax) return Fail("there are too many keys");
            keys_[key] = equals == std::string_view::npos ? std::string_view() : line.substr(equals + 1);
        }
        return {};
    }

    bool Has(std::string_view key) const { return keys_.contains(key); }
    std::string_view Value(std::string_view key) const { return Has(key) ? keys_.at(key) : std::string_view(); }

    template <typename T>
    Result<T> ParseNumber(std::string_view key, std::string_view word) const {
        T value{};
        auto [stop, status] = std::from_chars(word.data(), word.data() + word.size(), value);
        if (status == std::errc() && stop == word.data() + word.size()) return value;
        return Fail(fmt::format("{} holds '{}', which is no number in range,", key, word.substr(0, 40)));
    }

    template <typename T>
    Result<T> Number(std::string_view key) const {
        if (!Has(key)) return Fail(fmt::format("the key {} is missing before the empty line", key));
        return ParseNumber<T>(key, keys_.at(key));
    }

    template <typename T>
    Result<std::vector<T>> Numbers(std::string_view key, std::size_t count) const {
        std::vector<T> values;
        std::string_view text = Value(key);
        if (count > text.size()) return Fail(fmt::format("{} should hold {} numbers", key, count));
        values.reserve(count);
        for (std::string_view word = TakeWord(text); !word.empty(); word = TakeWord(text)) {
            if (values.size() == count)
                return Fail(fmt::format("{} should hold {} numbers and holds more", key, count));
            values.push_back(TRY(ParseNumber<T>(key, word)));
        }
        if (values.size() != count) return Fail(fmt::format("{} should hold {} numbers", key, count));
        return values;
    }

    // Statistics that a prediction does not need; zeros when they are left out.
    Result<std::vector<double>> Statistics(std::string_view key, std::size_t count) const {
        if (!Has(key)) return std::vector<double>(count, 0);
        return Numbers<double>(key, count);
    }

    Result<void> ReadHeader() {
        if (!Has("tree")) return Fail("the first line is not 'tree'");
        auto max_feature = TRY(Number<std::int64_t>("max_feature_idx"));
        if (max_feature < 0 || max_feature >= 2147483646) return Fail("max_feature_idx is out of range");
        model_.num_feature = static_cast<std::uint32_t>(max_feature) + 1;
        num_tree_per_iteration_ = TRY(Number<std::int64_t>("num_tree_per_iteration"));
        std::string_view objective = Value("objective");
        std::string_view name = TakeWord(objective);
        std::string_view ours = ObjectiveOf(name);
        if (ours.empty()) return Unsupported(fmt::format("LightGBM's objective '{}' is not supported", name));
        for (std::string_view word = TakeWord(objective); !word.empty(); word = TakeWord(objective)) {
            if (word == "sqrt") return Unsupported("LightGBM's reg_sqrt is not supported");
            if (word.starts_with("sigmoid:")) leaf_scale_ = TRY(ParseNumber<double>("objective", word.substr(8)));
        }
        if (ours != "binary:logistic") leaf_scale_ = 1;
        average_ = Has("average_output");
        model_.objective = std::string(ours);
        TRY(SetOutputs(model_, TRY(Number<std::int64_t>("num_class")), 1));
        if (num_tree_per_iteration_ != static_cast<std::int64_t>(model_.num_groups())) {
            return Fail(fmt::format("num_tree_per_iteration is {} for {} outputs", num_tree_per_iteration_,
                                    model_.num_groups()));
        }
        std::string_view names = Value("feature_names");
        for (std::string_view word = TakeWord(names); !word.empty(); word = TakeWord(names)) {
            if (model_.feature_names.size() >= model_.num_feature) return Fail("feature_names are too many");
            model_.feature_names.emplace_back(word);
        }
        return {};
    }

    Result<Tree> ReadTree() {
        auto num_leaves = TRY(Number<std::int64_t>("num_leaves"));
        if (num_leaves < 1 || num_leaves > 1'000'000'000) return Fail("num_leaves is out of range");
        if (Has("is_linear") && Value("is_linear") != "0") return Unsupported("linear trees are not supported");
        auto leaves = static_cast<std::size_t>(num_leaves);
        std::vector<double> leaf_values = TRY(Numbers<double>("leaf_value", leaves));
        std::vector<double> leaf_counts = TRY(Statistics("leaf_count", leaves));
        Tree tree;
        Resize(tree, 2 * leaves - 1);
        if (leaves > 1) TRY(ReadSplits(tree, leaves - 1));
        for (std::size_t leaf = 0; leaf < leaves; ++leaf) {
            std::size_t node = leaves - 1 + leaf;
            tree.left_children[node] = tree.right_children[node] = -1;
            tree.split_conditions[node] = tree.base_weights[node] = static_cast<float>(leaf_values[leaf] * leaf_scale_);
            tree.sum_hessian[node] = static_cast<float>(leaf_counts[leaf]);
        }
        return tree;
    }

    static void Resize(Tree& tree, std::size_t num_nodes) {
        for (auto* ints : {&tree.left_children, &tree.right_children, &tree.split_indices}) ints->resize(num_nodes);
        tree.parents.assign(num_nodes, kRootParent);
        for (auto* floats : {&tree.split_conditions, &tree.base_weights, &tree.loss_changes, &tree.sum_hessian})
            floats->resize(num_nodes);
        tree.default_left.resize(num_nodes);
    }

    // Inner nodes keep their numbers; leaf ~i becomes node num_splits + i.
    Result<void> ReadSplits(Tree& tree, std::size_t num_splits) {
        std::vector<std::int32_t> features = TRY(Numbers<std::int32_t>("split_feature", num_splits));
        std::vector<double> thresholds = TRY(Numbers<double>("threshold", num_splits));
        std::vector<std::uint8_t> types = TRY(Numbers<std::uint8_t>("decision_type", num_splits));
        std::vector<std::int32_t> left = TRY(Numbers<std::int32_t>("left_child", num_splits));
        std::vector<std::int32_t> right = TRY(Numbers<std::int32_t>("right_child", num_splits));
        std::vector<double> gains = TRY(Statistics("split_gain", num_splits));
        std::vector<double> counts = TRY(Statistics("internal_count", num_splits));
        std::vector<double> weights = TRY(Statistics("internal_value", num_splits));
        for (std::size_t node = 0; node < num_splits; ++node) {
            tree.split_indices[node] = features[node];
            tree.loss_changes[node] = static_cast<float>(gains[node]);
            tree.sum_hessian[node] = static_cast<float>(counts[node]);
            tree.base_weights[node] = static_cast<float>(weights[node] * leaf_scale_);
            std::int32_t children[2] = {left[node], right[node]};
            if ((types[node] & kCategoricalBit) != 0) {
                std::swap(children[0], children[1]);
                TRY(AddCategories(tree, node, thresholds[node]));
            } else {
                TRY(SetCondition(tree, node, thresholds[node], types[node]));
            }
            for (std::int32_t& child : children) {
                std::int64_t place = child >= 0 ? child : static_cast<std::int64_t>(num_splits) - 1 - child;
                if (place <= 0 || place >= static_cast<std::int64_t>(tree.num_nodes())) {
                    return Fail(fmt::format("split {} has a child {} outside the tree", node, child));
                }
                child = static_cast<std::int32_t>(place);
                tree.parents[static_cast<std::size_t>(place)] = static_cast<std::int32_t>(node);
            }
            tree.left_children[node] = children[0];
            tree.right_children[node] = children[1];
        }
        return {};
    }

    Result<void> SetCondition(Tree& tree, std::size_t node, double threshold, unsigned type) {
        tree.split_conditions[node] = JustAbove(threshold);
        unsigned missing = (type >> kMissingShift) & 3U;
        bool zero_goes_left = 0 <= threshold;
        bool default_left = (type & kDefaultLeftBit) != 0;
        // Without missing values of its own LightGBM takes them for 0.
        tree.default_left[node] = (missing == kMissingIsNan ? default_left : zero_goes_left) ? 1 : 0;
        if (missing == kMissingIsZero) {
            if (default_left != zero_goes_left)
                return Unsupported("zero_as_missing with a default away from 0 is not supported");
            tree.default_left[node] = default_left ? 1 : 0;
        }
        return {};
    }

    // Missing values go right there, whatever the flags say; so they go left here.
    Result<void> AddCategories(Tree& tree, std::size_t node, double set) {
        auto num_sets = TRY(Number<std::int64_t>("num_cat"));
        if (num_sets < 0 || !(set >= 0 && set < static_cast<double>(num_sets)))
            return Fail("a set of categories is missing");
        if (tree.categories_nodes.empty()) {
            boundaries_ = TRY(Numbers<std::int32_t>("cat_boundaries", static_cast<std::size_t>(num_sets) + 1));
            std::int32_t num_words = boundaries_.back();
            bool rising = boundaries_.front() == 0 && std::is_sorted(boundaries_.begin(), boundaries_.end());
            if (!rising || num_words < 0) return Fail("cat_boundaries does not rise from 0");
            words_ = TRY(Numbers<std::uint32_t>("cat_threshold", static_cast<std::size_t>(num_words)));
        }
        tree.split_type.resize(tree.num_nodes(), 0);
        tree.split_type[node] = 1;
        tree.default_left[node] = 1;
        // LightGBM numbers the sets in the order of the splits. (A set of several splits could grow without bound.)
        auto at = static_cast<std::size_t>(set);
        if (at != tree.categories_nodes.size())
            return Fail("the sets of categories are not in the order of the splits");
        auto first = static_cast<std::int64_t>(tree.categories.size());
        for (std::int32_t word = boundaries_[at]; word < boundaries_[at + 1]; ++word) {
            for (std::uint32_t bits = words_[static_cast<std::size_t>(word)]; bits != 0; bits &= bits - 1) {
                tree.categories.push_back(32 * (word - boundaries_[at]) + std::countr_zero(bits));
            }
        }
        num_categories_ += tree.categories.size() - static_cast<std::size_t>(first);
        if (num_categories_ > kCategoriesPerFileMin + file_bytes_ / 2) {
            return Error(ErrorCode::kResourceLimit,
                         "the sets of categories take more memory than the file may ask for");
        }
        tree.categories_nodes.push_back(static_cast<std::int32_t>(node));
        tree.categories_segments.push_back(first);
        tree.categories_sizes.push_back(static_cast<std::int64_t>(tree.categories.size()) - first);
        return {};
    }

    Result<TreeEnsemble> Finish() {
        auto groups = static_cast<std::size_t>(num_tree_per_iteration_);
        for (std::size_t tree = 0; tree < model_.trees.size(); ++tree) {
            model_.tree_info.push_back(static_cast<std::int32_t>(tree % groups));
        }
        TRY(MakeIterationIndptr(model_));
        // LightGBM's intercept is in the leaves of the first trees. A sigmoid of 0 is one half.
        model_.base_score = {ScoreOfMargin(model_.objective, 0)};
        model_.boost_from_average = false;
        if (average_ && model_.num_rounds() > 0) {
            auto rounds = static_cast<float>(model_.num_rounds());
            for (Tree& tree : model_.trees) {
                for (std::size_t node = 0; node < tree.num_nodes(); ++node) {
                    if (tree.is_leaf(node)) tree.split_conditions[node] /= rounds;
                }
            }
        }
        return std::move(model_);
    }

    const std::size_t file_bytes_;
    std::string_view rest_;
    std::size_t line_ = 0;
    std::size_t num_categories_ = 0;
    std::map<std::string_view, std::string_view> keys_;  // of the block just read
    std::int64_t num_tree_per_iteration_ = 1;
    double leaf_scale_ = 1;
    bool average_ = false;
    std::vector<std::int32_t> boundaries_;  // of the tree's sets of categories
    std::vector<std::uint32_t> words_;
    TreeEnsemble model_;
};

}  // namespace

bool LooksLikeLightgbm(std::string_view bytes) {
    return bytes.starts_with("tree\n") || bytes.starts_with("tree\r\n");
}

Result<TreeEnsemble> ReadLightgbm(std::string_view bytes) {
    return Reader(bytes).Run();
}

}  // namespace espalier::model
