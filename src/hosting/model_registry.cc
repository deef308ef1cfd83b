#include "hosting/model_registry.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "hosting/catalog.h"
#include "hosting/hosting_lineage.h"
#include "meta/arn.h"
#include "store/s3_location.h"

namespace espalier::hosting {
namespace {

using meta::ResourceKind;
using nlohmann::json;

std::string_view NounOf(ResourceKind kind) {
    switch (kind) {
        case ResourceKind::kModelPackageGroup:
            return "ModelPackageGroup";
        case ResourceKind::kModelPackage:
            return "ModelPackage";
        default:
            return "ModelCard";
    }
}

Error AlreadyRegistered(ResourceKind kind, const meta::Scope& scope, const std::string& name) {
    return {ErrorCode::kAlreadyExists,
            fmt::format("{} already exists: {}.", NounOf(kind), meta::SageMakerArn(scope, meta::ArnKind(kind), name))};
}

/// The error with kNotFound and kAlreadyExists put in the registry's words.
Error InWords(Error error, ResourceKind kind, const meta::Scope& scope, const std::string& name) {
    if (error.code() == ErrorCode::kNotFound) return NoSuchRegistered(kind, scope, name);
    if (error.code() == ErrorCode::kAlreadyExists) return AlreadyRegistered(kind, scope, name);
    return error;
}

std::string ToDocument(const ModelRegistry::Package& package) {
    const json document = {{"echo", json::parse(package.echo)},
                           {"archive", package.archive_id},
                           {"created_by", package.created_by_arn},
                           {"container", json::parse(ToDocument(package.container))}};
    return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// Loads what the container names, as CreateModel does; gives the SHA-256 of the archive.
Result<std::string> CheckContainer(ArchiveShelf& shelf, const ModelSpec& container) {
    TRY(ServeSettings(container.image, container.environment));
    const store::S3Location location = TRY(store::ParseS3Location(container.model_data_url));
    return TRY(shelf.LoadUnshelved(location)).archive_id;
}

}  // namespace

Error NoSuchRegistered(ResourceKind kind, const meta::Scope& scope, const std::string& name) {
    return {ErrorCode::kNotFound,
            fmt::format("{} {} does not exist.", NounOf(kind), meta::SageMakerArn(scope, meta::ArnKind(kind), name))};
}

ModelRegistry::ModelRegistry(const Options& options)
    : options_(options),
      packages_(*options.database, ResourceKind::kModelPackageGroup, ResourceKind::kModelPackage),
      cards_(*options.database, ResourceKind::kModelCard, ResourceKind::kModelCardVersion) {}

meta::ResourceRecord ModelRegistry::NewRecord(const meta::Scope& scope, const std::string& name,
                                              std::string document) const {
    const UnixMillis now = options_.clock->WallMillis();
    return {.scope = scope,
            .name = name,
            .created_at = now,
            .modified_at = now,
            .status = "",
            .document = std::move(document)};
}

Result<void> ModelRegistry::CreateGroup(const meta::Scope& scope, const std::string& name, std::string document,
                                        std::span<const meta::Tag> tags) {
    meta::Resources groups(*options_.database, ResourceKind::kModelPackageGroup);
    Result<void> created = groups.Insert(NewRecord(scope, name, std::move(document)), tags);
    if (!created) return InWords(std::move(created).error(), ResourceKind::kModelPackageGroup, scope, name);
    return {};
}

Result<void> ModelRegistry::DeleteGroup(const meta::Scope& scope, const std::string& name) {
    Result<void> deleted = packages_.DeleteParent(scope, name, /*with_versions=*/false);
    if (deleted) return {};
    if (deleted.error().code() == ErrorCode::kConflict)
        return Error(ErrorCode::kConflict,
                     fmt::format("ModelPackageGroup {} has model packages; delete them first.", name));
    return InWords(std::move(deleted).error(), ResourceKind::kModelPackageGroup, scope, name);
}

Result<std::string> ModelRegistry::CreatePackage(const meta::Scope& scope, const NewPackage& package,
                                                 std::span<const meta::Tag> tags) {
    meta::Resources packages(*options_.database, ResourceKind::kModelPackage);
    if (package.is_version) {
        TRY(Find(ResourceKind::kModelPackageGroup, scope, package.name));
    } else if (TRY(packages.ExistsFolded(scope, package.name))) {
        return AlreadyRegistered(ResourceKind::kModelPackage, scope, package.name);
    }
    const Package document = {.record = {},
                              .echo = package.echo,
                              .archive_id = TRY(CheckContainer(*options_.shelf, package.container)),
                              .created_by_arn = package.created_by_arn,
                              .container = package.container};
    meta::ResourceRecord record = NewRecord(scope, package.name, ToDocument(document));
    record.status = package.approval;
    const auto lineage_of = [&](const std::string& name) {
        return LineageOfPackage(scope, name, document.container, document.archive_id, options_.clock->WallMillis());
    };
    if (!package.is_version) {
        Result<void> created = packages.Insert(record, tags, lineage_of(package.name));
        if (!created) return InWords(std::move(created).error(), ResourceKind::kModelPackage, scope, package.name);
        return package.name;
    }
    Result<std::string> name = packages_.Append(std::move(record), tags, /*parent=*/{}, lineage_of);
    if (!name) return InWords(std::move(name).error(), ResourceKind::kModelPackageGroup, scope, package.name);
    return name;
}

Result<ModelRegistry::Package> ModelRegistry::ParsePackage(meta::ResourceRecord record) {
    const json document = json::parse(record.document, nullptr, /*allow_exceptions=*/false);
    if (!document.is_object() || !document.contains("container") || !document.contains("echo"))
        return Error(ErrorCode::kCorruptData, fmt::format("the document of model package {} is damaged", record.name));
    return Package{.record = std::move(record),
                   .echo = document["echo"].dump(),
                   .archive_id = document.value("archive", ""),
                   .created_by_arn = document.value("created_by", ""),
                   .container = TRY(ParseModelSpec(document["container"].dump()))};
}

Result<ModelRegistry::Package> ModelRegistry::FindPackage(const meta::Scope& scope, const std::string& name) const {
    return ParsePackage(TRY(Find(ResourceKind::kModelPackage, scope, name)));
}

Result<void> ModelRegistry::Register(Package& package, const ModelSpec& container) const {
    package.archive_id = TRY(CheckContainer(*options_.shelf, container));
    package.container = container;
    return {};
}

Result<void> ModelRegistry::UpdatePackage(const Package& package) {
    meta::ResourceRecord record = package.record;
    record.modified_at = options_.clock->WallMillis();
    record.document = ToDocument(package);
    Result<void> updated = meta::Resources(*options_.database, ResourceKind::kModelPackage).Update(record);
    if (!updated) return InWords(std::move(updated).error(), ResourceKind::kModelPackage, record.scope, record.name);
    return {};
}

Result<ModelSpec> ModelRegistry::Deployable(const meta::Scope& scope, const std::string& name) const {
    const Package package = TRY(FindPackage(scope, name));
    const std::string arn = meta::SageMakerArn(scope, meta::ArnKind(ResourceKind::kModelPackage), name);
    if (!package.record.status.empty() && package.record.status != kApproved)
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("Model package {} has ModelApprovalStatus {}; only an Approved one can be deployed. "
                                 "Approve it with UpdateModelPackage.",
                                 arn, package.record.status));
    const std::string archive_id = TRY(CheckContainer(*options_.shelf, package.container));
    if (archive_id != package.archive_id)
        return Error(ErrorCode::kConflict,
                     fmt::format("The model data at {} are not those that {} registered (SHA-256 {} then, {} now). Put "
                                 "the registered archive back, or register a new version.",
                                 package.container.model_data_url, arn, package.archive_id, archive_id));
    return package.container;
}

Result<void> ModelRegistry::CreateCard(const meta::Scope& scope, const std::string& name, const std::string& status,
                                       std::string document, std::span<const meta::Tag> tags) {
    meta::ResourceRecord record = NewRecord(scope, name, std::move(document));
    record.status = status;
    Result<void> created = cards_.InsertWithFirst(record, tags);
    if (!created) return InWords(std::move(created).error(), ResourceKind::kModelCard, scope, name);
    return {};
}

Result<void> ModelRegistry::UpdateCard(const meta::Scope& scope, const std::string& name,
                                       const std::optional<std::string>& status,
                                       const std::optional<std::string>& document) {
    const UnixMillis now = options_.clock->WallMillis();
    meta::ResourceRecord card = TRY(Find(ResourceKind::kModelCard, scope, name));
    card.modified_at = now;
    if (status) card.status = *status;
    if (document) {
        card.document = *document;
        meta::ResourceRecord version = card;
        version.created_at = now;
        TRY(cards_.Append(std::move(version), {}, card));
        return {};
    }
    meta::ResourceRecord newest = TRY(FindCardVersion(scope, name, 0));
    newest.modified_at = now;
    newest.status = card.status;
    return cards_.UpdateBoth(newest, card);
}

Result<void> ModelRegistry::DeleteCard(const meta::Scope& scope, const std::string& name) {
    Result<void> deleted = cards_.DeleteParent(scope, name, /*with_versions=*/true);
    if (!deleted) return InWords(std::move(deleted).error(), ResourceKind::kModelCard, scope, name);
    return {};
}

Result<meta::ResourceRecord> ModelRegistry::FindCardVersion(const meta::Scope& scope, const std::string& name,
                                                            std::int64_t version) const {
    if (version == 0) version = TRY(cards_.LastNumber(scope, name));
    if (version == 0) return NoSuchRegistered(ResourceKind::kModelCard, scope, name);
    return Find(ResourceKind::kModelCardVersion, scope, fmt::format("{}/{}", name, version));
}

Result<meta::ResourceRecord> ModelRegistry::Find(ResourceKind kind, const meta::Scope& scope,
                                                 const std::string& name) const {
    const meta::Resources table(*options_.database, kind);
    const auto arn = meta::ParseSageMakerArn(name);
    const bool is_ours = arn && arn->kind == meta::ArnKind(kind) && arn->scope == scope;
    if (arn && !is_ours) return Error(ErrorCode::kNotFound, fmt::format("{} {} does not exist.", NounOf(kind), name));
    std::optional<meta::ResourceRecord> record =
        TRY(arn ? table.FindFolded(scope, arn->name) : table.Find(scope, name));
    if (!record) return NoSuchRegistered(kind, scope, arn ? arn->name : name);
    return *std::move(record);
}

Result<void> ModelRegistry::DeletePackage(const meta::Scope& scope, const std::string& name) {
    Result<void> deleted = meta::Resources(*options_.database, ResourceKind::kModelPackage).Delete(scope, name);
    if (!deleted) return InWords(std::move(deleted).error(), ResourceKind::kModelPackage, scope, name);
    return {};
}

Result<meta::ResourcePage> ModelRegistry::List(ResourceKind kind, const meta::ListQuery& query) const {
    return meta::Resources(*options_.database, kind).List(query);
}

}  // namespace espalier::hosting
