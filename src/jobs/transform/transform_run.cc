#include "jobs/transform/transform_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/span_file.h"
#include "jobs/artifacts.h"
#include "jobs/full_disk.h"
#include "jobs/job_run.h"
#include "jobs/text_file.h"
#include "jobs/work_folder.h"

namespace espalier::jobs {
namespace {

using meta::JobStatus;
using nlohmann::json;
namespace filesystem = std::filesystem;

constexpr std::chrono::milliseconds kWatchInterval{50};
constexpr std::chrono::seconds kEndRetryInterval{1};
constexpr const char* kTransformLogGroup = "/aws/sagemaker/TransformJobs";

Result<void> MakeFolder(const std::string& path) {
    std::error_code error;
    filesystem::create_directories(path, error);
    if (error) return ErrnoError("make " + path, error.value());
    filesystem::permissions(path, filesystem::perms::owner_all, error);
    return {};
}

Error Stopped() {
    return Error(ErrorCode::kCancelled, "the job is being stopped");
}

}  // namespace

TransformRun::TransformRun(const TransformTools& tools, meta::Job job, JobControl& control)
    : tools_(tools), job_(std::move(job)), control_(control), folder_(fmt::format("{}/{}", tools.folder, job_.id)) {}

std::string TransformRun::InputPath(std::size_t number) const {
    return fmt::format("{}/input/{}", folder_, number);
}
std::string TransformRun::OutputPath(std::size_t number) const {
    return fmt::format("{}/output/{}.out", folder_, number);
}

void TransformRun::Execute() {
    End(Walk());
}

Result<void> TransformRun::Walk() {
    tools_.launcher->KillLeftovers(job_.process_token);
    if (job_.status == JobStatus::kStopping) return Stopped();
    if (job_.num_launches >= kLaunchesMax) {
        return Error(ErrorCode::kInternal,
                     fmt::format("The server ended {} times while this job was running, so the job is not started "
                                 "again.",
                                 job_.num_launches));
    }
    spec_ = TRY(ParseTransformSpec(job_.request));
    TRY(Prepare());
    Result<void> ran = RunProgram();
    if (control_.abandoned) return Stopped();
    TRY(Upload());
    return ran;
}

Result<void> TransformRun::Prepare() {
    std::error_code error;
    filesystem::remove_all(folder_, error);
    TRY(MakeFolder(folder_));
    TRY(MakeFolder(folder_ + "/input"));
    TRY(MakeFolder(folder_ + "/output"));
    auto found = FindTransformInputs(*tools_.store, spec_);
    if (!found && found.error().code() == ErrorCode::kNotFound) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("ClientError: There is no object under {}.", spec_.input.ToUri()));
    }
    inputs_ = TRY(std::move(found));
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
        if (control_.abandoned || control_.stop_requested) return Stopped();
        const store::BucketName bucket = TRY(store::BucketName::Parse(inputs_[i].bucket));
        const store::ObjectKey key = TRY(store::ObjectKey::Parse(inputs_[i].key));
        auto linked = tools_.store->LinkInto(bucket, key, InputPath(i));
        if (linked) continue;
        const bool is_gone = linked.error().code() == ErrorCode::kNotFound;
        return std::move(linked).error().Wrap(fmt::format("{}s3://{}/{} cannot be read", is_gone ? "ClientError: " : "",
                                                          inputs_[i].bucket, inputs_[i].key));
    }
    const TransformModel model = TRY(ParseTransformModel(job_.detail));
    TRY(LinkModel(model));
    return WritePlan(model);
}

Result<void> TransformRun::LinkModel(const TransformModel& model) {
    const store::S3Location place = TRY(store::ParseS3Location(model.model_data_url));
    const store::BucketName bucket = TRY(store::BucketName::Parse(place.bucket));
    const store::ObjectKey key = TRY(store::ObjectKey::Parse(place.key));
    auto linked = tools_.store->LinkInto(bucket, key, folder_ + "/model.tar.gz");
    if (linked) return {};
    const bool is_gone = linked.error().code() == ErrorCode::kNotFound;
    return std::move(linked).error().Wrap(
        fmt::format("{}Could not find model data at {}", is_gone ? "ClientError: " : "", place.ToUri()));
}

Result<void> TransformRun::WritePlan(const TransformModel& model) const {
    json objects = json::array();
    for (const TransformInput& input : inputs_) objects.push_back(fmt::format("s3://{}/{}", input.bucket, input.key));
    const json plan = {{"image", model.image},
                       {"environment", model.environment},
                       {"content_type", spec_.content_type},
                       {"accept", spec_.accept},
                       {"gzip", spec_.gzip},
                       {"split_lines", spec_.split_lines},
                       {"split_records", spec_.split_records},
                       {"single_record", spec_.single_record},
                       {"assemble_lines", spec_.assemble_lines},
                       {"payload_bytes_max", spec_.payload_bytes_max},
                       {"input_filter", spec_.input_filter},
                       {"output_filter", spec_.output_filter},
                       {"join_input", spec_.join_input},
                       {"objects", std::move(objects)}};
    return WriteTextFile(folder_ + "/transform.json", plan.dump(-1, ' ', false, json::error_handler_t::replace));
}

