#include "jobs/training_lineage.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/encoding.h"
#include "meta/arn.h"

namespace espalier::jobs {
namespace {

using nlohmann::json;

std::string DigestOfFiles(const std::vector<CapsuleFile>& files) {
    std::string text;
    for (const CapsuleFile& file : files)
        text += fmt::format("{}\n{}\n{}\n", file.name, file.content.size_bytes, file.content.sha256);
    return HexEncode(Sha256::Of(text));
}

meta::LineageEntity Artifact(std::string type, std::string uri, const std::string& sha256, const json& properties,
                             UnixMillis now) {
    json document = {{"Properties", properties}};
    if (!sha256.empty()) {
        document["SourceTypes"] = json::array({json{{"SourceIdType", "Custom"}, {"Value", "sha256:" + sha256}}});
    }
    return {.key = {.kind = std::string(meta::kArtifact), .name = meta::ArtifactName(uri, sha256)},
            .type = std::move(type),
            .source_uri = std::move(uri),
            .document = document.dump(-1, ' ', false, json::error_handler_t::replace),
            .created_at = now,
            .modified_at = now};
}

}  // namespace

Result<void> NoteTrainingLineage(meta::Lineage& lineage, const meta::TrainingJob& job, const JobSpec& spec,
                                 const Capsule& capsule, const std::string& archive_sha256, UnixMillis now) {
    const std::string arn = meta::SageMakerArn(job.scope, "training-job", job.name);
    const std::string name = job.name + "-aws-training-job";
    const json job_document = {{"Name", name},
                               {"Properties", {{"capsule", CapsuleLocation(spec).ToUri()}}},
                               {"Parameters", spec.hyperparameters},
                               {"Source", {{"SourceArn", arn}, {"SourceType", "SageMakerTrainingJob"}}}};
    const meta::LineageEntity component = {
        .key = {.kind = std::string(meta::kTrialComponent), .name = meta::FoldCase(name)},
        .type = "TrainingJob",
        .source_uri = arn,
        .document = job_document.dump(-1, ' ', false, json::error_handler_t::replace),
        .created_at = job.created_at,
        .modified_at = now};
    meta::LineageNote note = {.entities = {component}};
    const auto contributes = [&](meta::LineageEntity entity) {
        note.edges.push_back(
            {.source = entity.key, .destination = component.key, .type = "ContributedTo", .created_at = now});
        note.entities.push_back(std::move(entity));
    };
    contributes(Artifact("Image", spec.image, "", json::object(), now));
    for (const CapsuleChannel& channel : capsule.channels) {
        const store::S3Location location = {.bucket = channel.bucket, .key = channel.prefix};
        contributes(Artifact("DataSet", location.ToUri(), DigestOf(channel),
                             {{"objects", std::to_string(channel.objects.size())}}, now));
    }
    json properties = {{"capsule", CapsuleLocation(spec).ToUri()}};
    if (capsule.model.size() == 1) properties["model_sha256"] = capsule.model.front().content.sha256;
    meta::LineageEntity model =
        Artifact("Model", spec.ModelArtifacts().ToUri(),
                 archive_sha256.empty() ? DigestOfFiles(capsule.model) : archive_sha256, properties, now);
    note.edges.push_back({.source = component.key, .destination = model.key, .type = "Produced", .created_at = now});
    note.entities.push_back(std::move(model));
    return lineage.Note(job.scope, note);
}

}  // namespace espalier::jobs
