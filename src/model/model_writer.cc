#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <utility>

#include "model/model_file.h"
#include "model/objective_table.h"

namespace espalier::model {
namespace {

// "7.25E-1": the shortest digits that read back as the same float, as XGBoost prints them.
std::string FormatFloat(float value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
    char buffer[32];
    auto [end, status] = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
    std::string text(buffer, end);
    std::size_t e = text.find('e');
    int exponent = 0;
    const char* digits = text.data() + e + 1;
    std::from_chars(*digits == '+' ? digits + 1 : digits, text.data() + text.size(), exponent);
    return text.substr(0, e) + "E" + std::to_string(exponent);
}

class JsonOutput {
  public:
    void BeginObject() { Open('{'); }
    void EndObject() { Close('}'); }
    void BeginArray(std::size_t) { Open('['); }
    void EndArray() { Close(']'); }
    void Key(std::string_view key) {
        Text(key);
        out_ += ':';
        first_ = true;
    }
    void Integer(std::int64_t value) {
        Separate();
        out_ += std::to_string(value);
    }
    void Text(std::string_view text) {
        Separate();
        out_ += '"';
        for (char c : text) {
            if (c == '"' || c == '\\') {
                out_ += '\\';
                out_ += c;
            } else if (static_cast<unsigned char>(c) < 0x20) {
                out_ += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
            } else {
                out_ += c;
            }
        }
        out_ += '"';
    }
    void Floats(std::span<const float> values) {
        Open('[');
        for (float value : values) {
            Number(value);
        }
        Close(']');
    }
    void Ints(std::span<const std::int32_t> values) { Integers(values); }
    void Bytes(std::span<const std::uint8_t> values) { Integers(values); }
    void Int64s(std::span<const std::int64_t> values, char) { Integers(values); }
    void Number(float value) {
        Separate();
        out_ += FormatFloat(value);
    }

    std::string Take() { return std::move(out_); }

  private:
    template <typename T>
    void Integers(std::span<const T> values) {
        Open('[');
        for (T value : values) Integer(value);
        Close(']');
    }
    void Separate() {
        if (!first_) out_ += ',';
        first_ = false;
    }
    void Open(char c) {
        Separate();
        out_ += c;
        first_ = true;
    }
    void Close(char c) {
        out_ += c;
        first_ = false;
    }

    std::string out_;
    bool first_ = true;
};

class UbjsonOutput {
  public:
    void BeginObject() { out_ += '{'; }
    void EndObject() { out_ += '}'; }
    void BeginArray(std::size_t count) {
        out_ += "[#";
        Count(count);
    }
    void EndArray() {}
    void Key(std::string_view key) {
        Count(key.size());
        out_ += key;
    }
    void Integer(std::int64_t value) {
        // Strictly inside the range, as XGBoost's writer chooses.
        if (value > INT8_MIN && value < INT8_MAX) {
            out_ += 'i';
            Raw(static_cast<std::uint8_t>(value));
        } else if (value > INT16_MIN && value < INT16_MAX) {
            out_ += 'I';
            Raw(static_cast<std::uint16_t>(value));
        } else if (value > INT32_MIN && value < INT32_MAX) {
            out_ += 'l';
            Raw(static_cast<std::uint32_t>(value));
        } else {
            out_ += 'L';
            Raw(static_cast<std::uint64_t>(value));
        }
    }
    void Text(std::string_view text) {
        out_ += 'S';
        Count(text.size());
        out_ += text;
    }
    void Floats(std::span<const float> values) {
        TypedArray('d', values.size());
        for (float value : values) Raw(std::bit_cast<std::uint32_t>(value));
    }
    void Ints(std::span<const std::int32_t> values) {
        TypedArray('l', values.size());
        for (std::int32_t value : values) Raw(static_cast<std::uint32_t>(value));
    }
    void Bytes(std::span<const std::uint8_t> values) {
        TypedArray('U', values.size());
        for (std::uint8_t value : values) Raw(value);
    }
    /// In the width of `type`: one of i, U, I, l, L.
    void Int64s(std::span<const std::int64_t> values, char type) {
        TypedArray(type, values.size());
        for (std::int64_t value : values) {
            auto bits = static_cast<std::uint64_t>(value);
            if (type == 'i' || type == 'U') Raw(static_cast<std::uint8_t>(bits));
            if (type == 'I') Raw(static_cast<std::uint16_t>(bits));
            if (type == 'l') Raw(static_cast<std::uint32_t>(bits));
            if (type == 'L') Raw(bits);
        }
    }
    void Number(float value) {
        out_ += 'd';
        Raw(std::bit_cast<std::uint32_t>(value));
    }

