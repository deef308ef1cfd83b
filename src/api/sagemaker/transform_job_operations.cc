#include "api/sagemaker/transform_job_operations.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "api/sagemaker/feature_policy.h"
#include "api/sagemaker/hosting_operations.h"
#include "api/sagemaker/job_lists.h"
#include "api/telemetry/request_trace.h"
#include "meta/arn.h"
#include "transform/json_path.h"

namespace espalier::api::sagemaker {
namespace {

using nlohmann::json;

constexpr const char* kArnKind = "transform-job";
constexpr JobListShape kList = {.operation = "ListTransformJobs",
                                .rows_member = "TransformJobSummaries",
                                .default_rows = 10,
                                .default_sort = "CreationTime",
                                .default_order = "Descending"};

struct Services {
    jobs::TransformService& transforms;
    hosting::EndpointService& hosting;
    DescribeHold& hold;
};

std::string ArnOf(const meta::Job& job) {
    return meta::SageMakerArn(job.scope, kArnKind, job.name);
}

Outcome NoSuchJob(const json& request) {
    return Outcome::ValidationError(
        fmt::format("Could not find requested job with name: {}", request["TransformJobName"].get<std::string>()));
}

/// Filters that cannot be read are told at Create, not by a failed job.
Result<void> CheckFilters(const json& request) {
    const json processing = request.value("DataProcessing", json::object());
    const bool is_csv = request["TransformInput"].value("ContentType", "").starts_with("text/csv");
    for (const char* member : {"InputFilter", "OutputFilter"}) {
        auto path = transform::JsonPath::Parse(processing.value(member, "$"));
        if (!path) return std::move(path).error().Wrap(fmt::format("DataProcessing.{}", member));
        if (is_csv) TRY_MSG(path->CheckForCells(), fmt::format("DataProcessing.{}", member));
    }
    return {};
}

/// The model as the job will use it: its environment under the job's.
Result<jobs::TransformModel> ResolveModel(hosting::EndpointService& hosting, const json& request,
                                          const meta::Scope& scope) {
    const auto model = TRY(hosting.catalog().FindModel(scope, request["ModelName"].get<std::string>()));
    if (model.spec.multi_model)
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("Batch transform does not support multi-model containers, and the model {} is one.",
                                 model.record.name));
    jobs::TransformModel resolved = {
        .image = model.spec.image, .model_data_url = model.spec.model_data_url, .environment = model.spec.environment};
    using Variables = std::map<std::string, std::string>;
    for (const auto& [name, value] : request.value("Environment", Variables())) resolved.environment[name] = value;
    TRY(hosting::ServeSettings(resolved.image, resolved.environment));
    return resolved;
}

Outcome Create(const Services& services, const json& request, const RequestContext& context) {
    if (auto refused = FindRefusedMember("CreateTransformJob", request)) {
        return Outcome::ValidationError(std::move(*refused));
    }
    auto tags = TagsOf(request);
    if (const WireError* error = std::get_if<WireError>(&tags)) return Outcome::Fail(*error);
    if (Result<void> checked = CheckFilters(request); !checked) {
        return Outcome::ValidationError(checked.error().ToString());
    }
    auto model = ResolveModel(services.hosting, request, context.scope);
    if (!model) return FailWith(model.error(), "CreateTransformJob");
    const std::string arn = meta::SageMakerArn(context.scope, kArnKind, request["TransformJobName"].get<std::string>());
    auto job = services.transforms.Create({.scope = context.scope,
                                           .arn = arn,
                                           .request = request.dump(-1, ' ', false, json::error_handler_t::replace),
                                           .invocation_id = context.invocation_id,
                                           .tags = std::get<std::vector<meta::Tag>>(std::move(tags)),
                                           .model = std::move(*model),
                                           .trace_parent = CurrentTraceParent()});
    if (job) return Outcome::Ok({{"TransformJobArn", arn}});
    if (job.error().code() == ErrorCode::kAlreadyExists) {
        return Outcome::Fail({.type = "ResourceInUse",
                              .message = fmt::format("Job name must be unique within an AWS account and region, and a "
                                                     "job with this name already exists ({})",
                                                     arn)});
    }
    return FailWith(job.error(), "CreateTransformJob");
}

json DescribeDocument(const meta::Job& job) {
    json document = json::parse(job.request, nullptr, /*allow_exceptions=*/false);
    if (!document.is_object()) document = json::object();
    document.erase("Tags");
    json& input = document["TransformInput"];
    input.emplace("CompressionType", "None");
    input.emplace("SplitType", "None");
    json& output = document["TransformOutput"];
    output.emplace("AssembleWith", "None");
    output.emplace("KmsKeyId", "");
    json& processing = document["DataProcessing"];
    if (!processing.is_object()) processing = json::object();
    processing.emplace("InputFilter", "$");
    processing.emplace("OutputFilter", "$");
    processing.emplace("JoinSource", "None");
    document["TransformJobName"] = job.name;
    document["TransformJobArn"] = ArnOf(job);
    document["TransformJobStatus"] = ToString(job.status);
    document["CreationTime"] = EpochSeconds(job.created_at);
    if (!job.failure_reason.empty()) document["FailureReason"] = job.failure_reason;
    if (job.started_at != 0) document["TransformStartTime"] = EpochSeconds(job.started_at);
    if (job.ended_at != 0) document["TransformEndTime"] = EpochSeconds(job.ended_at);
    return document;
}

void Describe(const Services& services, const json& request, const RequestContext& context, const Reply& reply) {
    auto job = services.transforms.Find(context.scope, request["TransformJobName"].get<std::string>());
    if (!job) {
        return reply(job.error().code() == ErrorCode::kNotFound
                         ? NoSuchJob(request)
                         : Outcome::Internal(job.error(), "DescribeTransformJob"));
    }
    const auto answer = [&transforms = services.transforms, reply, id = job->id] {
        auto now = transforms.FindById(id);
        reply(now ? Outcome::Ok(DescribeDocument(*now)) : Outcome::Internal(now.error(), "DescribeTransformJob"));
    };
    services.hold.Answer({.kind = kArnKind, .id = job->id, .status = job->status},
                         {.caller = context.caller_arn, .user_agent = context.user_agent}, answer);
}

Outcome Stop(const Services& services, const json& request, const RequestContext& context) {
    Result<void> stopped = services.transforms.Stop(context.scope, request["TransformJobName"].get<std::string>());
    if (stopped) return Outcome::Empty();
    const Error& error = stopped.error();
    if (error.code() == ErrorCode::kNotFound) return NoSuchJob(request);
    if (error.code() == ErrorCode::kConflict) {
        return Outcome::ValidationError(
            fmt::format("The request was rejected because the transform job is in status {}.", error.message()));
    }
    return Outcome::Internal(error, "StopTransformJob");
}

json Summary(const meta::Job& job) {
    json summary = {{"TransformJobName", job.name},
                    {"TransformJobArn", ArnOf(job)},
                    {"CreationTime", EpochSeconds(job.created_at)},
                    {"LastModifiedTime", EpochSeconds(job.modified_at)},
                    {"TransformJobStatus", ToString(job.status)}};
    if (job.ended_at != 0) summary["TransformEndTime"] = EpochSeconds(job.ended_at);
    if (!job.failure_reason.empty()) summary["FailureReason"] = job.failure_reason;
    return summary;
}

Outcome List(const Services& services, const json& request, const RequestContext& context) {
    return ListJobsAs<meta::Job>(
        kList, request, context, [&services](const meta::JobQuery& query) { return services.transforms.List(query); },
        Summary);
}

}  // namespace

void AddTransformJobOperations(OperationTable& table, jobs::TransformService& transforms,
                               hosting::EndpointService& hosting, DescribeHold& hold) {
    const Services services = {transforms, hosting, hold};
    hold.Watch(kArnKind, transforms.listeners(), [&transforms](std::int64_t id) -> std::optional<meta::JobStatus> {
        const auto job = transforms.FindById(id);
        return job ? std::optional(job->status) : std::nullopt;
    });
    const auto add = [&](const char* name, Outcome (*operation)(const Services&, const json&, const RequestContext&)) {
        table.Add(name, [services, operation](const json& request, const RequestContext& context) {
            return operation(services, request, context);
        });
    };
    add("CreateTransformJob", Create);
    table.AddDeferred("DescribeTransformJob",
                      [services](const json& request, const RequestContext& context, const Reply& reply) {
                          Describe(services, request, context, reply);
                      });
    add("StopTransformJob", Stop);
    add("ListTransformJobs", List);
}

}  // namespace espalier::api::sagemaker
