#include "learn/hyperparameters.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/cut_points.h"
#include "learn/constraint_text.h"
#include "learn/hyperparameter_rules.h"
#include "learn/metrics.h"
#include "learn/objective.h"
#include "learn/python_text.h"
#include "learn/tree_method.h"

namespace espalier::learn {

namespace {

// Every round holds a tree, a histogram and a row list per class; more classes than this is another problem.
constexpr std::int64_t kNumClassMax = 10'000;

class Reader {
  public:
    explicit Reader(const CheckedValues& values) : values_(values) {}

    bool Has(std::string_view name) const { return values_.find(name) != values_.end(); }
    std::string Text(std::string_view name, std::string_view otherwise) const {
        const auto found = values_.find(name);
        return found == values_.end() ? std::string(otherwise) : found->second;
    }
    void Set(std::string_view name, float& value) const {
        if (Has(name)) value = static_cast<float>(ParsePythonFloat(Text(name, "")).value());
    }
    void Set(std::string_view name, int& value) const {
        if (!Has(name)) return;
        const std::int64_t parsed = ParsePythonInt(Text(name, "")).value();
        value = static_cast<int>(
            std::clamp<std::int64_t>(parsed, std::numeric_limits<int>::min(), std::numeric_limits<int>::max()));
    }
    bool Is(std::string_view name, std::string_view value) const { return Has(name) && Text(name, "") == value; }

