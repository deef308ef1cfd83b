// Models and endpoint configurations: what CreateModel and CreateEndpointConfig leave behind for CreateEndpoint.
//
// Nouns: Catalog. A model is accepted only when it could be served: its image is one of ours, its archive is there and
// holds a model that loads (a multi-model container's archives are looked at when they are invoked). A configuration is
// accepted only when its models exist and its capture bucket does. Both may be deleted while endpoints use them:
// endpoints keep their own copy. Error messages are sentences for the user; the texts are AWS's where it has one
// (contracts/api.md 3.3). Thread-safe.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "hosting/archive_shelf.h"
#include "hosting/endpoint_spec.h"
#include "hosting/inference.h"
#include "meta/resources.h"
#include "store/object_store.h"

namespace espalier::hosting {

/// `Could not find model "<arn>".`: kNotFound.
Error NoSuchResource(meta::ResourceKind kind, const meta::Scope& scope, std::string_view name);

/// The container settings that are taken from a model's environment. kInvalidArgument for a value that is none, or for
/// a variable that asks for something this server does not do (script mode), or that does not go with `multi_model`.
Result<ServedModel> ServeSettings(const std::string& image, const std::map<std::string, std::string>& environment,
                                  bool multi_model = false);

class Catalog {
  public:
    struct Options {
        meta::Database* database = nullptr;  ///< borrowed, as all of these
        store::ObjectStore* objects = nullptr;
        ArchiveShelf* shelf = nullptr;
        const Clock* clock = nullptr;
    };
    explicit Catalog(const Options& options);

    /// kAlreadyExists; kInvalidArgument for the image, the environment or the location; kNotFound "Could not find model
    /// data at s3://b/k."; kCorruptData, kResourceLimit or kInvalidArgument for the archive or the model in it. Of a
    /// multi-model container's prefix only that there is an object below it is asked.
    Result<void> CreateModel(const meta::Scope& scope, const std::string& name, const ModelSpec& spec,
                             std::span<const meta::Tag> tags);
    /// kAlreadyExists; kNotFound for a model; kInvalidArgument for the capture destination.
    Result<void> CreateEndpointConfig(const meta::Scope& scope, const std::string& name, const EndpointConfigSpec& spec,
                                      std::span<const meta::Tag> tags);

    struct Model {
        meta::ResourceRecord record;
        ModelSpec spec;
    };
    struct Config {
        meta::ResourceRecord record;
        EndpointConfigSpec spec;
    };
    /// kNotFound with AWS's text.
    Result<Model> FindModel(const meta::Scope& scope, const std::string& name) const;
    Result<Config> FindEndpointConfig(const meta::Scope& scope, const std::string& name) const;
    Result<void> Delete(meta::ResourceKind kind, const meta::Scope& scope, const std::string& name);
    Result<meta::ResourcePage> List(meta::ResourceKind kind, const meta::ListQuery& query) const;

  private:
    /// `self` is this catalog, const or not.
    template <typename Self>
    static auto& TableOf(Self& self, meta::ResourceKind kind) {
        return kind == meta::ResourceKind::kModel ? self.models_ : self.configs_;
    }
    Result<void> Insert(meta::ResourceKind kind, const meta::Scope& scope, const std::string& name,
                        std::string document, std::span<const meta::Tag> tags, const meta::LineageNote& lineage = {});
    Result<meta::ResourceRecord> Find(meta::ResourceKind kind, const meta::Scope& scope, const std::string& name) const;
    Result<void> CheckCaptureDestination(const CaptureSpec& capture) const;
    Result<void> CheckPrefix(const store::S3Location& prefix) const;
    /// kInvalidArgument when some of the variants' models are multi-model and some are not, or a serverless one is.
    Result<void> CheckModels(const meta::Scope& scope, const EndpointConfigSpec& spec) const;

    const Options options_;
    meta::Resources models_;
    meta::Resources configs_;
};

}  // namespace espalier::hosting