Result<void> TransformRun::RunProgram() {
    const std::string log_path = folder_ + "/transform.log";
    LogCapture capture = TRY(LogCapture::Open(
        {.logs = tools_.logs,
         .clock = tools_.clock,
         .scope = job_.scope,
         .group = kTransformLogGroup,
         .sources = {{.path = log_path,
                      .stream = fmt::format("{}/i-{:017x}-{}", job_.name, job_.id, job_.created_at / 1000)}}}));
    while (true) {
        const ExitReport report = TRY(RunOnce(log_path, capture));
        if (report.succeeded) return {};
        if (!report.interrupted || job_.num_launches >= kLaunchesMax) return Judge(report);
        TRY(capture.Say(fmt::format("Espalier: The transform {}. It starts again.", report.how)));
    }
}

/// kCancelled when it was made to stop.
Result<ExitReport> TransformRun::RunOnce(const std::string& log_path, LogCapture& capture) {
    LaunchRequest request = {.program = Program::kTransformer,
                             .token = NewProcessToken(folder_, job_.num_launches, *tools_.clock),
                             .instances = {{.root = folder_, .log_path = log_path}}};
    if (const std::string trace = tools_.tracer->ContextText(job_.id); !trace.empty())
        request.environment.push_back("TRACEPARENT=" + trace);
    request.num_threads = spec_.num_concurrent == 0 ? 0 : std::min(spec_.num_concurrent, tools_.num_cores);
    TRY(tools_.jobs->NoteLaunch(job_.id, request.token, tools_.clock->WallMillis()));
    ++job_.num_launches;
    const std::unique_ptr<TrainingRun> run = TRY_MSG(tools_.launcher->Launch(request), "launch the transform");
    if (!TRY(Watch(*run, capture))) return Stopped();
    return run->WaitFor(kWatchInterval).value_or(ExitReport{.how = "cannot be seen any more"});
}

Result<void> TransformRun::Judge(const ExitReport& report) const {
    const std::string reason = ReadFailureFile(folder_ + "/output/failure");
    if (!reason.empty()) return Error(ErrorCode::kInvalidArgument, reason);
    if (report.stuck) {
        return Error(ErrorCode::kInvalidArgument, fmt::format("AlgorithmError: The transform {}.", report.how));
    }
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("AlgorithmError: The transform ended without saying why: {}.{} See the job's log.",
                             report.how, FullDiskHint(folder_)));
}

/// Until the process has ended: true when by itself.
Result<bool> TransformRun::Watch(TrainingRun& run, LogCapture& capture) {
    bool killed = false;
    while (!run.WaitFor(kWatchInterval)) {
        TRY(capture.Poll());
        if (!killed && (control_.abandoned || control_.stop_requested)) {
            run.Kill();
            killed = true;
        }
    }
    TRY(capture.Finish());
    return !killed;
}

Result<void> TransformRun::Upload() {
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
        std::error_code error;
        if (!filesystem::is_regular_file(OutputPath(i), error)) continue;
        TRY(UploadFile(*tools_.store, spec_.output.Join(inputs_[i].output_name), OutputPath(i), "output"));
    }
    return {};
}

Result<void> TransformRun::Enter(JobStatus status, const std::string& reason) {
    return tools_.jobs->End(job_.id, status, reason, tools_.clock->WallMillis());
}

void TransformRun::End(Result<void> result) {
    std::error_code error;
    // A job must end in some state that users can see, also when the disk is full for a while.
    while (!control_.abandoned) {
        Result<void> entered;
        if (result) {
            // A stop that came in the last moment: the outputs are there, but the user's word stands.
            entered = Enter(control_.stop_requested ? JobStatus::kStopped : JobStatus::kCompleted, "");
        } else if (result.error().code() == ErrorCode::kCancelled) {
            entered = Enter(JobStatus::kStopped, "");
        } else {
            entered = Enter(JobStatus::kFailed, FailureReasonOf(result.error(), job_.name));
        }
        const bool has_ended = entered || entered.error().code() == ErrorCode::kConflict;
        if (has_ended) break;
        LOG_ERROR("transform job cannot be ended", {"job", job_.name}, {"error", entered.error().ToString()});
        // What the job wrote may be what the row lacks room for. A restart before the row would run the job again.
        filesystem::remove_all(folder_, error);
        std::this_thread::sleep_for(kEndRetryInterval);
    }
    if (control_.abandoned) return;
    ExportTrace();
    filesystem::remove_all(folder_, error);
    tools_.changed(job_.id);
}

void TransformRun::ExportTrace() {
    const std::optional<TraceContext> parent = tools_.tracer->ParentOf(job_.id);
    if (!parent) return;
    if (const auto row = tools_.jobs->FindById(job_.id))
        tools_.tracer->End(*row, ReadSpanFile(SpansPathUnder(folder_), *parent));
}

}  // namespace espalier::jobs
