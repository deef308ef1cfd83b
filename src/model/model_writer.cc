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
            Separate();
            out_ += FormatFloat(value);
        }
        Close(']');
    }
    void Ints(std::span<const std::int32_t> values) { Integers(values); }
    void Bytes(std::span<const std::uint8_t> values) { Integers(values); }
    void EmptyInts(char) { Integers(std::span<const std::int32_t>()); }

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
    void EmptyInts(char type) { TypedArray(type, 0); }

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
    explicit Writer(const TreeEnsemble& model) : model_(model) {}

    std::string Run() {
        out_.BeginObject();
        out_.Key("learner");
        WriteLearner();
        out_.Key("version");
        Numbers(std::array<std::int32_t, 3>{3, 2, 0});
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
        out_.BeginObject();
        out_.Key("model");
        WriteBooster();
        out_.Key("name");
        out_.Text("gbtree");
        out_.EndObject();
        out_.Key("learner_model_param");
        WriteStrings({{"base_score", BaseScoreText()},
                      {"boost_from_average", model_.boost_from_average ? "1" : "0"},
                      {"num_class", std::to_string(model_.num_class)},
                      {"num_feature", std::to_string(model_.num_feature)},
                      {"num_target", "1"}});
        out_.Key("objective");
        WriteObjective();
        out_.EndObject();
    }

    void WriteBooster() {
        out_.BeginObject();
        out_.Key("cats");
        out_.BeginObject();
        out_.Key("enc");
        out_.BeginArray(0);
        out_.EndArray();
        out_.Key("feature_segments");
        out_.EmptyInts('l');
        out_.Key("sorted_idx");
        out_.EmptyInts('l');
        out_.EndObject();
        out_.Key("gbtree_model_param");
        WriteStrings({{"num_parallel_tree", std::to_string(model_.num_parallel_tree)},
                      {"num_trees", std::to_string(model_.trees.size())}});
        out_.Key("iteration_indptr");
        Numbers(model_.iteration_indptr);
        out_.Key("tree_info");
        Numbers(model_.tree_info);
        out_.Key("trees");
        out_.BeginArray(model_.trees.size());
        for (std::size_t i = 0; i < model_.trees.size(); ++i) WriteTree(model_.trees[i], i);
        out_.EndArray();
        out_.EndObject();
    }

    void WriteTree(const Tree& tree, std::size_t tree_idx) {
        out_.BeginObject();
        out_.Key("base_weights");
        out_.Floats(tree.base_weights);
        out_.Key("categories");
        out_.EmptyInts('l');
        out_.Key("categories_nodes");
        out_.EmptyInts('l');
        out_.Key("categories_segments");
        out_.EmptyInts('L');
        out_.Key("categories_sizes");
        out_.EmptyInts('L');
        out_.Key("default_left");
        out_.Bytes(tree.default_left);
        out_.Key("id");
        out_.Integer(static_cast<std::int64_t>(tree_idx));
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
        out_.Bytes(std::vector<std::uint8_t>(tree.num_nodes(), 0));
        out_.Key("sum_hessian");
        out_.Floats(tree.sum_hessian);
        out_.Key("tree_param");
        auto num_deleted = std::count(tree.split_indices.begin(), tree.split_indices.end(), kDeletedNodeMarker);
        WriteStrings({{"num_deleted", std::to_string(num_deleted)},
                      {"num_feature", std::to_string(model_.num_feature)},
                      {"num_nodes", std::to_string(tree.num_nodes())},
                      {"size_leaf_vector", "1"}});
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

    const TreeEnsemble& model_;
    Output out_;
};

}  // namespace

std::string WriteModel(const TreeEnsemble& ensemble, ModelFormat format) {
    return format == ModelFormat::kJson ? Writer<JsonOutput>(ensemble).Run() : Writer<UbjsonOutput>(ensemble).Run();
}

}  // namespace espalier::model
