#include "jobs/tuning/tuning_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "base/algorithm_image.h"
#include "jobs/log_line.h"

namespace espalier::jobs {
namespace {

using nlohmann::json;

constexpr const char* kRoundsParameter = "num_round";
constexpr const char* kObjectiveParameter = "_tuning_objective_metric";

Error Refuse(std::string sentence) {
    return Error(ErrorCode::kInvalidArgument, std::move(sentence));
}

TuningStrategy StrategyOf(const std::string& word) {
    if (word == "Random") return TuningStrategy::kRandom;
    if (word == "Grid") return TuningStrategy::kGrid;
    return word == "Hyperband" ? TuningStrategy::kHyperband : TuningStrategy::kBayesian;
}

/// The members of a definition that a training job takes as they are.
json JobTemplate(const json& definition) {
    json job = json::object();
    for (const char* member :
         {"AlgorithmSpecification", "RoleArn", "InputDataConfig", "VpcConfig", "OutputDataConfig", "StoppingCondition",
          "EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining",
          "CheckpointConfig", "RetryStrategy", "Environment", "ResourceConfig"}) {
        if (definition.contains(member)) job[member] = definition[member];
    }
    return job;
}

/// ResourceConfig as the training job knows it, out of either form of the definition.
Result<void> FillResources(const json& definition, json& job) {
    const bool has_own = definition.contains("HyperParameterTuningResourceConfig");
    if (has_own == definition.contains("ResourceConfig")) {
        return Refuse(
            "A training job definition needs exactly one of ResourceConfig and HyperParameterTuningResourceConfig.");
    }
    if (!has_own) return {};
    const json& resources = definition["HyperParameterTuningResourceConfig"];
    const json& chosen = resources.contains("InstanceConfigs") ? resources["InstanceConfigs"][0] : resources;
    json config = json::object();
    for (const char* member : {"InstanceType", "InstanceCount", "VolumeSizeInGB"}) {
        if (chosen.contains(member)) config[member] = chosen[member];
    }
    job["ResourceConfig"] = std::move(config);
    return {};
}

Result<void> ParseObjective(const json& definition, const json& config, TuningDefinition& parsed) {
    const char* const kOwn = "TuningObjective";
    const char* const kShared = "HyperParameterTuningJobObjective";
    if (!definition.contains(kOwn) && !config.contains(kShared)) {
        return Refuse(
            fmt::format("There is no objective: give {} (with several definitions: {} in each).", kShared, kOwn));
    }
    const json& objective = definition.contains(kOwn) ? definition[kOwn] : config[kShared];
    parsed.metric = objective.value("MetricName", "");
    parsed.maximize = objective.value("Type", "") == "Maximize";
    const std::string image = parsed.job["AlgorithmSpecification"].value("TrainingImage", "");
    const auto version = RecogniseAlgorithmImage(image);
    if (!version) return Refuse(version.error().message());
    const std::vector<MetricDefinition> metrics = MetricDefinitionsOf(*version);
    const bool is_known = std::any_of(metrics.begin(), metrics.end(),
                                      [&](const MetricDefinition& metric) { return metric.name == parsed.metric; });
    if (!is_known) {
        return Refuse(
            fmt::format("The objective metric for the hyperparameter tuning job, [{}], isn't valid for the "
                        "[{}] algorithm. Choose a valid objective metric, such as validation:rmse.",
                        parsed.metric, image));
    }
    return {};
}

/// The metric reads a channel that has to be there.
Result<void> CheckObjectiveChannel(const TuningDefinition& definition) {
    const std::string channel = definition.metric.substr(0, definition.metric.find(':'));
    for (const json& entry : definition.job.value("InputDataConfig", json::array())) {
        if (entry.value("ChannelName", "") == channel) return {};
    }
    return Refuse(
        fmt::format("The objective metric {} is computed on the channel '{}', but InputDataConfig has no such "
                    "channel.",
                    definition.metric, channel));
}

Result<TuningDefinition> ParseDefinition(const json& definition, const json& config) {
    TuningDefinition parsed;
    parsed.name = definition.value("DefinitionName", "");
    parsed.job = JobTemplate(definition);
    TRY(FillResources(definition, parsed.job));
    const json ranges = definition.contains("HyperParameterRanges") ? definition["HyperParameterRanges"]
                                                                    : config.value("ParameterRanges", json::object());
    if (!ranges.value("AutoParameters", json::array()).empty()) {
        return Refuse("AutoParameters are not supported: give each hyperparameter a range of its own.");
    }
    parsed.space = TRY(SearchSpace::Parse(ranges));
    parsed.fixed = definition.value("StaticHyperParameters", ParameterValues());
    if (parsed.space.size() == 0) {
        return Refuse("There is nothing to tune: no hyperparameter has a range.");
    }
    for (const TunedParameter& parameter : parsed.space.parameters()) {
        if (parsed.fixed.contains(parameter.name)) {
            return Refuse(fmt::format(
                "The hyperparameter {} has a range and is in StaticHyperParameters too. Keep one.", parameter.name));
        }
    }
    TRY(ParseObjective(definition, config, parsed));
    TRY(CheckObjectiveChannel(parsed));
    return parsed;
}

Result<void> ParseDefinitions(const json& request, const json& config, TuningSpec& spec) {
    const bool has_one = request.contains("TrainingJobDefinition");
    if (has_one == request.contains("TrainingJobDefinitions")) {
        return Refuse("Exactly one of TrainingJobDefinition and TrainingJobDefinitions must be given.");
    }
    if (has_one) {
        spec.definitions.push_back(TRY(ParseDefinition(request["TrainingJobDefinition"], config)));
        return {};
    }
    std::set<std::string> names;
    for (const json& definition : request["TrainingJobDefinitions"]) {
        spec.definitions.push_back(TRY(ParseDefinition(definition, config)));
        const TuningDefinition& added = spec.definitions.back();
        if (added.name.empty() || !names.insert(added.name).second) {
            return Refuse("Each of several TrainingJobDefinitions needs a DefinitionName of its own.");
        }
        if (added.maximize != spec.definitions.front().maximize) {
            return Refuse(
                "All TrainingJobDefinitions must have the same Type of objective, or none could be the best.");
        }
    }
    return {};
}

Result<void> ParseLimits(const json& config, TuningSpec& spec) {
    const json& limits = config.at("ResourceLimits");
    spec.max_parallel = limits.value("MaxParallelTrainingJobs", std::int64_t{1});
    spec.max_runtime_seconds = limits.value("MaxRuntimeInSeconds", std::int64_t{0});
    if (spec.strategy == TuningStrategy::kGrid) {
        std::uint64_t combinations = 0;
        for (const TuningDefinition& definition : spec.definitions) {
            const std::uint64_t own = definition.space.num_combinations();
            if (own == 0) return Refuse("Grid search takes categorical ranges only. Write the values as a list.");
            if (spec.definitions.size() > 1 && own != spec.definitions.front().space.num_combinations())
                return Refuse("With Grid search all TrainingJobDefinitions must have the same number of combinations.");
            combinations += own;
        }
        spec.max_trials = static_cast<std::int64_t>(combinations);
        const std::int64_t wanted = limits.value("MaxNumberOfTrainingJobs", spec.max_trials);
        if (wanted != spec.max_trials) {
            return Refuse(
                fmt::format("The grid has {} combinations, so MaxNumberOfTrainingJobs must be {} or absent, "
                            "not {}.",
                            spec.max_trials, spec.max_trials, wanted));
        }
    } else {
        spec.max_trials = limits.value("MaxNumberOfTrainingJobs", kDefaultTrials);
    }
    if (spec.max_trials > kTrialsMax) {
        return Error(ErrorCode::kResourceLimit,
                     fmt::format("The account-level service limit 'Maximum number of training jobs per hyperparameter "
                                 "tuning job' is {}, with a request of {}.",
                                 kTrialsMax, spec.max_trials));
    }
    if (spec.max_parallel > spec.max_trials && limits.contains("MaxNumberOfTrainingJobs")) {
        return Refuse(fmt::format("MaxParallelTrainingJobs ({}) must not be above MaxNumberOfTrainingJobs ({}).",
                                  spec.max_parallel, spec.max_trials));
    }
    return {};
}

Result<void> ParseCriteria(const json& config, TuningSpec& spec) {
    const json criteria = config.value("TuningJobCompletionCriteria", json::object());
    if (criteria.contains("TargetObjectiveMetricValue"))
        spec.target = criteria["TargetObjectiveMetricValue"].get<double>();
    spec.not_improving_max = criteria.value("BestObjectiveNotImproving", json::object())
                                 .value("MaxNumberOfTrainingJobsNotImproving", std::int64_t{0});
    spec.ends_on_convergence =
        criteria.value("ConvergenceDetected", json::object()).value("CompleteOnConvergence", "Disabled") == "Enabled";
    if (config.contains("RandomSeed")) spec.seed = config["RandomSeed"].get<std::uint64_t>();
    return {};
}

std::int64_t FixedRounds(const TuningDefinition& definition) {
    const auto found = definition.fixed.find(kRoundsParameter);
    if (found == definition.fixed.end()) return 0;
    std::int64_t rounds = 0;
    const std::string& text = found->second;
    std::from_chars(text.data(), text.data() + text.size(), rounds);
    return rounds;
}

/// Hyperband's resource is the number of rounds, which a trial trains unless it is stopped.
Result<void> ParseHyperband(const json& config, TuningSpec& spec) {
    const json own = config.value("StrategyConfig", json::object()).value("HyperbandStrategyConfig", json::object());
    if (spec.strategy != TuningStrategy::kHyperband) {
        if (own.empty()) return {};
        return Refuse("HyperbandStrategyConfig is for Strategy Hyperband only.");
    }
    if (spec.stops_by_median) {
        return Refuse(
            "TrainingJobEarlyStoppingType must be Off with Strategy Hyperband, which stops trials by itself.");
    }
    spec.min_rounds = own.value("MinResource", std::int64_t{1});
    spec.max_rounds = own.value("MaxResource", FixedRounds(spec.definitions.front()));
    if (spec.max_rounds == 0) {
        return Refuse(
            "Hyperband needs to know how many rounds a full training has: give MaxResource, or num_round in "
            "StaticHyperParameters.");
    }
    if (spec.min_rounds > spec.max_rounds) return Refuse("MinResource is above MaxResource.");
    for (TuningDefinition& definition : spec.definitions) {
        for (const TunedParameter& parameter : definition.space.parameters()) {
            if (parameter.name == kRoundsParameter)
                return Refuse("num_round cannot have a range with Hyperband: rounds are what it shares out.");
        }
        definition.fixed.emplace(kRoundsParameter, std::to_string(spec.max_rounds));
    }
    return {};
}

Result<void> ParseWarmStart(const json& request, TuningSpec& spec) {
    if (!request.contains("WarmStartConfig")) return {};
    if (spec.strategy == TuningStrategy::kGrid || spec.strategy == TuningStrategy::kHyperband) {
        return Refuse(
            "WarmStartConfig is for the strategies Bayesian and Random: what Grid and Hyperband try does not "
            "depend on earlier results.");
    }
    const json& warm_start = request["WarmStartConfig"];
    for (const json& parent : warm_start["ParentHyperParameterTuningJobs"])
        spec.parents.push_back(parent.value("HyperParameterTuningJobName", ""));
    spec.parents_are_identical = warm_start.value("WarmStartType", "") == "IdenticalDataAndAlgorithm";
    return {};
}

}  // namespace

Result<TuningSpec> ParseTuningSpec(const std::string& request_text) {
    const json request = json::parse(request_text, nullptr, /*allow_exceptions=*/false);
    if (!request.is_object()) return Refuse("The tuning job's request is no JSON object.");
    TuningSpec spec;
    spec.name = request.value("HyperParameterTuningJobName", "");
    if (request.contains("Autotune")) {
        return Refuse("Autotune is not supported: give a strategy, ranges and limits.");
    }
    const json& config = request.at("HyperParameterTuningJobConfig");
    spec.strategy = StrategyOf(config.value("Strategy", "Bayesian"));
    spec.stops_by_median = config.value("TrainingJobEarlyStoppingType", "Off") == "Auto";
    TRY(ParseDefinitions(request, config, spec));
    TRY(ParseLimits(config, spec));
    TRY(ParseCriteria(config, spec));
    TRY(ParseHyperband(config, spec));
    TRY(ParseWarmStart(request, spec));
    return spec;
}

std::string TrialRequest(const TuningDefinition& definition, const std::string& job_name,
                         const ParameterValues& values) {
    json job = definition.job;
    job["TrainingJobName"] = job_name;
    ParameterValues all = definition.fixed;
    for (const auto& [name, value] : values) all[name] = value;
    // The trainer takes validation metrics only; others are in its log by eval_metric or by themselves.
    if (definition.metric.starts_with("validation:")) all[kObjectiveParameter] = definition.metric;
    job["HyperParameters"] = all;
    return job.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace espalier::jobs
