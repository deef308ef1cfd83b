#include "api/sagemaker/training_job_operations.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/sagemaker/hosting_operations.h"
#include "api/sagemaker/job_lists.h"
#include "api/telemetry/request_trace.h"
#include "jobs/job_spec.h"
#include "jobs/log_line.h"
#include "meta/arn.h"
#include "meta/job_rows.h"

namespace espalier::api::sagemaker {
namespace {

using nlohmann::json;

constexpr const char* kArnKind = "training-job";
constexpr JobListShape kList = {.operation = "ListTrainingJobs",
                                .rows_member = "TrainingJobSummaries",
                                .default_rows = 100,  // not documented; the largest MaxResults
                                .default_sort = "CreationTime",
                                .default_order = "Ascending"};

std::string ArnOf(const meta::TrainingJob& job) {
    return meta::SageMakerArn(job.scope, kArnKind, job.name);
}

Outcome NoSuchJob() {
    return Outcome::ValidationError("Requested resource not found.");
}

Outcome Create(jobs::JobService& jobs, const json& request, const RequestContext& context) {
    auto tags = TagsOf(request);
    if (const WireError* error = std::get_if<WireError>(&tags)) return Outcome::Fail(*error);
    const std::string name = request["TrainingJobName"].get<std::string>();
    const std::string arn = meta::SageMakerArn(context.scope, kArnKind, name);
    auto job = jobs.Create({.scope = context.scope,
                            .arn = arn,
                            .request = request.dump(-1, ' ', false, json::error_handler_t::replace),
                            .invocation_id = context.invocation_id,
                            .tags = std::get<std::vector<meta::Tag>>(std::move(tags)),
                            .trace_parent = CurrentTraceParent()});
    if (job) return Outcome::Ok({{"TrainingJobArn", arn}});
    switch (const Error& error = job.error(); error.code()) {
        case ErrorCode::kAlreadyExists:
            return Outcome::Fail(
                {.type = "ResourceInUse",
                 .message = fmt::format("Training job names must be unique within an AWS account and "
                                        "region, and a training job with this name already exists ({})",
                                        arn)});
        case ErrorCode::kResourceLimit:
            return Outcome::Fail({.type = "ResourceLimitExceeded", .message = error.ToString()});
        case ErrorCode::kInvalidArgument:
            return Outcome::ValidationError(error.ToString());
        default:
            return Outcome::Internal(error, "CreateTrainingJob");
    }
}

Outcome Stop(jobs::JobService& jobs, const json& request, const RequestContext& context) {
    Result<void> stopped = jobs.Stop(context.scope, request["TrainingJobName"].get<std::string>());
    if (stopped) return Outcome::Empty();
    const Error& error = stopped.error();
    if (error.code() == ErrorCode::kNotFound) return NoSuchJob();
    if (error.code() == ErrorCode::kConflict) {
        return Outcome::ValidationError(
            fmt::format("The request was rejected because the training job is in status {}.", error.message()));
    }
    return Outcome::Internal(error, "StopTrainingJob");
}

Outcome Delete(jobs::JobService& jobs, const json& request, const RequestContext& context) {
    const std::string name = request["TrainingJobName"].get<std::string>();
    Result<void> deleted = jobs.Delete(context.scope, name, meta::SageMakerArn(context.scope, kArnKind, name));
    if (deleted) return Outcome::Empty();
    const Error& error = deleted.error();
    if (error.code() == ErrorCode::kNotFound) return NoSuchJob();
    if (error.code() == ErrorCode::kConflict) {
        return Outcome::Fail({.type = "ResourceInUse",
                              .message = fmt::format("The training job is in status {}. Only jobs that have ended can "
                                                     "be deleted.",
                                                     error.message())});
    }
    return Outcome::Internal(error, "DeleteTrainingJob");
}

/// The member of an update that cannot be had here, with the reason; nullopt when all is as the request wants it: there
/// is no profiler and no remote debugging, so both can be turned off.
std::optional<std::string> RefusedUpdate(const json& request) {
    if (request.contains("ResourceConfig"))
        return "ResourceConfig.KeepAlivePeriodInSeconds cannot be updated: the training job has no warm pool";
    if (request.contains("ProfilerRuleConfigurations"))
        return "ProfilerRuleConfigurations cannot be updated: there are no profiler rules";
    const json none = json::object();
    const json& profiler = request.contains("ProfilerConfig") ? request["ProfilerConfig"] : none;
    if (request.contains("ProfilerConfig") && !(profiler.size() == 1 && profiler.value("DisableProfiler", false)))
        return "ProfilerConfig cannot be updated but with DisableProfiler true: there is no profiler";
    const json& debug = request.contains("RemoteDebugConfig") ? request["RemoteDebugConfig"] : none;
    if (debug.value("EnableRemoteDebug", false))
        return "RemoteDebugConfig.EnableRemoteDebug cannot be true: training jobs cannot be logged in to";
    return std::nullopt;
}

Outcome Update(jobs::JobService& jobs, const json& request, const RequestContext& context) {
    auto job = jobs.Find(context.scope, request["TrainingJobName"].get<std::string>());
    if (!job)
        return job.error().code() == ErrorCode::kNotFound ? NoSuchJob()
                                                          : Outcome::Internal(job.error(), "UpdateTrainingJob");
    if (job->status != meta::JobStatus::kInProgress)
        return Outcome::ValidationError(
            fmt::format("The request was rejected because the training job is in status {}.", ToString(job->status)));
    if (auto refused = RefusedUpdate(request)) return Outcome::ValidationError(std::move(*refused) + ".");
    return Outcome::Ok({{"TrainingJobArn", ArnOf(*job)}});
}

Result<Outcome> DescribeNow(jobs::JobService& jobs, std::int64_t id) {
    const meta::TrainingJob job = TRY(jobs.FindById(id));
    return Outcome::Ok(DescribeTrainingJobDocument(job, TRY(jobs.FinalMetrics(job.id))));
}

void Describe(jobs::JobService& jobs, DescribeHold& hold, const json& request, const RequestContext& context,
              const Reply& reply) {
    auto job = jobs.Find(context.scope, request["TrainingJobName"].get<std::string>());
    if (!job) {
        reply(job.error().code() == ErrorCode::kNotFound ? NoSuchJob()
                                                         : Outcome::Internal(job.error(), "DescribeTrainingJob"));
        return;
    }
    const auto answer = [&jobs, reply, id = job->id] {
        auto outcome = DescribeNow(jobs, id);
        reply(outcome ? *outcome : Outcome::Internal(outcome.error(), "DescribeTrainingJob"));
    };
    hold.Answer({.kind = kArnKind, .id = job->id, .status = job->status},
                {.caller = context.caller_arn, .user_agent = context.user_agent}, answer);
}

json Summary(const meta::TrainingJob& job) {
    json summary = {{"TrainingJobName", job.name},
                    {"TrainingJobArn", ArnOf(job)},
                    {"CreationTime", EpochSeconds(job.created_at)},
                    {"LastModifiedTime", EpochSeconds(job.modified_at)},
                    {"TrainingJobStatus", ToString(job.status)},
                    {"SecondaryStatus", ToString(job.stage)}};
    if (job.ended_at != 0) summary["TrainingEndTime"] = EpochSeconds(job.ended_at);
    return summary;
}

Outcome List(jobs::JobService& jobs, const json& request, const RequestContext& context) {
    // No job here has a warm pool or belongs to a training plan, so these filters leave nothing.
    if (request.contains("WarmPoolStatusEquals") || request.contains("TrainingPlanArnEquals")) {
        return Outcome::Ok({{kList.rows_member, json::array()}});
    }
    return ListJobsAs<meta::TrainingJob>(
        kList, request, context, [&jobs](const meta::JobQuery& query) { return jobs.List(query); }, Summary);
}

/// What SageMaker fills into the request's own members.
void FillDefaults(json& document) {
    json& algorithm = document["AlgorithmSpecification"];
    FillMetricDefinitions(algorithm);
    algorithm.emplace("EnableSageMakerMetricsTimeSeries", false);
    if (document.contains("InputDataConfig")) {
        for (json& channel : document["InputDataConfig"]) {
            channel.emplace("CompressionType", "None");
            channel.emplace("RecordWrapperType", "None");
            if (channel["DataSource"].contains("S3DataSource")) {
                channel["DataSource"]["S3DataSource"].emplace("S3DataDistributionType", "FullyReplicated");
            }
        }
    }
    document["OutputDataConfig"].emplace("KmsKeyId", "");
    document["OutputDataConfig"].emplace("CompressionType", "GZIP");
    constexpr int kDefaultVolumeGb = 30;  // as the SDKs send it
    document["ResourceConfig"].emplace("VolumeSizeInGB", kDefaultVolumeGb);
    if (!document.contains("StoppingCondition")) document["StoppingCondition"] = json::object();
    document["StoppingCondition"].emplace("MaxRuntimeInSeconds", jobs::kDefaultMaxRuntimeSeconds);
    document.emplace("HyperParameters", json::object());
    for (const char* flag :
         {"EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining"}) {
        document.emplace(flag, false);
    }
    document.emplace("ProfilingStatus", "Disabled");
}

json Transitions(const meta::TrainingJob& job) {
    json transitions = json::array();
    for (const meta::Transition& transition : job.transitions) {
        json entry = {{"Status", ToString(transition.stage)},
                      {"StartTime", EpochSeconds(transition.started_at)},
                      {"StatusMessage", transition.message}};
        if (transition.ended_at != 0) entry["EndTime"] = EpochSeconds(transition.ended_at);
        transitions.push_back(std::move(entry));
    }
    return transitions;
}

}  // namespace

void FillMetricDefinitions(json& algorithm) {
    const auto version = RecogniseAlgorithmImage(algorithm.value("TrainingImage", ""));
    if (!version) return;
    json definitions = json::array();
    for (const jobs::MetricDefinition& definition : jobs::MetricDefinitionsOf(*version)) {
        definitions.push_back({{"Name", definition.name}, {"Regex", definition.regex}});
    }
    algorithm["MetricDefinitions"] = std::move(definitions);
}

json DescribeTrainingJobDocument(const meta::TrainingJob& job, const std::vector<meta::MetricPoint>& metrics) {
    json document = json::parse(job.request, nullptr, /*allow_exceptions=*/false);
    if (!document.is_object()) document = json::object();
    document.erase("Tags");
    FillDefaults(document);
    document["TrainingJobName"] = job.name;
    document["TrainingJobArn"] = ArnOf(job);
    const auto spec = jobs::ParseJobSpec(job.request);
    document["ModelArtifacts"] = {{"S3ModelArtifacts", spec ? spec->ModelArtifactsUri() : ""}};
    if (!job.tuning_job.empty())
        document["TuningJobArn"] = meta::SageMakerArn(job.scope, meta::ArnKind(meta::JobKind::kTuning), job.tuning_job);
    document["TrainingJobStatus"] = ToString(job.status);
    document["SecondaryStatus"] = ToString(job.stage);
    document["SecondaryStatusTransitions"] = Transitions(job);
    document["CreationTime"] = EpochSeconds(job.created_at);
    document["LastModifiedTime"] = EpochSeconds(job.modified_at);
    if (!job.failure_reason.empty()) document["FailureReason"] = job.failure_reason;
    if (job.started_at != 0) document["TrainingStartTime"] = EpochSeconds(job.started_at);
    if (job.ended_at != 0) {
        document["TrainingEndTime"] = EpochSeconds(job.ended_at);
        // Rounded up: the published minimum is 1, and SDKs divide by it.
        const std::int64_t seconds = std::max<std::int64_t>(1, (job.ended_at - job.started_at + 999) / 1000);
        document["TrainingTimeInSeconds"] = seconds;
        document["BillableTimeInSeconds"] = seconds;
    }
    if (meta::IsTerminal(job.status) && !metrics.empty()) {
        json final_metrics = json::array();
        for (const meta::MetricPoint& point : metrics) {
            final_metrics.push_back(
                {{"MetricName", point.name}, {"Value", point.value}, {"Timestamp", EpochSeconds(point.time)}});
        }
        document["FinalMetricDataList"] = std::move(final_metrics);
    }
    return document;
}

void AddTrainingJobOperations(OperationTable& table, jobs::JobService& jobs, DescribeHold& hold) {
    hold.Watch(kArnKind, jobs.listeners(), [&jobs](std::int64_t id) -> std::optional<meta::JobStatus> {
        const auto job = jobs.FindById(id);
        return job ? std::optional(job->status) : std::nullopt;
    });
    table.Add("DeleteTrainingJob",
              [&jobs](const json& request, const RequestContext& context) { return Delete(jobs, request, context); });
    table.Add("CreateTrainingJob",
              [&jobs](const json& request, const RequestContext& context) { return Create(jobs, request, context); });
    table.Add("StopTrainingJob",
              [&jobs](const json& request, const RequestContext& context) { return Stop(jobs, request, context); });
    table.Add("UpdateTrainingJob",
              [&jobs](const json& request, const RequestContext& context) { return Update(jobs, request, context); });
    table.Add("ListTrainingJobs",
              [&jobs](const json& request, const RequestContext& context) { return List(jobs, request, context); });
    table.AddDeferred("DescribeTrainingJob",
                      [&jobs, &hold](const json& request, const RequestContext& context, const Reply& reply) {
                          Describe(jobs, hold, request, context, reply);
                      });
}

}  // namespace espalier::api::sagemaker
