#include "hosting/hosting_lineage.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/encoding.h"
#include "base/log.h"
#include "meta/arn.h"
#include "meta/numbered_resources.h"
#include "store/s3_location.h"

namespace espalier::hosting {
namespace {

using nlohmann::json;

/// Entities and edges on their way into the lineage.
class Draft {
  public:
    explicit Draft(UnixMillis now) : now_(now) {}

    /// An artifact with these bytes, which are known by their SHA-256 ("" = not known).
    meta::LineageKey Artifact(std::string type, std::string uri, const std::string& sha256) {
        json document = {{"Properties", json::object()}};
        if (!sha256.empty()) {
            document["SourceTypes"] = json::array({json{{"SourceIdType", "Custom"}, {"Value", "sha256:" + sha256}}});
        }
        std::string name = meta::ArtifactName(uri, sha256);
        return Add({std::string(meta::kArtifact), std::move(name)}, std::move(type), std::move(uri), document);
    }
    meta::LineageKey Named(std::string_view kind, const std::string& name, std::string type, std::string uri,
                           json document) {
        document["Name"] = name;
        document["SourceType"] = "ARN";
        return Add({std::string(kind), meta::FoldCase(name)}, std::move(type), std::move(uri), document);
    }
    void Edge(const meta::LineageKey& source, const meta::LineageKey& destination, std::string type) {
        note_.edges.push_back(
            {.source = source, .destination = destination, .type = std::move(type), .created_at = now_});
    }
    meta::LineageNote Take() { return std::move(note_); }

  private:
    meta::LineageKey Add(meta::LineageKey key, std::string type, std::string uri, const json& document) {
        note_.entities.push_back({.key = key,
                                  .type = std::move(type),
                                  .source_uri = std::move(uri),
                                  .document = document.dump(-1, ' ', false, json::error_handler_t::replace),
                                  .created_at = now_,
                                  .modified_at = now_});
        return key;
    }

    const UnixMillis now_;
    meta::LineageNote note_;
};

/// The archive as a training job has noted it, however the request spelled its place.
meta::LineageKey Archive(Draft& draft, const std::string& url, const std::string& archive_id) {
    const auto location = store::ParseS3Location(url);
    return draft.Artifact("Model", location ? location->ToUri() : url, archive_id);
}

meta::LineageKey Package(Draft& draft, const std::string& arn, const std::string& archive_id) {
    return draft.Artifact("ModelPackage", arn, archive_id);
}

std::string Arn(const meta::Scope& scope, meta::ResourceKind kind, const std::string& name) {
    return meta::SageMakerArn(scope, meta::ArnKind(kind), name);
}

}  // namespace

meta::LineageNote LineageOfModel(const meta::Scope& scope, const std::string& name, const ModelSpec& spec,
                                 UnixMillis now) {
    Draft draft(now);
    const meta::LineageKey made_of = spec.package_arn.empty() ? Archive(draft, spec.model_data_url, spec.archive_id)
                                                              : Package(draft, spec.package_arn, spec.archive_id);
    draft.Edge(made_of, draft.Artifact("Model", Arn(scope, meta::ResourceKind::kModel, name), spec.archive_id),
               "ContributedTo");
    return draft.Take();
}

meta::LineageNote LineageOfPackage(const meta::Scope& scope, const std::string& name, const ModelSpec& container,
                                   const std::string& archive_id, UnixMillis now) {
    Draft draft(now);
    const meta::LineageKey package = Package(draft, Arn(scope, meta::ResourceKind::kModelPackage, name), archive_id);
    draft.Edge(Archive(draft, container.model_data_url, archive_id), package, "ContributedTo");
    const std::string group = meta::SplitNumberedName(name).parent;
    if (group != name) {
        draft.Edge(package,
                   draft.Named(meta::kContext, group + "-aws-model-group", "ModelGroup",
                               Arn(scope, meta::ResourceKind::kModelPackageGroup, group), json::object()),
                   "AssociatedWith");
    }
    return draft.Take();
}

void NoteEndpointLineage(meta::Database& database, const meta::Scope& scope, const std::string& name,
                         const EndpointSpec& spec, UnixMillis now) {
    Draft draft(now);
    const std::string arn = Arn(scope, meta::ResourceKind::kEndpoint, name);
    // One deployment for each set of models that the endpoint has served.
    std::string served = spec.config_name;
    for (const std::vector<DeployedVariant>* variants : {&spec.production, &spec.shadow})
        for (const DeployedVariant& variant : *variants)
            served += fmt::format("\n{} {} {}", variant.spec.name, variant.spec.model_name, variant.archive_id);
    const std::string mark = HexEncode(Sha256::Of(served)).substr(0, 8);
    const meta::LineageKey deployment =
        draft.Named(meta::kAction, fmt::format("{}-{}-aws-model-deployment", name, mark), "ModelDeployment", arn,
                    {{"Status", "Completed"}, {"Properties", {{"EndpointConfigName", spec.config_name}}}});
    for (const std::vector<DeployedVariant>* variants : {&spec.production, &spec.shadow})
        for (const DeployedVariant& variant : *variants)
            draft.Edge(draft.Artifact("Model", Arn(scope, meta::ResourceKind::kModel, variant.spec.model_name),
                                      variant.archive_id),
                       deployment, "ContributedTo");
    draft.Edge(deployment, draft.Named(meta::kContext, name + "-aws-endpoint", "Endpoint", arn, json::object()),
               "AssociatedWith");
    Result<void> noted = meta::Lineage(database).Note(scope, draft.Take());
    if (!noted) LOG_WARN("lineage not noted", {"of", name}, {"error", noted.error().ToString()});
}

}  // namespace espalier::hosting
