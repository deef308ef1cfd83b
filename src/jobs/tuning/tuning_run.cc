#include "jobs/tuning/tuning_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/digest.h"
#include "base/encoding.h"
#include "base/log.h"
#include "jobs/work_folder.h"
#include "meta/arn.h"

namespace espalier::jobs {
namespace {

using meta::JobStatus;
using meta::TuningTrial;
using nlohmann::json;

// A tuning job whose first trials all fail has a mistake that all share.
constexpr std::size_t kFailuresMax = 5;
// "Improving" is SageMaker's 1 %.
constexpr double kImprovement = 0.01;
constexpr double kConvergedImprovement = 0.01;
constexpr std::size_t kConvergedTrialsMin = 20;

json TagsToJson(const std::string& request) {
    const json parsed = json::parse(request, nullptr, false);
    return parsed.is_object() ? parsed.value("Tags", json::array()) : json::array();
}

ParameterValues ValuesOf(const TuningTrial& trial) {
    const json parsed = json::parse(trial.values, nullptr, false);
    return parsed.is_object() ? parsed.get<ParameterValues>() : ParameterValues();
}

}  // namespace

TuningRun::TuningRun(const TuningTools& tools, meta::Job job, TuningSpec spec)
    : tools_(tools), job_(std::move(job)), spec_(std::move(spec)) {}

Result<TuningRun> TuningRun::TakeUp(const TuningTools& tools, meta::Job job) {
    TuningSpec spec = TRY(ParseTuningSpec(job.request));
    TuningRun run(tools, std::move(job), std::move(spec));
    run.trials_ = TRY(tools.trials->All(run.job_.id));
    TRY(run.ReadParents());
    if (run.watches_rounds()) TRY(run.ReadRounds());
    return run;
}

/// Of the trials that have ended; those of others come with each look.
Result<void> TuningRun::ReadRounds() {
    for (const TuningTrial& trial : trials_) {
        const auto job = tools_.training->Find(job_.scope, trial.job_name);
        if (!job || !IsTerminal(trial.status)) continue;
        rounds_[trial.number] = TRY(tools_.training->MetricValues(*job, spec_.DefinitionOf(trial.number).metric));
    }
    return {};
}

Result<void> TuningRun::ReadParents() {
    parents_.resize(spec_.definitions.size());
    for (const std::string& parent_name : spec_.parents) {
        const auto parent = tools_.jobs->Find(job_.scope, parent_name);
        if (!parent) continue;  // It was there at Create and has been deleted since.
        for (const TuningTrial& trial : TRY(tools_.trials->All(parent->id))) {
            if (!trial.objective) continue;
            for (std::size_t i = 0; i < spec_.definitions.size(); ++i) {
                const TuningDefinition& definition = spec_.definitions[i];
                CubePoint point = definition.space.Encode(ValuesOf(trial));
                if (point.empty()) continue;
                parents_[i].push_back({std::move(point), definition.ToMinimize(*trial.objective)});
            }
        }
    }
    return {};
}

std::size_t TuningRun::num_running() const {
    return static_cast<std::size_t>(std::count_if(trials_.begin(), trials_.end(),
                                                  [](const TuningTrial& trial) { return !IsTerminal(trial.status); }));
}

Result<bool> TuningRun::Advance() {
    job_ = TRY(tools_.jobs->FindById(job_.id));
    if (IsTerminal(job_.status)) return true;
    TRY(Refresh());
    if (const std::optional<Ending> ending = TRY(FindEnding())) {
        for (const TuningTrial& trial : trials_) {
            if (!IsTerminal(trial.status)) TRY(StopTrial(trial));
        }
        if (num_running() > 0) return false;
        tools_.training->ForgetSharedBins(job_.scope, job_.name);
        TRY(tools_.jobs->End(job_.id, ending->status, ending->failure_reason, tools_.clock->WallMillis()));
        if (const auto row = tools_.jobs->FindById(job_.id)) tools_.tracer->End(*row, {});
        tools_.changed(job_.id);
        return true;
    }
    if (watches_rounds()) TRY(StopHopeless());
    TRY(Launch());
    return false;
}

Result<void> TuningRun::Refresh() {
    for (TuningTrial& trial : trials_) {
        if (!IsTerminal(trial.status)) TRY(RefreshTrial(trial));
    }
    return {};
}

Result<void> TuningRun::RefreshTrial(TuningTrial& trial) {
    auto job = tools_.training->Find(job_.scope, trial.job_name);
    if (!job && job.error().code() == ErrorCode::kNotFound) return CreateTraining(trial);
    if (!job) return std::move(job).error();
    if (watches_rounds())
        rounds_[trial.number] = TRY(tools_.training->MetricValues(*job, spec_.DefinitionOf(trial.number).metric));
    if (IsTerminal(job->status)) return NoteEnd(trial, *job);
    if (job->status == trial.status && job->started_at == trial.started_at) return {};
    trial.status = job->status;
    trial.started_at = job->started_at;
    return tools_.trials->Update(trial);
}

Result<void> TuningRun::NoteEnd(TuningTrial& trial, const meta::TrainingJob& job) {
    trial.status = job.status;
    trial.failure_reason = job.failure_reason;
    trial.started_at = job.started_at;
    trial.ended_at = job.ended_at;
    for (const meta::MetricPoint& point : TRY(tools_.training->FinalMetrics(job.id))) {
        // What a failed trial had reached says nothing about its parameters' worth.
        const bool counts = job.status != JobStatus::kFailed && std::isfinite(point.value);
        if (counts && point.name == spec_.DefinitionOf(trial.number).metric) trial.objective = point.value;
    }
    TRY(tools_.trials->Update(trial));
    tools_.changed(job_.id);
    return {};
}

Result<void> TuningRun::CreateTraining(TuningTrial& trial) {
    const TuningDefinition& definition = spec_.DefinitionOf(trial.number);
    std::vector<meta::Tag> tags;
    for (const json& tag : TagsToJson(job_.request)) tags.push_back({tag.value("Key", ""), tag.value("Value", "")});
    auto created = tools_.training->Create({.scope = job_.scope,
                                            .arn = meta::SageMakerArn(job_.scope, "training-job", trial.job_name),
                                            .request = TrialRequest(definition, trial.job_name, ValuesOf(trial)),
                                            .invocation_id = "",
                                            .tags = std::move(tags),
                                            .tuning_job = job_.name,
                                            .trace_parent = tools_.tracer->ContextText(job_.id)});
    if (created) return {};
    const ErrorCode code = created.error().code();
    const bool is_lasting =
        code == ErrorCode::kInvalidArgument || code == ErrorCode::kAlreadyExists || code == ErrorCode::kResourceLimit;
    if (!is_lasting) return std::move(created).error();
    trial.status = JobStatus::kFailed;
    trial.failure_reason = FitFailureReason("ClientError: " + created.error().ToString());
    trial.ended_at = tools_.clock->WallMillis();
    return tools_.trials->Update(trial);
}

Result<void> TuningRun::StopTrial(const TuningTrial& trial) {
    if (trial.status == JobStatus::kStopping) return {};
    Result<void> stopped = tools_.training->Stop(job_.scope, trial.job_name);
    // It may have ended, or have been deleted, in this very moment: the next look tells.
    if (!stopped && stopped.error().code() != ErrorCode::kConflict && stopped.error().code() != ErrorCode::kNotFound)
        return stopped;
    return {};
}

bool TuningRun::IsHopeless(const TuningTrial& trial) const {
    const auto own = rounds_.find(trial.number);
    if (own == rounds_.end()) return false;
    const TuningDefinition& definition = spec_.DefinitionOf(trial.number);
    const auto to_minimize = [&](RoundValues values) {
        for (double& value : values) value = definition.ToMinimize(value);
        return values;
    };
    const std::vector<std::int64_t> rungs = HalvingRungs(spec_.min_rounds, spec_.max_rounds);
    const auto bracket_of = [&](std::int64_t number) {
        return BracketOf(static_cast<std::uint64_t>(number - 1), rungs.size());
    };
    const bool halves = spec_.strategy == TuningStrategy::kHyperband;
    std::vector<RoundValues> others;
    for (const auto& [number, values] : rounds_) {
        const TuningTrial& other = trials_[static_cast<std::size_t>(number - 1)];
        if (number == trial.number || &spec_.DefinitionOf(number) != &definition) continue;
        const bool counts =
            halves ? bracket_of(number) == bracket_of(trial.number) : other.status == JobStatus::kCompleted;
        if (counts) others.push_back(to_minimize(values));
    }
    const RoundValues values = to_minimize(own->second);
    return halves ? HalvingStops(values, others, bracket_of(trial.number), rungs) : MedianRuleStops(values, others);
}

Result<void> TuningRun::StopHopeless() {
    for (const TuningTrial& trial : trials_) {
        if (trial.status == JobStatus::kInProgress && IsHopeless(trial)) TRY(StopTrial(trial));
    }
    return {};
}

Result<std::optional<TuningRun::Ending>> TuningRun::FindEnding() {
    if (job_.status == JobStatus::kStopping) return Ending{.status = JobStatus::kStopped};
    const UnixMillis runtime = tools_.clock->WallMillis() - job_.created_at;
    if (spec_.max_runtime_seconds > 0 && runtime >= spec_.max_runtime_seconds * 1000)
        return Ending{.status = JobStatus::kStopped};
    if (auto failure = FindFailure()) return failure;
    if (ReachesTarget() || HasStoppedImproving() || HasConverged()) return Ending{};
    if (num_running() == 0 && static_cast<std::int64_t>(trials_.size()) >= spec_.max_trials) return Ending{};
    return std::nullopt;
}

std::optional<TuningRun::Ending> TuningRun::FindFailure() const {
    std::size_t num_failed = 0;
    std::string reason;
    for (const TuningTrial& trial : trials_) {
        if (trial.objective) return std::nullopt;
        // A stopped one says nothing: it may have been stopped because the others failed.
        if (!IsTerminal(trial.status) || trial.status == JobStatus::kStopped) continue;
        ++num_failed;
        if (reason.empty()) {
            reason = trial.failure_reason.empty()
                         ? fmt::format("it has no objective {}", spec_.DefinitionOf(trial.number).metric)
                         : trial.failure_reason;
            reason = fmt::format("{}: {}", trial.job_name, reason);
        }
    }
    const auto limit = std::min(static_cast<std::int64_t>(kFailuresMax), spec_.max_trials);
    if (static_cast<std::int64_t>(num_failed) < limit) return std::nullopt;
    return Ending{.status = JobStatus::kFailed,
                  .failure_reason = FitFailureReason(fmt::format(
                      "No training job succeeded after {} attempts. For additional details, please take a look at the "
                      "training job failures by listing training jobs for the hyperparameter tuning job. The first: {}",
                      limit, reason))};
}

bool TuningRun::ReachesTarget() const {
    if (!spec_.target) return false;
    return std::any_of(trials_.begin(), trials_.end(), [&](const TuningTrial& trial) {
        const TuningDefinition& definition = spec_.DefinitionOf(trial.number);
        return trial.objective && definition.ToMinimize(*trial.objective) <= definition.ToMinimize(*spec_.target);
    });
}

bool TuningRun::HasStoppedImproving() const {
    if (spec_.not_improving_max == 0) return false;
    std::optional<double> best;
    std::int64_t num_since = 0;
    for (const TuningTrial& trial : trials_) {
        if (!trial.objective) continue;
        const double value = spec_.DefinitionOf(trial.number).ToMinimize(*trial.objective);
        const bool improves = !best || *best - value >= kImprovement * std::abs(*best);
        num_since = improves ? 0 : num_since + 1;
        if (improves) best = value;
    }
    return num_since >= spec_.not_improving_max;
}

bool TuningRun::HasConverged() const {
    if (!spec_.ends_on_convergence) return false;
    for (const TuningDefinition& definition : spec_.definitions) {
        const TrialHistory history = HistoryFor(definition, static_cast<std::int64_t>(trials_.size()));
        if (history.ended.size() < kConvergedTrialsMin) return false;
        if (RemainingImprovement(definition.space, seed(), history) > kConvergedImprovement) return false;
    }
    return true;
}

Result<void> TuningRun::Launch() {
    while (static_cast<std::int64_t>(trials_.size()) < spec_.max_trials &&
           num_running() < static_cast<std::size_t>(spec_.max_parallel)) {
        const auto number = static_cast<std::int64_t>(trials_.size()) + 1;
        if (!MayPropose(number)) return {};
        const TuningDefinition& definition = spec_.DefinitionOf(number);
        TuningTrial trial = {.tuning_id = job_.id,
                             .number = number,
                             .job_name = JobName(number),
                             .definition_idx = &definition - spec_.definitions.data(),
                             .values = json(definition.space.Decode(Propose(number))).dump(),
                             .created_at = tools_.clock->WallMillis()};
        TRY(tools_.trials->Insert(trial));
        trials_.push_back(std::move(trial));
        TRY(CreateTraining(trials_.back()));
        tools_.changed(job_.id);
    }
    return {};
}

bool TuningRun::MayPropose(std::int64_t number) const {
    if (spec_.strategy != TuningStrategy::kBayesian || !spec_.seed) return true;
    const auto known = static_cast<std::size_t>(std::max<std::int64_t>(0, number - spec_.max_parallel));
    return std::all_of(trials_.begin(), trials_.begin() + static_cast<std::ptrdiff_t>(known),
                       [](const TuningTrial& trial) { return IsTerminal(trial.status); });
}

CubePoint TuningRun::Propose(std::int64_t number) const {
    const TuningDefinition& definition = spec_.DefinitionOf(number);
    const auto num_definitions = static_cast<std::int64_t>(spec_.definitions.size());
    // Numbered within the definition, so that each sees its own sequence whole.
    const auto own_number = static_cast<std::uint64_t>((number - 1) / num_definitions);
    const std::uint64_t own_seed = seed() + static_cast<std::uint64_t>((number - 1) % num_definitions);
    switch (spec_.strategy) {
        case TuningStrategy::kGrid:
            return definition.space.Combination(own_number);
        case TuningStrategy::kBayesian:
            return ProposeBayesian(definition.space, own_seed, own_number,
                                   HistoryFor(definition, spec_.seed ? number - spec_.max_parallel : number));
        case TuningStrategy::kRandom:
        case TuningStrategy::kHyperband:
            break;
    }
    return ProposeRandom(definition.space, own_seed, own_number);
}

TrialHistory TuningRun::HistoryFor(const TuningDefinition& definition, std::int64_t known_until) const {
    const auto definition_idx = static_cast<std::size_t>(&definition - spec_.definitions.data());
    TrialHistory history = {.ended = parents_[definition_idx], .pending = {}};
    std::vector<CubePoint> failed;
    for (const TuningTrial& trial : trials_) {
        if (&spec_.DefinitionOf(trial.number) != &definition) continue;
        CubePoint point = definition.space.Encode(ValuesOf(trial));
        if (trial.number > known_until || !IsTerminal(trial.status)) {
            history.pending.push_back(std::move(point));
        } else if (trial.objective) {
            history.ended.push_back({std::move(point), definition.ToMinimize(*trial.objective)});
        } else {
            failed.push_back(std::move(point));
        }
    }
    // A place where training fails is as bad as the worst that is known.
    double worst = 0;
    for (const TrialValue& trial : history.ended)
        worst = &trial == &history.ended.front() ? trial.value : std::max(worst, trial.value);
    for (CubePoint& point : failed) {
        if (!history.ended.empty()) history.ended.push_back({std::move(point), worst});
    }
    return history;
}

std::string TuningRun::JobName(std::int64_t number) const {
    const std::string digest =
        HexEncode(Sha256::Of(fmt::format("{}/{}/{}", job_.name, job_.created_at, number))).substr(0, 8);
    return fmt::format("{}-{:03}-{}", job_.name, number, digest);
}

std::uint64_t TuningRun::seed() const {
    return spec_.seed.value_or(static_cast<std::uint64_t>(job_.created_at));
}

}  // namespace espalier::jobs