    std::string Take() { return std::move(out_); }

  private:
    template <typename T>
    void Raw(T bits) {
        for (std::size_t i = sizeof(T); i-- > 0;)
            out_ += static_cast<char>(static_cast<std::uint64_t>(bits) >> (8 * i));
    }
    void Count(std::size_t count) {
        out_ += 'L';
        Raw(static_cast<std::uint64_t>(count));
    }
    void TypedArray(char type, std::size_t count) {
        out_ += "[$";
        out_ += type;
        out_ += '#';
        Count(count);
    }

    std::string out_;
};

// Keys are written in alphabetical order, as XGBoost's map does.
template <typename Output>
class Writer {
  public:
    /// `old`: in the schema of 1.7, which model must fit (WriteOldModel).
    Writer(const TreeEnsemble& model, bool old) : model_(model), old_(old) {}

    std::string Run() {
        out_.BeginObject();
        out_.Key("learner");
        WriteLearner();
        out_.Key("version");
        Numbers(old_ ? std::array<std::int32_t, 3>{1, 7, 6} : std::array<std::int32_t, 3>{3, 2, 0});
        out_.EndObject();
        return out_.Take();
    }

  private:
    using Strings = std::map<std::string, std::string>;

    void WriteLearner() {
        out_.BeginObject();
        out_.Key("attributes");
        WriteStrings(model_.attributes);
        out_.Key("feature_names");
        WriteStringArray(model_.feature_names);
        out_.Key("feature_types");
        WriteStringArray(model_.feature_types);
        out_.Key("gradient_booster");
        WriteBooster();
        out_.Key("learner_model_param");
        WriteStrings({{"base_score", BaseScoreText()},
                      {"boost_from_average", model_.boost_from_average ? "1" : "0"},
                      {"num_class", std::to_string(model_.num_class)},
                      {"num_feature", std::to_string(model_.num_feature)},
                      {"num_target", std::to_string(model_.num_target)}});
        out_.Key("objective");
        WriteObjective();
        out_.EndObject();
    }

    void WriteBooster() {
        out_.BeginObject();
        if (model_.booster == Booster::kGblinear) {
            out_.Key("model");
            WriteLinear();
            Member("name", "gblinear");
        } else if (model_.booster == Booster::kDart) {
            out_.Key("gbtree");
            out_.BeginObject();
            WriteGbtree();
            out_.EndObject();
            Member("name", "dart");
            out_.Key("weight_drop");
            out_.BeginArray(model_.weight_drop.size());
            for (float weight : model_.weight_drop) out_.Number(weight);
            out_.EndArray();
        } else {
            WriteGbtree();
        }
        out_.EndObject();
    }

    void WriteGbtree() {
        out_.Key("model");
        WriteForest();
        Member("name", "gbtree");
    }

    void WriteLinear() {
        out_.BeginObject();
        out_.Key("boosted_rounds");
        out_.Integer(model_.boosted_rounds);
        out_.Key("weights");
        out_.Floats(model_.linear_weights);
        out_.EndObject();
    }

    void WriteForest() {
        out_.BeginObject();
        if (!old_) WriteCategoryNames();
        out_.Key("gbtree_model_param");
        Strings params = {{"num_parallel_tree", std::to_string(model_.num_parallel_tree)},
                          {"num_trees", std::to_string(model_.trees.size())}};
        if (old_) params["size_leaf_vector"] = "0";
        WriteStrings(params);
        if (!old_) {
            out_.Key("iteration_indptr");
            Numbers(model_.iteration_indptr);
        }
        out_.Key("tree_info");
        Numbers(model_.tree_info);
        out_.Key("trees");
        out_.BeginArray(model_.trees.size());
        for (std::size_t i = 0; i < model_.trees.size(); ++i) WriteTree(model_.trees[i], i);
        out_.EndArray();
        out_.EndObject();
    }

