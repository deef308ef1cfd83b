// `espalier model show | convert`: what a model file holds, and the same model in the other format.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "espalier/commands.h"
#include "model/importance.h"
#include "model/open_model.h"

namespace espalier::cmd {
namespace {

using model::Importance;
using model::OpenedModel;
using model::Tree;
using model::TreeEnsemble;

using Importances = std::map<std::int32_t, Importance>;

struct ShowOptions {
    std::string path;
    std::string by = "gain";
    std::size_t top = 10;
};

struct Shape {
    std::size_t num_nodes = 0;
    std::size_t num_leaves = 0;
    int depth = 0;
};

void AddTree(const Tree& tree, Shape& shape) {
    std::vector<std::pair<std::int32_t, int>> open = {{0, 0}};
    while (!open.empty()) {
        auto [node, depth] = open.back();
        open.pop_back();
        auto at = static_cast<std::size_t>(node);
        ++shape.num_nodes;
        shape.depth = std::max(shape.depth, depth);
        if (tree.is_leaf(at)) {
            ++shape.num_leaves;
            continue;
        }
        open.emplace_back(tree.left_children[at], depth + 1);
        open.emplace_back(tree.right_children[at], depth + 1);
    }
}

std::string FormatSize(std::uint64_t bytes) {
    if (bytes < 10'000) return fmt::format("{} bytes", bytes);
    if (bytes < 10'000'000) return fmt::format("{:.1f} kB", static_cast<double>(bytes) / 1e3);
    return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

std::string FeatureName(const TreeEnsemble& model, std::int32_t feature) {
    auto at = static_cast<std::size_t>(feature);
    return at < model.feature_names.size() ? model.feature_names[at] : fmt::format("f{}", feature);
}

std::string FormatBaseScore(const TreeEnsemble& model) {
    bool same = std::all_of(model.base_score.begin(), model.base_score.end(),
                            [&](float score) { return score == model.base_score[0]; });
    if (same) return fmt::format("{}", model.base_score[0]);
    return fmt::format("{}", fmt::join(model.base_score, ", "));
}

std::string_view BoosterName(model::Booster booster) {
    if (booster == model::Booster::kDart) return "dart";
    return booster == model::Booster::kGblinear ? "gblinear" : "gbtree";
}

void PrintImportances(const TreeEnsemble& model, const Importances& importances, const ShowOptions& options) {
    std::vector<std::pair<std::int32_t, Importance>> ranked(importances.begin(), importances.end());
    std::stable_sort(ranked.begin(), ranked.end(),
                     [&](const auto& a, const auto& b) { return a.second.by(options.by) > b.second.by(options.by); });
    ranked.resize(std::min(ranked.size(), options.top));
    if (ranked.empty()) return;
    std::size_t width = 7;
    for (const auto& [feature, importance] : ranked) width = std::max(width, FeatureName(model, feature).size());
    fmt::print(
        "\ntop features by {} (gain: mean loss reduction of a split; cover: mean sum of hessians; weight: number of "
        "splits)\n",
        options.by);
    fmt::print("  {:<{}}  {:>12}  {:>12}  {:>12}  {:>12}  {:>8}\n", "feature", width, "gain", "total_gain", "cover",
               "total_cover", "weight");
    for (const auto& [feature, importance] : ranked) {
        fmt::print("  {:<{}}  {:>12.6g}  {:>12.6g}  {:>12.6g}  {:>12.6g}  {:>8}\n", FeatureName(model, feature), width,
                   importance.gain(), importance.total_gain, importance.cover(), importance.total_cover,
                   importance.weight);
    }
}

Result<void> Show(const ShowOptions& options) {
    OpenedModel opened = TRY(model::OpenModel(options.path));
    const TreeEnsemble& model = opened.ensemble;
    Shape shape;
    for (const Tree& tree : model.trees) AddTree(tree, shape);
    const Importances importances = model::FeatureImportances(model);
    fmt::print("model       {}{}\n", options.path, opened.member.empty() ? "" : ", member " + opened.member);
    fmt::print("format      {}, {}\n", model::ToString(opened.format), FormatSize(opened.size_bytes));
    fmt::print("objective   {}\n", model.objective);
    if (model.num_class > 1) fmt::print("classes     {}\n", model.num_class);
    fmt::print("features    {}, of which {} are used in splits\n", model.num_feature, importances.size());
    if (model.num_target > 1) fmt::print("targets     {}\n", model.num_target);
    fmt::print("booster     {}\n", BoosterName(model.booster));
    if (model.booster == model::Booster::kGblinear) {
        fmt::print("rounds      {}\n", model.boosted_rounds);
    } else {
        fmt::print("rounds      {}\n", model.num_rounds());
        fmt::print("trees       {} with {} leaves and {} nodes, depth at most {}\n", model.trees.size(),
                   shape.num_leaves, shape.num_nodes, shape.depth);
    }
    fmt::print("base score  {}\n", FormatBaseScore(model));
    for (const auto& [name, value] : model.attributes) fmt::print("attribute   {} = {}\n", name, value);
    PrintImportances(model, importances, options);
    if (std::fflush(stdout) != 0) return ErrnoError("write to the standard output", errno);
    return {};
}

// A staging file beside the target, synced, then renamed over it: the target is the old file or the whole new one.
Result<void> WriteFile(const std::string& path, const std::string& bytes) {
    std::string staging = fmt::format("{}.new.{}", path, ::getpid());
    int fd = ::open(staging.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        int errno_value = errno;
        return ErrnoError(fmt::format("write {}", path), errno_value);
    }
    int errno_value = 0;
    for (std::size_t done = 0; done < bytes.size() && errno_value == 0;) {
        ssize_t written = ::write(fd, bytes.data() + done, bytes.size() - done);
        if (written >= 0) {
            done += static_cast<std::size_t>(written);
        } else if (errno != EINTR) {
            errno_value = errno;
        }
    }
    if (errno_value == 0 && ::fsync(fd) != 0) errno_value = errno;
    ::close(fd);
    if (errno_value == 0 && std::rename(staging.c_str(), path.c_str()) != 0) errno_value = errno;
    if (errno_value == 0) return {};
    ::unlink(staging.c_str());
    return ErrnoError(fmt::format("write {}", path), errno_value);
}

struct ConvertOptions {
    std::string from;
    std::string to;
    std::string schema = "3.2";
};

Result<void> Convert(const ConvertOptions& options) {
    model::ModelFormat format = model::ModelFormat::kJson;
    if (options.to.ends_with(".ubj")) {
        format = model::ModelFormat::kUbjson;
    } else if (!options.to.ends_with(".json")) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("{} must end with .json or .ubj, which is the format written", options.to));
    }
    OpenedModel opened = TRY(model::OpenModel(options.from));
    std::string bytes = options.schema == "1.7" ? TRY(model::WriteOldModel(opened.ensemble, format))
                                                : model::WriteModel(opened.ensemble, format);
    TRY(WriteFile(options.to, bytes));
    fmt::print("wrote {} ({})\n", options.to, FormatSize(bytes.size()));
    return {};
}

int Report(std::string_view command, const Result<void>& done) {
    if (done) return 0;
    fmt::print(stderr, "espalier model {}: {}\n", command, done.error().ToString());
    return 1;
}

}  // namespace

void AddModel(CLI::App& app, int& exit_code) {
    CLI::App* command = app.add_subcommand("model", "Look into model files, or convert them");
    command->require_subcommand(1);

    auto show_options = std::make_shared<ShowOptions>();
    CLI::App* show = command->add_subcommand("show", "Objective, size, rounds, trees and the features that matter");
    show->add_option("FILE", show_options->path, "a model file (XGBoost, LightGBM text, ONNX), or a model.tar.gz")
        ->required();
    show->add_option("--top", show_options->top, "how many features to list")->capture_default_str();
    show->add_option("--by", show_options->by, "what ranks them")
        ->check(CLI::IsMember({"gain", "total_gain", "cover", "total_cover", "weight"}))
        ->capture_default_str();
    show->footer("Example:\n  espalier model show model.tar.gz --top 5 --by weight");
    show->callback([show_options, &exit_code] { exit_code = Report("show", Show(*show_options)); });

    auto convert_options = std::make_shared<ConvertOptions>();
    CLI::App* convert = command->add_subcommand("convert", "Write a model as XGBoost JSON or UBJSON");
    convert->add_option("IN", convert_options->from, "a model file (XGBoost, LightGBM text, ONNX), or a model.tar.gz")
        ->required();
    convert->add_option("OUT", convert_options->to, "the file to write: NAME.json or NAME.ubj")->required();
    convert->add_option("--schema", convert_options->schema, "the oldest release of xgboost that must load it")
        ->check(CLI::IsMember({"1.7", "3.2"}))
        ->capture_default_str();
    convert->footer("Example:\n  espalier model convert model.tar.gz model.json");
    convert->callback([convert_options, &exit_code] { exit_code = Report("convert", Convert(*convert_options)); });
}

}  // namespace espalier::cmd