  private:
    const CheckedValues& values_;
};

/// Names, and what to do instead, of what an image accepts but this build does not train.
Result<void> RefuseWhatIsMissing(const Reader& reader) {
    struct Missing {
        std::string_view name;
        std::string_view value;
        std::string_view instead;
    };
    static constexpr Missing kMissing[] = {
        {"tree_method", "gpu_hist", "Training runs on the CPU here: use tree_method 'hist', or leave it out."},
        {"use_dask_gpu_training", "true", "Training runs on the CPU here: leave use_dask_gpu_training out."},
        {"dsplit", "col", "Use dsplit 'row', or leave it out."},
    };
    for (const Missing& missing : kMissing) {
        if (!reader.Is(missing.name, missing.value)) continue;
        return UserError(fmt::format("Hyperparameter {}: '{}' is not implemented by this build yet. {}", missing.name,
                                     missing.value, missing.instead));
    }
    return {};
}

void WarnAboutWhatHasNoEffect(const Reader& reader, std::vector<std::string>& warnings) {
    struct Idle {
        std::string_view name;
        std::string_view why;
        std::string_view unless_objective = {};
    };
    static constexpr Idle kIdle[] = {
        {"lambda_bias", "the engine has dropped it: the bias of booster gblinear is not penalised"},
        {"tweedie_variance_power", "it belongs to objective reg:tweedie", "reg:tweedie"},
        {"aft_loss_distribution", "it belongs to objective survival:aft", "survival:aft"},
        {"aft_loss_distribution_scale", "it belongs to objective survival:aft", "survival:aft"},
        {"quantile_alpha", "it belongs to objective reg:quantileerror", "reg:quantileerror"},
        {"sketch_eps", "cut points are exact here; max_bin sets how many there are"},
        {"max_bins",
         "the image hands it to the engine under a name the engine does not know; the number of bins is 256"},
        {"prob_buffer_row", "it belongs to updaters that are no longer used"},
        {"single_precision_histogram", "histograms are sums of integers here, which are exact"},
        {"num_workers", "the instances of the job are set by ResourceConfig"},
        {"worker_cores", "each instance uses the cores it is given"},
        {"worker_memory", "each instance uses the memory it is given"},
    };
    for (const Idle& idle : kIdle) {
        if (reader.Has(idle.name) && !reader.Is("objective", idle.unless_objective)) {
            warnings.push_back(fmt::format("Hyperparameter '{}' has no effect: {}.", idle.name, idle.why));
        }
    }
    if (reader.Is("predictor", "gpu_predictor")) {
        warnings.emplace_back("Hyperparameter 'predictor' has no effect: training runs on the CPU here.");
    }
    if (reader.Is("deterministic_histogram", "false")) {
        warnings.emplace_back("Hyperparameter 'deterministic_histogram' has no effect: sums are always exact here.");
    }
}

/// "0.5", "0.1,0.9" or "[0.1, 0.9]".
Result<std::vector<float>> ReadQuantiles(const Reader& reader) {
    std::string text = reader.Text("quantile_alpha", "");
    std::erase_if(text, [](char c) { return c == '[' || c == ']' || c == '(' || c == ')' || c == ' '; });
    std::vector<float> alphas;
    for (const std::string& member : SplitCommas(text)) {
        const auto alpha = ParsePythonFloat(member);
        if (alpha.has_value() && *alpha >= 0 && *alpha <= 1) {
            alphas.push_back(static_cast<float>(*alpha));
            continue;
        }
        return UserError(
            fmt::format("quantile alpha must be in the range [0.0, 1.0], not '{}'. Set quantile_alpha to a "
                        "number, or to several as 0.1,0.5,0.9.",
                        member));
    }
    return alphas;
}

/// The objectives whose rows with label 1 are weighted by scale_pos_weight; the others do not look at it.
bool ScalesPositives(std::string_view objective) {
    return objective == "binary:logistic" || objective == "binary:logitraw" || objective == "reg:logistic" ||
           objective == "reg:gamma" || objective == "reg:squarederror" || objective == "reg:linear";
}

/// Parameters of another booster than the one asked for.
void WarnAboutOtherBoosters(const Reader& reader, std::vector<std::string>& warnings) {
    const auto warn_if_given = [&](std::string_view name, std::string_view whose) {
        if (!reader.Has(name)) return;
        warnings.push_back(fmt::format("Hyperparameter '{}' has no effect: it belongs to {}.", name, whose));
    };
    if (!reader.Is("booster", "dart")) {
        for (const char* name : {"sample_type", "normalize_type", "rate_drop", "one_drop", "skip_drop"}) {
            warn_if_given(name, "booster dart");
        }
    }
    if (!reader.Is("booster", "gblinear")) return;
    for (const char* name :
         {"gamma", "max_depth", "min_child_weight", "subsample", "colsample_bytree", "colsample_bylevel",
          "colsample_bynode", "tree_method", "grow_policy", "max_leaves", "max_bin", "num_parallel_tree",
          "monotone_constraints", "interaction_constraints", "sampling_method", "process_type", "multi_strategy"}) {
        warn_if_given(name, "the boosters that grow trees");
    }
    if (reader.Has("max_delta_step") && !reader.Is("objective", "count:poisson")) {
        warn_if_given("max_delta_step", "the boosters that grow trees");
    }
    if (!reader.Is("updater", "coord_descent")) {
        warnings.emplace_back(
            "Booster gblinear updates its weights in turn (updater 'coord_descent'): the model does not depend on the "
            "number of threads.");
    }
}

void ReadBooster(const Reader& reader, TrainParams& train) {
    if (reader.Is("booster", "dart")) train.booster = model::Booster::kDart;
    if (reader.Is("booster", "gblinear")) {
        train.booster = model::Booster::kGblinear;
        train.eta = 0.5F;
        train.lambda = 0;
    }
    train.dart.weighted = reader.Is("sample_type", "weighted");
    train.dart.forest = reader.Is("normalize_type", "forest");
    train.dart.one_drop = reader.Is("one_drop", "1");
    reader.Set("rate_drop", train.dart.rate_drop);
    reader.Set("skip_drop", train.dart.skip_drop);
}

Result<void> ReadObjective(const Reader& reader, const VersionProfile& profile, Hyperparameters& out) {
    TrainParams& train = out.train;
    train.objective =
        reader.Text("objective", profile.version < AlgorithmVersion::k1_0_1 ? "reg:linear" : "reg:squarederror");
    std::int64_t num_class = 0;
    if (reader.Has("num_class")) num_class = ParsePythonInt(reader.Text("num_class", "")).value();
    if (num_class > kNumClassMax) {
        return UserError(fmt::format("Hyperparameter num_class: {} is more than the {} classes this build trains.",
                                     num_class, kNumClassMax));
    }
    if (train.objective.starts_with("multi:")) {
        train.num_class = static_cast<int>(num_class);
    } else if (reader.Has("num_class")) {
        out.warnings.push_back(fmt::format(
            "Hyperparameter 'num_class' has no effect: objective '{}' is not multi-class.", train.objective));
    }
    reader.Set("scale_pos_weight", train.scale_pos_weight);
    if (reader.Has("scale_pos_weight") && !ScalesPositives(train.objective)) {
        out.warnings.push_back(
            fmt::format("Hyperparameter 'scale_pos_weight' has no effect under objective '{}'.", train.objective));
    }
    train.version = profile.version;
    reader.Set("tweedie_variance_power", train.tweedie_variance_power);
    train.aft_loss_distribution = reader.Text("aft_loss_distribution", train.aft_loss_distribution);
    reader.Set("aft_loss_distribution_scale", train.aft_loss_distribution_scale);
    if (train.objective == "reg:quantileerror") train.quantile_alphas = TRY(ReadQuantiles(reader));
    train.base_score_rule = profile.base_score_rule;
    if (reader.Has("base_score")) {
        float base_score = 0.5F;
        reader.Set("base_score", base_score);
        train.base_score = base_score;
    }
    const auto objective = TRY(MakeObjective(train));
    if (!train.base_score.has_value()) return {};
    Result<void> checked = objective->CheckBaseScore(*train.base_score);
    const bool logistic = train.objective.starts_with("binary:") || train.objective == "reg:logistic";
    if (!checked.has_value() && profile.legacy && logistic) {
        return UserError("Base_score must be in (0,1) for logistic objective function.");
    }
    return checked;
}

Result<void> ReadMetrics(const Reader& reader, const VersionProfile& profile, Hyperparameters& out) {
    std::vector<std::string>& metrics = out.train.eval_metrics;
    if (reader.Has("eval_metric")) metrics = SplitCommas(reader.Text("eval_metric", ""));
    std::string tuning = reader.Text("_tuning_objective_metric", "");
    if (tuning.starts_with("validation:")) tuning = tuning.substr(11);
    if (!tuning.empty() && std::find(metrics.begin(), metrics.end(), tuning) == metrics.end()) {
        metrics.push_back(tuning);
    }
    if (!metrics.empty()) out.train.early_stopping_metric = metrics.back();
    if (profile.sorts_metrics) std::sort(metrics.begin(), metrics.end());
    metrics.erase(std::unique(metrics.begin(), metrics.end()), metrics.end());
    for (const std::string& metric : metrics) {
        if (auto made = MakeMetric(metric, out.train); !made.has_value()) return std::move(made).error();
    }
    out.eval_metric_given = !metrics.empty();
    out.train.early_stopping_rule = profile.early_stopping_rule;
    reader.Set("early_stopping_rounds", out.train.early_stopping_rounds);
    if (out.train.early_stopping_rounds > 0 && !out.eval_metric_given &&
        profile.early_stopping_rule == EarlyStoppingRule::kSaveBest) {
        out.warnings.emplace_back(
            "Hyperparameter 'early_stopping_rounds' has no effect: it needs eval_metric to be set.");
    }
    return {};
}

bool Refreshes(const TrainParams& train) {
    return std::find(train.tree_steps.begin(), train.tree_steps.end(), TreeStep::kRefresh) != train.tree_steps.end();
}

Result<void> CheckSteps(const TrainParams& train) {
    if (!Refreshes(train) || train.monotone_constraints.empty()) return {};
    return UserError(
        "Monotonic constraint is not supported by the `refresh` updater: leave monotone_constraints or 'refresh' out.");
}

/// Of process_type update: what is done to the trees of a model; parameters that grow trees have no effect.
Result<void> ReadUpdate(const Reader& reader, Hyperparameters& out) {
    TrainParams& train = out.train;
    if (train.booster == model::Booster::kDart) {
        return UserError(
            "process_type 'update' is not implemented for booster 'dart': stock XGBoost writes weights of trees that "
            "the model does not have then. Use process_type 'default'.");
    }
    train.process_type = ProcessType::kUpdate;
    train.tree_steps = TRY(StepsOfUpdate(SplitCommas(reader.Text("updater", "grow_quantile_histmaker"))));
    TRY(CheckSteps(train));
    train.pruning_rule = PruningRule::kNever;
    train.tree_method = TreeMethod::kHist;
    train.subsample = 1;
    const auto warn_if_given = [&](std::initializer_list<const char*> names, std::string_view why) {
        for (const char* name : names) {
            if (!reader.Has(name)) continue;
            out.warnings.push_back(fmt::format("Hyperparameter '{}' has no effect: {}.", name, why));
        }
    };
    warn_if_given(
        {"subsample", "sampling_method", "colsample_bytree", "colsample_bylevel", "colsample_bynode", "tree_method",
         "grow_policy", "max_leaves", "max_bin", "monotone_constraints", "interaction_constraints", "multi_strategy"},
        "process_type 'update' grows no trees");
    if (!Refreshes(train)) {
        warn_if_given({"lambda", "alpha", "min_child_weight", "refresh_leaf"}, "updater 'refresh' is not asked for");
    }
    if (std::find(train.tree_steps.begin(), train.tree_steps.end(), TreeStep::kPrune) == train.tree_steps.end()) {
        warn_if_given({"gamma", "max_depth"}, "updater 'prune' is not asked for");
    }
    return {};
}

/// Whether a tree predicts all groups, and what does not go together with that, in stock's words.
Result<void> ReadMultiStrategy(const Reader& reader, Hyperparameters& out) {
    TrainParams& train = out.train;
    const std::string strategy = reader.Text("multi_strategy", "one_output_per_tree");
    if (strategy == "one_output_per_tree") return {};
    if (strategy != "multi_output_tree") {
        return UserError(fmt::format(
            "Hyperparameter multi_strategy: {} is not in ['one_output_per_tree', 'multi_output_tree']", strategy));
    }
    if (train.num_groups() == 1) {
        out.warnings.push_back(
            fmt::format("Hyperparameter 'multi_strategy' has no effect: objective '{}' has one output, so a tree "
                        "predicts all.",
                        train.objective));
        return {};
    }
    if (train.booster == model::Booster::kGblinear) return {};
    constexpr std::string_view kInstead =
        "support for multi-target tree is not yet implemented: use multi_strategy "
        "'one_output_per_tree'.";
    if (train.booster == model::Booster::kDart) return UserError(fmt::format("dart {}", kInstead));
    if (train.tree_method != TreeMethod::kHist) {
        return UserError(
            "Only the hist tree method is supported for building multi-target trees with vector leaf: leave "
            "tree_method out.");
    }
    if (!train.monotone_constraints.empty()) return UserError(fmt::format("Monotonic constraint {}", kInstead));
    if (!train.interaction_constraints.empty()) return UserError(fmt::format("Interaction constraint {}", kInstead));
    if (Refreshes(train)) return UserError(fmt::format("Updater refresh: {}", kInstead));
    train.vector_leaves = true;
    return {};
}

Result<void> ReadTreeMethod(const Reader& reader, const VersionProfile& profile, Hyperparameters& out) {
    TrainParams& train = out.train;
    train.refresh_leaf = !reader.Is("refresh_leaf", "0");
    if (reader.Is("process_type", "update") && train.booster != model::Booster::kGblinear) {
        return ReadUpdate(reader, out);
    }
    train.pruning_rule = profile.pruning_rule;
    // Left out, it is hist under every image: the old images' own choice differs between one instance (exact) and
    // several (approx), and so would the model. Who wants it asks for auto.
    const std::string method = reader.Text("tree_method", "hist");
    if (method == "auto") {
        train.tree_method = profile.auto_is_hist ? TreeMethod::kHist : TreeMethod::kAuto;
    } else {
        train.tree_method = method == "exact"    ? TreeMethod::kExact
                            : method == "approx" ? TreeMethod::kApprox
                                                 : TreeMethod::kHist;
    }
    if (reader.Has("updater") && !reader.Is("booster", "gblinear")) {
        UpdaterChoice choice = TRY(ChooseByUpdaters(SplitCommas(reader.Text("updater", "")), profile.version));
        train.tree_method = choice.method;
        // What is not pruned before is not pruned at all, unless the list says so.
        if (choice.method == TreeMethod::kExact || profile.pruning_rule == PruningRule::kAfterwards) {
            train.pruning_rule = PruningRule::kNever;
        }
        train.tree_steps = std::move(choice.steps);
        TRY(CheckSteps(train));
    }
    if (reader.Is("sampling_method", "gradient_based")) {
        if (!profile.samples_by_gradient) {
            return UserError(
                "Only uniform sampling is supported, gradient-based sampling is only support by GPU Hist: use "
                "sampling_method 'uniform', or image version 3.2-0.");
        }
        train.sampling_method = SamplingMethod::kGradientBased;
    }
    if (train.tree_method == TreeMethod::kExact) {
        for (const std::string_view name : {"max_leaves", "grow_policy"}) {
            if (!reader.Has(name)) continue;
            out.warnings.push_back(fmt::format(
                "Hyperparameter '{}' has no effect: the exact tree method grows level by level to max_depth.", name));
        }
    }
    if (reader.Has("refresh_leaf") && !Refreshes(train)) {
        out.warnings.emplace_back("Hyperparameter 'refresh_leaf' has no effect: it belongs to updater refresh.");
    }
    TRY(CheckTreeMethod(train));
    return ReadMultiStrategy(reader, out);
}

Result<void> ReadTree(const Reader& reader, TrainParams& train) {
    reader.Set("num_round", train.num_rounds);
    reader.Set("eta", train.eta);
    reader.Set("gamma", train.gamma);
    reader.Set("lambda", train.lambda);
    reader.Set("alpha", train.alpha);
    // xgboost keeps Poisson's steps short unless told otherwise, in its hessian and in its leaves.
    if (train.objective == "count:poisson") train.max_delta_step = 0.7F;
    reader.Set("max_delta_step", train.max_delta_step);
    reader.Set("min_child_weight", train.min_child_weight);
    reader.Set("max_depth", train.max_depth);
    reader.Set("max_leaves", train.max_leaves);
    reader.Set("max_bin", train.max_bin);
    reader.Set("max_cat_to_onehot", train.max_cat_to_onehot);
    reader.Set("max_cat_threshold", train.max_cat_threshold);
    reader.Set("num_parallel_tree", train.num_parallel_tree);
    reader.Set("subsample", train.subsample);
    reader.Set("colsample_bytree", train.colsample_bytree);
    reader.Set("colsample_bylevel", train.colsample_bylevel);
    reader.Set("colsample_bynode", train.colsample_bynode);
    if (reader.Has("seed")) train.seed = ParsePythonInt(reader.Text("seed", "")).value();
    if (reader.Is("grow_policy", "lossguide")) train.grow_policy = GrowPolicy::kLossguide;
    if (reader.Has("monotone_constraints")) {
        train.monotone_constraints = TRY(ParseMonotoneConstraints(reader.Text("monotone_constraints", "")));
    }
    if (reader.Has("interaction_constraints")) {
        train.interaction_constraints = TRY(ParseInteractionConstraints(reader.Text("interaction_constraints", "")));
    }
    if (train.max_depth == 0 && train.max_leaves == 0 && !reader.Is("process_type", "update")) {
        return UserError(
            "Max leaves and max depth cannot both be unconstrained: set max_leaves, or max_depth above 0.");
    }
    if (train.max_bin < 2 || train.max_bin > data::kMaxBinLimit) {
        return UserError(
            fmt::format("Hyperparameter max_bin: {} is not in [2, {}]", train.max_bin, data::kMaxBinLimit));
    }
    if (train.lambda < 0 || train.alpha < 0) return UserError("Parameters lambda and alpha must not be negative.");
    if (!(train.scale_pos_weight > 0)) return UserError("Parameter scale_pos_weight must be greater than 0.");
    return {};
}

}  // namespace

Result<Hyperparameters> ParseHyperparameters(const HyperparameterList& list, const VersionProfile& profile) {
    Hyperparameters out;
    const CheckedValues values =
        profile.legacy ? TRY(CheckLegacyRules(list, out.warnings)) : TRY(CheckModernRules(list, profile));
    const Reader reader(values);
    TRY(RefuseWhatIsMissing(reader));
    WarnAboutWhatHasNoEffect(reader, out.warnings);
    TRY(ReadObjective(reader, profile, out));
    ReadBooster(reader, out.train);
    WarnAboutOtherBoosters(reader, out.warnings);
    TRY(ReadTree(reader, out.train));
    TRY(ReadTreeMethod(reader, profile, out));
    TRY(ReadMetrics(reader, profile, out));
    out.csv_weights = reader.Is("csv_weights", "1");
    reader.Set("_nfold", out.num_folds);
    reader.Set("_kfold", out.num_folds);
    reader.Set("_num_cv_round", out.num_fold_repeats);
    if (out.num_folds == 0 && reader.Has("_num_cv_round")) {
        out.warnings.emplace_back("Hyperparameter '_num_cv_round' has no effect: it needs _kfold.");
    }
    out.saves_on_termination = reader.Is("save_model_on_termination", "true");
    reader.Set("nthread", out.num_threads);
    int verbosity = 1;
    reader.Set("verbosity", verbosity);
    int silent = 1;
    if (profile.version <= AlgorithmVersion::k1_0_1) silent = profile.legacy ? 0 : 1;
    reader.Set("silent", silent);
    out.prints_trees = silent == 0 || verbosity >= 2;
    return out;
}

}  // namespace espalier::learn
