// The model registry: groups of model packages, packages with and without versions, and model cards with their
// versions.
//
// A package pins what it registers: the SHA-256 of the model archive at that time is kept, and a model made of the
// package is refused when the object has changed since. A versioned package can be deployed while it is Approved.
// Documents (docs/formats.md) are JSON texts: the members of the request that Describe gives back, and `archive_id`.
// Error messages are sentences for the user. Thread-safe.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "hosting/archive_shelf.h"
#include "hosting/endpoint_spec.h"
#include "meta/numbered_resources.h"
#include "meta/resources.h"

namespace espalier::hosting {

inline constexpr const char* kApproved = "Approved";
inline constexpr const char* kPendingApproval = "PendingManualApproval";

/// `ModelPackage arn:… does not exist.`: kNotFound.
Error NoSuchRegistered(meta::ResourceKind kind, const meta::Scope& scope, const std::string& name);

class ModelRegistry {
  public:
    struct Options {
        meta::Database* database = nullptr;  ///< borrowed, as all of these
        ArchiveShelf* shelf = nullptr;
        const Clock* clock = nullptr;
    };
    explicit ModelRegistry(const Options& options);

    /// kAlreadyExists.
    Result<void> CreateGroup(const meta::Scope& scope, const std::string& name, std::string document,
                             std::span<const meta::Tag> tags);
    /// kConflict while the group has packages.
    Result<void> DeleteGroup(const meta::Scope& scope, const std::string& name);

    struct NewPackage {
        std::string name = {};  ///< of the package, or of its group
        bool is_version = false;
        std::string approval = {};        ///< "" for packages without versions
        ModelSpec container = {};         ///< what it registers; checked as CreateModel would
        std::string echo = {};            ///< JSON object
        std::string created_by_arn = {};  ///< the caller
    };
    /// Gives the package's name, "<group>/<version>" for versions. kAlreadyExists, kNotFound for the group or the model
    /// data, and the errors of Catalog::CreateModel for the container.
    Result<std::string> CreatePackage(const meta::Scope& scope, const NewPackage& package,
                                      std::span<const meta::Tag> tags);
    struct Package {
        meta::ResourceRecord record;
        std::string echo;
        std::string archive_id;
        std::string created_by_arn;
        ModelSpec container;
    };
    static Result<Package> ParsePackage(meta::ResourceRecord record);
    Result<Package> FindPackage(const meta::Scope& scope, const std::string& name) const;
    /// Puts another container into the package, checked as in CreatePackage.
    Result<void> Register(Package& package, const ModelSpec& container) const;
    Result<void> UpdatePackage(const Package& package);
    /// What a model made of this package serves. kInvalidArgument when the package is not approved; kConflict when the
    /// archive is not the registered one any more.
    Result<ModelSpec> Deployable(const meta::Scope& scope, const std::string& name) const;

    /// kAlreadyExists.
    Result<void> CreateCard(const meta::Scope& scope, const std::string& name, const std::string& status,
                            std::string document, std::span<const meta::Tag> tags);
    /// A new document makes a new version; a status alone changes the newest.
    Result<void> UpdateCard(const meta::Scope& scope, const std::string& name, const std::optional<std::string>& status,
                            const std::optional<std::string>& document);
    Result<void> DeleteCard(const meta::Scope& scope, const std::string& name);
    /// Version 0 is the newest.
    Result<meta::ResourceRecord> FindCardVersion(const meta::Scope& scope, const std::string& name,
                                                 std::int64_t version) const;

    /// By name or, in any case, by ARN. kNotFound.
    Result<meta::ResourceRecord> Find(meta::ResourceKind kind, const meta::Scope& scope, const std::string& name) const;
    Result<void> DeletePackage(const meta::Scope& scope, const std::string& name);
    Result<meta::ResourcePage> List(meta::ResourceKind kind, const meta::ListQuery& query) const;

  private:
    meta::ResourceRecord NewRecord(const meta::Scope& scope, const std::string& name, std::string document) const;

    const Options options_;
    meta::NumberedResources packages_;
    meta::NumberedResources cards_;
};

}  // namespace espalier::hosting