    // UBJSON's marker for numbers of the schema's type; unsigned ones stand in the signed type of their width.
    static char MarkerOf(std::int64_t type) {
        constexpr std::string_view kMarkers = "iUIIllLL";
        constexpr std::int64_t kFirst = 9;
        bool known = type >= kFirst && type < kFirst + static_cast<std::int64_t>(kMarkers.size());
        return known ? kMarkers[static_cast<std::size_t>(type - kFirst)] : 'L';
    }

    void WriteCategoryNames() {
        out_.Key("cats");
        out_.BeginObject();
        out_.Key("enc");
        out_.BeginArray(model_.category_names.size());
        for (const CategoryNames& names : model_.category_names) {
            out_.BeginObject();
            if (names.type == 0) {
                out_.Key("offsets");
                out_.Ints(names.offsets);
            } else {
                out_.Key("type");
                out_.Integer(names.type);
            }
            out_.Key("values");
            out_.Int64s(names.values, names.type == 0 ? 'i' : MarkerOf(names.type));
            out_.EndObject();
        }
        out_.EndArray();
        out_.Key("feature_segments");
        out_.Ints(model_.category_names_segments);
        out_.Key("sorted_idx");
        out_.Ints(model_.category_names_sorted_idx);
        out_.EndObject();
    }

    void WriteTree(const Tree& tree, std::size_t tree_idx) {
        out_.BeginObject();
        out_.Key("base_weights");
        out_.Floats(tree.base_weights);
        out_.Key("categories");
        out_.Ints(tree.categories);
        out_.Key("categories_nodes");
        out_.Ints(tree.categories_nodes);
        out_.Key("categories_segments");
        out_.Int64s(tree.categories_segments, 'L');
        out_.Key("categories_sizes");
        out_.Int64s(tree.categories_sizes, 'L');
        out_.Key("default_left");
        out_.Bytes(tree.default_left);
        out_.Key("id");
        out_.Integer(static_cast<std::int64_t>(tree_idx));
        if (tree.has_leaf_vectors()) {
            out_.Key("leaf_weights");
            out_.Floats(tree.leaf_weights);
        }
        out_.Key("left_children");
        out_.Ints(tree.left_children);
        out_.Key("loss_changes");
        out_.Floats(tree.loss_changes);
        out_.Key("parents");
        out_.Ints(tree.parents);
        out_.Key("right_children");
        out_.Ints(tree.right_children);
        out_.Key("split_conditions");
        out_.Floats(tree.split_conditions);
        out_.Key("split_indices");
        out_.Ints(tree.split_indices);
        out_.Key("split_type");
        out_.Bytes(tree.split_type.empty() ? std::vector<std::uint8_t>(tree.num_nodes(), 0) : tree.split_type);
        out_.Key("sum_hessian");
        out_.Floats(tree.sum_hessian);
        out_.Key("tree_param");
        auto num_deleted = std::count(tree.split_indices.begin(), tree.split_indices.end(), kDeletedNodeMarker);
        WriteStrings({{"num_deleted", std::to_string(num_deleted)},
                      {"num_feature", std::to_string(model_.num_feature)},
                      {"num_nodes", std::to_string(tree.num_nodes())},
                      {"size_leaf_vector", old_ ? "0" : std::to_string(tree.leaf_size)}});
        out_.EndObject();
    }

    void WriteObjective() {
        const ObjectiveInfo* objective = FindObjective(model_.objective);
        // reg:linear lives on as reg:squarederror only.
        std::string name = model_.objective == "reg:linear" ? "reg:squarederror" : model_.objective;
        Strings params;
        if (objective != nullptr) {
            for (const auto& [key, value] : objective->param_defaults) params.emplace(key, value);
        }
        for (auto& [key, value] : params) {
            auto given = model_.objective_params.find(key);
            if (given != model_.objective_params.end()) value = given->second;
            if (key == "num_class") value = std::to_string(model_.num_class);
        }
        out_.BeginObject();
        // Sorted: a section's name may come before or after "name".
        bool section = objective != nullptr && !objective->param_section.empty();
        bool before = section && objective->param_section < "name";
        if (before) {
            out_.Key(objective->param_section);
            WriteStrings(params);
        }
        out_.Key("name");
        out_.Text(name);
        if (section && !before) {
            out_.Key(objective->param_section);
            WriteStrings(params);
        }
        out_.EndObject();
    }

