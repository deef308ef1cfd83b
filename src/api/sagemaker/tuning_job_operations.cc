#include "api/sagemaker/tuning_job_operations.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/sagemaker/hosting_operations.h"
#include "api/sagemaker/job_lists.h"
#include "api/sagemaker/training_job_operations.h"
#include "api/telemetry/request_trace.h"
#include "meta/arn.h"

namespace espalier::api::sagemaker {
namespace {

using nlohmann::json;

constexpr const char* kName = "HyperParameterTuningJobName";
constexpr const char* kArnKind = "hyper-parameter-tuning-job";
constexpr JobListShape kList = {.operation = "ListHyperParameterTuningJobs",
                                .rows_member = "HyperParameterTuningJobSummaries",
                                .default_rows = 10,
                                .default_sort = "Name",
                                .default_order = "Ascending"};
constexpr const char* kTrialsOperation = "ListTrainingJobsForHyperParameterTuningJob";
constexpr std::uint32_t kDefaultTrialRows = 10;

std::string ArnOf(const meta::Job& job) {
    return meta::SageMakerArn(job.scope, kArnKind, job.name);
}

Outcome NoSuchJob(const json& request) {
    return Outcome::Fail(
        {.type = "ResourceNotFound",
         .message = fmt::format("Amazon SageMaker can't find a tuning job called {}. Type another name.",
                                request[kName].get<std::string>())});
}

Outcome Create(jobs::TuningService& tuning, const json& request, const RequestContext& context) {
    auto tags = TagsOf(request);
    if (const WireError* error = std::get_if<WireError>(&tags)) return Outcome::Fail(*error);
    const std::string name = request[kName].get<std::string>();
    const std::string arn = meta::SageMakerArn(context.scope, kArnKind, name);
    auto job = tuning.Create({.scope = context.scope,
                              .arn = arn,
                              .request = request.dump(-1, ' ', false, json::error_handler_t::replace),
                              .invocation_id = context.invocation_id,
                              .tags = std::get<std::vector<meta::Tag>>(std::move(tags)),
                              .trace_parent = CurrentTraceParent()});
    if (job) return Outcome::Ok({{"HyperParameterTuningJobArn", arn}});
    switch (const Error& error = job.error(); error.code()) {
        case ErrorCode::kAlreadyExists:
            return Outcome::Fail(
                {.type = "ResourceInUse",
                 .message = fmt::format("A hyperparameter tuning job with the name, {}, already exists. Choose a "
                                        "different name.",
                                        name)});
        case ErrorCode::kResourceLimit:
            return Outcome::Fail({.type = "ResourceLimitExceeded", .message = error.ToString()});
        case ErrorCode::kInvalidArgument:
            return Outcome::ValidationError(error.ToString());
        default:
            return Outcome::Internal(error, "CreateHyperParameterTuningJob");
    }
}

json TrialDocument(const meta::Scope& scope, const jobs::TuningSpec& spec, const meta::TuningTrial& trial) {
    const jobs::TuningDefinition& definition = spec.DefinitionOf(trial.number);
    const json values = json::parse(trial.values, nullptr, /*allow_exceptions=*/false);
    json document = {{"TrainingJobName", trial.job_name},
                     {"TrainingJobArn", meta::SageMakerArn(scope, "training-job", trial.job_name)},
                     {"CreationTime", EpochSeconds(trial.created_at)},
                     {"TrainingJobStatus", ToString(trial.status)},
                     {"TunedHyperParameters", values.is_object() ? values : json::object()}};
    if (!definition.name.empty()) document["TrainingJobDefinitionName"] = definition.name;
    if (trial.started_at != 0) document["TrainingStartTime"] = EpochSeconds(trial.started_at);
    if (trial.ended_at != 0) document["TrainingEndTime"] = EpochSeconds(trial.ended_at);
    if (!trial.failure_reason.empty()) document["FailureReason"] = trial.failure_reason;
    if (trial.objective) {
        document["FinalHyperParameterTuningJobObjectiveMetric"] = {
            {"Type", definition.maximize ? "Maximize" : "Minimize"},
            {"MetricName", definition.metric},
            {"Value", *trial.objective}};
    }
    const bool has_ended = meta::IsTerminal(trial.status);
    document["ObjectiveStatus"] = trial.objective ? "Succeeded" : (has_ended ? "Failed" : "Pending");
    return document;
}

json StatusCounters(const jobs::TuningState& state) {
    return {{"Completed", state.counts.completed},
            {"InProgress", state.counts.in_progress},
            {"RetryableError", state.retryable_failures},
            {"NonRetryableError", state.counts.failed - state.retryable_failures},
            {"Stopped", state.counts.stopped}};
}

json ObjectiveCounters(const jobs::TuningState& state) {
    return {{"Succeeded", state.counts.with_objective},
            {"Pending", state.counts.in_progress},
            {"Failed", state.counts.ended_without}};
}

/// What SageMaker adds to the definitions of training jobs. SDKs count on it when they attach to a tuning job.
void FillDefinitions(json& document, const jobs::TuningSpec& spec) {
    const auto fill = [](json& definition, const std::string& metric) {
        definition["StaticHyperParameters"]["_tuning_objective_metric"] = metric;
        FillMetricDefinitions(definition["AlgorithmSpecification"]);
    };
    if (document.contains("TrainingJobDefinition"))
        return fill(document["TrainingJobDefinition"], spec.definitions.front().metric);
    for (std::size_t i = 0; i < spec.definitions.size(); ++i)
        fill(document["TrainingJobDefinitions"][i], spec.definitions[i].metric);
}

}  // namespace

Result<nlohmann::json> DescribeTuningJobDocument(jobs::TuningService& tuning, const meta::Job& job) {
    const jobs::TuningSpec spec = TRY(jobs::ParseTuningSpec(job.request));
    const jobs::TuningState state = TRY(tuning.StateOf(job));
    json document = json::parse(job.request, nullptr, /*allow_exceptions=*/false);
    document.erase("Tags");
    document[kName] = job.name;
    document["HyperParameterTuningJobArn"] = ArnOf(job);
    document["HyperParameterTuningJobConfig"].emplace("TrainingJobEarlyStoppingType", "Off");
    FillDefinitions(document, spec);
    document["HyperParameterTuningJobStatus"] = ToString(job.status);
    document["CreationTime"] = EpochSeconds(job.created_at);
    document["LastModifiedTime"] = EpochSeconds(job.modified_at);
    document["TrainingJobStatusCounters"] = StatusCounters(state);
    document["ObjectiveStatusCounters"] = ObjectiveCounters(state);
    if (job.ended_at != 0) {
        document["HyperParameterTuningEndTime"] = EpochSeconds(job.ended_at);
        document["ConsumedResources"] = {{"RuntimeInSeconds", (job.ended_at - job.created_at + 999) / 1000}};
    }
    if (!job.failure_reason.empty()) document["FailureReason"] = job.failure_reason;
    if (state.best) document["BestTrainingJob"] = TrialDocument(job.scope, spec, *state.best);
    if (state.overall_best) {
        const auto& [owner, trial] = *state.overall_best;
        json overall = TrialDocument(owner.scope, TRY(jobs::ParseTuningSpec(owner.request)), trial);
        overall["TuningJobName"] = owner.name;
        document["OverallBestTrainingJob"] = std::move(overall);
    }
    return document;
}

namespace {

void Describe(jobs::TuningService& tuning, DescribeHold& hold, const json& request, const RequestContext& context,
              const Reply& reply) {
    auto job = tuning.Find(context.scope, request[kName].get<std::string>());
    if (!job) {
        return reply(job.error().code() == ErrorCode::kNotFound
                         ? NoSuchJob(request)
                         : Outcome::Internal(job.error(), "DescribeHyperParameterTuningJob"));
    }
    const auto answer = [&tuning, reply, id = job->id] {
        auto document = [&]() -> Result<json> { return DescribeTuningJobDocument(tuning, TRY(tuning.FindById(id))); }();
        reply(document ? Outcome::Ok(*document)
                       : Outcome::Internal(document.error(), "DescribeHyperParameterTuningJob"));
    };
    hold.Answer({.kind = kArnKind, .id = job->id, .status = job->status},
                {.caller = context.caller_arn, .user_agent = context.user_agent}, answer);
}

Outcome Stop(jobs::TuningService& tuning, const json& request, const RequestContext& context) {
    Result<void> stopped = tuning.Stop(context.scope, request[kName].get<std::string>());
    if (stopped) return Outcome::Empty();
    const Error& error = stopped.error();
    if (error.code() == ErrorCode::kNotFound) return NoSuchJob(request);
    if (error.code() == ErrorCode::kConflict) {
        return Outcome::ValidationError(fmt::format(
            "The request was rejected because the hyperparameter tuning job is in status {}.", error.message()));
    }
    return Outcome::Internal(error, "StopHyperParameterTuningJob");
}

Outcome Delete(jobs::TuningService& tuning, const json& request, const RequestContext& context) {
    const std::string name = request[kName].get<std::string>();
    Result<void> deleted = tuning.Delete(context.scope, name, meta::SageMakerArn(context.scope, kArnKind, name));
    // Not modelled as an error: what is not there needs no deleting.
    if (deleted || deleted.error().code() == ErrorCode::kNotFound) return Outcome::Empty();
    if (deleted.error().code() == ErrorCode::kConflict) {
        return Outcome::ValidationError(
            fmt::format("The hyperparameter tuning job is in status {}. Only jobs that have ended can be deleted.",
                        deleted.error().message()));
    }
    return Outcome::Internal(deleted.error(), "DeleteHyperParameterTuningJob");
}

Outcome List(jobs::TuningService& tuning, const json& request, const RequestContext& context) {
    std::optional<Error> failure;
    const auto summary = [&](const meta::Job& job) -> json {
        auto state = tuning.StateOf(job);
        if (!state) {
            failure = std::move(state).error();
            return json::object();
        }
        const json config = json::parse(job.request, nullptr, false).at("HyperParameterTuningJobConfig");
        json document = {{kName, job.name},
                         {"HyperParameterTuningJobArn", ArnOf(job)},
                         {"HyperParameterTuningJobStatus", ToString(job.status)},
                         {"Strategy", config.at("Strategy")},
                         {"CreationTime", EpochSeconds(job.created_at)},
                         {"LastModifiedTime", EpochSeconds(job.modified_at)},
                         {"TrainingJobStatusCounters", StatusCounters(*state)},
                         {"ObjectiveStatusCounters", ObjectiveCounters(*state)},
                         {"ResourceLimits", config.at("ResourceLimits")}};
        if (job.ended_at != 0) document["HyperParameterTuningEndTime"] = EpochSeconds(job.ended_at);
        return document;
    };
    Outcome outcome = ListJobsAs<meta::Job>(
        kList, request, context, [&tuning](const meta::JobQuery& query) { return tuning.List(query); }, summary);
    return failure ? Outcome::Internal(*failure, kList.operation) : outcome;
}

meta::TrialSort SortOf(const std::string& word) {
    if (word == "CreationTime") return meta::TrialSort::kCreationTime;
    if (word == "Status") return meta::TrialSort::kStatus;
    return word == "FinalObjectiveMetricValue" ? meta::TrialSort::kObjective : meta::TrialSort::kName;
}

Outcome ListTrials(jobs::TuningService& tuning, const json& request, const RequestContext& context) {
    auto job = tuning.Find(context.scope, request[kName].get<std::string>());
    if (!job) {
        return job.error().code() == ErrorCode::kNotFound ? NoSuchJob(request)
                                                          : Outcome::Internal(job.error(), kTrialsOperation);
    }
    auto place = ReadNextToken(kTrialsOperation, context.scope, request);
    if (const WireError* error = std::get_if<WireError>(&place)) return Outcome::Fail(*error);
    json answer = {{"TrainingJobSummaries", json::array()}};
    meta::TrialQuery query = {.tuning_id = job->id,
                              .sort = SortOf(request.value("SortBy", "Name")),
                              .descending = request.value("SortOrder", "Ascending") == "Descending",
                              .limit = request.value("MaxResults", kDefaultTrialRows)};
    if (request.contains("StatusEquals")) {
        query.status = meta::JobStatusOf(request["StatusEquals"].get<std::string>());
        if (!query.status) return Outcome::Ok(answer);  // A published status that no job here has (Deleting).
    }
    if (const auto& behind = std::get<std::optional<ListPlace>>(place)) query.after = JobCursorOf(*behind);
    auto spec = jobs::ParseTuningSpec(job->request);
    if (!spec) return Outcome::Internal(spec.error(), kTrialsOperation);
    auto page = tuning.ListTrials(query);
    if (!page) return Outcome::Internal(page.error(), kTrialsOperation);
    for (const meta::TuningTrial& trial : page->jobs)
        answer["TrainingJobSummaries"].push_back(TrialDocument(context.scope, *spec, trial));
    if (page->next) {
        answer["NextToken"] = MakeListToken(kTrialsOperation, context.scope, request,
                                            {.sort_value = page->next->key, .row = std::to_string(page->next->id)});
    }
    return Outcome::Ok(answer);
}

}  // namespace

void AddTuningJobOperations(OperationTable& table, jobs::TuningService& tuning, DescribeHold& hold) {
    hold.Watch(kArnKind, tuning.listeners(), [&tuning](std::int64_t id) -> std::optional<meta::JobStatus> {
        const auto job = tuning.FindById(id);
        return job ? std::optional(job->status) : std::nullopt;
    });
    table.Add("CreateHyperParameterTuningJob", Bind(tuning, Create));
    table.Add("StopHyperParameterTuningJob", Bind(tuning, Stop));
    table.Add("DeleteHyperParameterTuningJob", Bind(tuning, Delete));
    table.Add("ListHyperParameterTuningJobs", Bind(tuning, List));
    table.Add(kTrialsOperation, Bind(tuning, ListTrials));
    table.AddDeferred("DescribeHyperParameterTuningJob",
                      [&tuning, &hold](const json& request, const RequestContext& context, const Reply& reply) {
                          Describe(tuning, hold, request, context, reply);
                      });
}

}  // namespace espalier::api::sagemaker
