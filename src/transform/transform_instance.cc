#include "transform/transform_instance.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/fs.h"
#include "base/span_file.h"
#include "hosting/catalog.h"
#include "hosting/loaded_model.h"
#include "transform/object_transform.h"
#include "transform/transform_plan.h"

namespace espalier::transform {
namespace {

// A model is loaded and a payload answered in less than this, by a margin of ten.
constexpr std::chrono::seconds kPatienceMin{60};
constexpr std::uint64_t kSlowestBytesPerMillisecond = 2000;

void StatePatience(const TransformPlan& plan, ProgressMark& mark) {
    std::error_code error;
    const std::uintmax_t model_bytes = std::filesystem::file_size(plan.model_path, error);
    const std::uint64_t size_bytes = (error ? 0 : model_bytes) + plan.payload_bytes_max;
    mark.StatePatience(kPatienceMin + std::chrono::milliseconds(size_bytes / kSlowestBytesPerMillisecond));
}

Result<hosting::ServedModel> LoadServedModel(const TransformPlan& plan) {
    hosting::ServedModel served = TRY(hosting::ServeSettings(plan.image, plan.environment));
    RealFs fs;
    const Fd file = TRY(fs.OpenForReading(plan.model_path));
    std::vector<char> archive(TRY(fs.SizeOf(file)));
    if (TRY(fs.ReadAt(file, archive, 0)) != archive.size()) {
        return Error(ErrorCode::kIo, plan.model_path + " became shorter while it was read");
    }
    auto model = hosting::LoadModel(archive);
    if (!model) return std::move(model).error().Wrap("ClientError: The model's archive cannot be used");
    served.model = std::move(*model);
    served.is_batch = true;
    return served;
}

/// The reason a job of several objects failed for.
Error JobError(const Error& first, std::size_t num_failed, std::size_t num_objects) {
    const std::string others =
        num_failed > 1
            ? fmt::format(" ({} of {} objects failed; see the job's log for the others)", num_failed, num_objects)
            : "";
    const bool is_users = first.code() == ErrorCode::kInvalidArgument || first.code() == ErrorCode::kCorruptData;
    return Error(first.code(),
                 fmt::format("{}: {}{}", is_users ? "ClientError" : "AlgorithmError", first.ToString(), others));
}

Result<void> TransformAll(const TransformPlan& plan, const hosting::ServedModel& served, int num_threads,
                          const std::atomic<bool>& stop, ProgressMark& mark) {
    std::optional<Error> first;
    std::size_t num_failed = 0;
    for (const ObjectTask& object : plan.objects) {
        auto report = TransformObject(plan, served, object, num_threads, stop, mark);
        if (report) {
            fmt::print("{}: {} payloads, {} bytes in, {} bytes out\n", object.name, report->num_payloads,
                       report->bytes_in, report->bytes_out);
        } else {
            if (report.error().code() == ErrorCode::kCancelled) return std::move(report).error();
            fmt::print("{}\n", report.error().ToString());
            if (!first) first = std::move(report).error();
            ++num_failed;
        }
        std::fflush(stdout);
    }
    if (first) return JobError(*first, num_failed, plan.objects.size());
    return {};
}

Result<void> LoadAndTransform(const std::string& root, int num_threads, const SpanFile& spans,
                              const std::atomic<bool>& stop, ProgressMark& mark) {
    SpanFile::Stage load(spans, "load");
    const TransformPlan plan = TRY(ReadTransformPlan(root));
    StatePatience(plan, mark);
    const hosting::ServedModel served = TRY(LoadServedModel(plan));
    load.End();
    const SpanFile::Stage predict(spans, "predict");
    return TransformAll(plan, served, num_threads, stop, mark);
}

}  // namespace

Result<void> RunTransform(const std::string& root, int num_threads, const std::string& trace_parent,
                          const std::atomic<bool>& stop, ProgressMark& mark) {
    const SpanFile spans = SpansUnder(root, trace_parent);
    SpanFile::Stage whole(spans, "instance");
    Result<void> done = LoadAndTransform(root, num_threads, whole.Inside(), stop, mark);
    whole.End(done ? "" : done.error().ToString());
    return done;
}

void WriteFailure(const std::string& root, const std::string& reason) {
    std::ofstream(root + "/output/failure") << reason;
}

}  // namespace espalier::transform