    std::string BaseScoreText() const {
        if (old_) return FormatFloat(model_.base_score[0]);
        std::string text = "[";
        for (float score : model_.base_score) text += (text.size() > 1 ? "," : "") + FormatFloat(score);
        return text + "]";
    }

    void WriteStrings(const Strings& strings) {
        out_.BeginObject();
        for (const auto& [key, value] : strings) {
            out_.Key(key);
            out_.Text(value);
        }
        out_.EndObject();
    }

    void WriteStringArray(const std::vector<std::string>& strings) {
        out_.BeginArray(strings.size());
        for (const std::string& text : strings) out_.Text(text);
        out_.EndArray();
    }

    void Numbers(std::span<const std::int32_t> values) {
        out_.BeginArray(values.size());
        for (std::int32_t value : values) out_.Integer(value);
        out_.EndArray();
    }

    void Member(std::string_view key, std::string_view text) {
        out_.Key(key);
        out_.Text(text);
    }

    const TreeEnsemble& model_;
    const bool old_;
    Output out_;
};

std::string Write(const TreeEnsemble& ensemble, ModelFormat format, bool old) {
    return format == ModelFormat::kJson ? Writer<JsonOutput>(ensemble, old).Run()
                                        : Writer<UbjsonOutput>(ensemble, old).Run();
}

// Moves the intercepts into the first tree of each group, whose leaves are the first that a prediction adds to them:
// the sum is rounded at the same places as before, so every prediction stays the same bits.
void FoldIntercepts(TreeEnsemble& ensemble) {
    for (std::size_t group = 0; group < ensemble.num_groups(); ++group) {
        auto first = std::find(ensemble.tree_info.begin(), ensemble.tree_info.end(), static_cast<std::int32_t>(group));
        Tree& tree = ensemble.trees[static_cast<std::size_t>(first - ensemble.tree_info.begin())];
        for (std::size_t node = 0; node < tree.num_nodes(); ++node) {
            if (tree.is_leaf(node))
                tree.split_conditions[node] = ensemble.base_score[group] + tree.split_conditions[node];
        }
    }
    ensemble.base_score = {0};
}

}  // namespace

std::string WriteModel(const TreeEnsemble& ensemble, ModelFormat format) {
    return Write(ensemble, format, false);
}

Result<std::string> WriteOldModel(const TreeEnsemble& ensemble, ModelFormat format) {
    auto refuse = [](std::string_view what) {
        return Error(ErrorCode::kInvalidArgument, fmt::format("xgboost 1.7 cannot load {}", what));
    };
    if (ensemble.objective == "reg:quantileerror") return refuse("the objective reg:quantileerror, which is of 2.0");
    for (const Tree& tree : ensemble.trees) {
        if (tree.has_leaf_vectors()) return refuse("trees that predict several targets at once, which are of 2.0");
    }
    const std::vector<float>& scores = ensemble.base_score;
    bool same = std::all_of(scores.begin(), scores.end(), [&](float score) { return score == scores[0]; });
    if (same || ensemble.booster == Booster::kGblinear) {
        return Write(ensemble, format, true);
    }
    // One intercept is all that 1.7 has. Margins are what several of them are given in for these.
    Link link = FindObjective(ensemble.objective)->link;
    bool foldable = ensemble.booster == Booster::kGbtree &&
                    (link == Link::kArgmax || link == Link::kSoftmax || link == Link::kIdentity);
    for (std::size_t group = 0; group < ensemble.num_groups() && foldable; ++group) {
        foldable =
            std::count(ensemble.tree_info.begin(), ensemble.tree_info.end(), static_cast<std::int32_t>(group)) > 0;
    }
    if (!foldable) {
        return refuse(fmt::format("the {} different intercepts of {}; train with a base_score of your own",
                                  scores.size(), ensemble.objective));
    }
    TreeEnsemble folded = ensemble;
    FoldIntercepts(folded);
    return Write(folded, format, true);
}

}  // namespace espalier::model
