#include "jobs/capsule.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "base/archive.h"
#include "base/digest.h"
#include "base/encoding.h"

namespace espalier::jobs {
namespace {

using nlohmann::json;

constexpr int kVersion = 1;

json ToJson(const ContentDigest& content) {
    return {{"size", content.size_bytes}, {"sha256", content.sha256}};
}

ContentDigest ContentOf(const json& entry) {
    return {.size_bytes = entry.at("size").get<std::uint64_t>(), .sha256 = entry.at("sha256").get<std::string>()};
}

json ToJson(const std::vector<CapsuleFile>& files) {
    json list = json::array();
    for (const CapsuleFile& file : files) {
        json entry = ToJson(file.content);
        entry["name"] = file.name;
        list.push_back(std::move(entry));
    }
    return list;
}

std::vector<CapsuleFile> FilesIn(const json& list) {
    std::vector<CapsuleFile> files;
    for (const json& entry : list) files.push_back({entry.at("name").get<std::string>(), ContentOf(entry)});
    return files;
}

json ToJson(const CapsuleChannel& channel) {
    json objects = json::array();
    for (const CapsuleObject& object : channel.objects) {
        json entry = ToJson(object.content);
        entry["key"] = object.key;
        entry["path"] = object.path;
        entry["instances"] = object.instances;
        objects.push_back(std::move(entry));
    }
    return {{"name", channel.name},
            {"bucket", channel.bucket},
            {"prefix", channel.prefix},
            {"sha256", DigestOf(channel)},
            {"objects", std::move(objects)}};
}

CapsuleChannel ChannelIn(const json& entry) {
    CapsuleChannel channel = {.name = entry.at("name").get<std::string>(),
                              .bucket = entry.at("bucket").get<std::string>(),
                              .prefix = entry.at("prefix").get<std::string>(),
                              .objects = {}};
    for (const json& object : entry.at("objects"))
        channel.objects.push_back({.key = object.at("key").get<std::string>(),
                                   .path = object.at("path").get<std::string>(),
                                   .instances = object.at("instances").get<std::vector<int>>(),
                                   .content = ContentOf(object)});
    return channel;
}

/// The seed a job without that hyperparameter has, too: a reader of the capsule need not know the default.
std::string SeedOf(const json& request) {
    const json none = json::object();
    const json& parameters = request.contains("HyperParameters") ? request["HyperParameters"] : none;
    return parameters.value("seed", "0");
}

}  // namespace

std::string DigestOf(const CapsuleChannel& channel) {
    std::string text;
    for (const CapsuleObject& object : channel.objects)
        text += fmt::format("{}\n{}\n{}\n", object.key, object.content.size_bytes, object.content.sha256);
    return HexEncode(Sha256::Of(text));
}

std::string ToDocument(const Capsule& capsule) {
    json request = json::parse(capsule.request, nullptr, /*allow_exceptions=*/false);
    if (request.is_object()) request.erase("Tags");
    json channels = json::array();
    for (const CapsuleChannel& channel : capsule.channels) channels.push_back(ToJson(channel));
    const json document = {{"espalier_capsule", kVersion},
                           {"job", capsule.job},
                           {"request", request},
                           {"seed", SeedOf(request)},
                           {"trainer_sha256", capsule.trainer_sha256},
                           {"inputs", std::move(channels)},
                           {"checkpoints", ToJson(capsule.checkpoints)},
                           {"model", {{"uri", capsule.model_uri}, {"files", ToJson(capsule.model)}}}};
    return document.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<Capsule> ParseCapsule(std::string_view document) {
    try {
        const json parsed = json::parse(document);
        const int version = parsed.at("espalier_capsule").get<int>();
        if (version != kVersion)
            return Error(ErrorCode::kInvalidArgument,
                         fmt::format("the capsule has version {}, this program knows {}", version, kVersion));
        Capsule capsule = {.job = parsed.at("job").get<std::string>(),
                           .request = parsed.at("request").dump(),
                           .trainer_sha256 = parsed.at("trainer_sha256").get<std::string>(),
                           .channels = {},
                           .checkpoints = FilesIn(parsed.at("checkpoints")),
                           .model_uri = parsed.at("model").at("uri").get<std::string>(),
                           .model = FilesIn(parsed.at("model").at("files"))};
        for (const json& channel : parsed.at("inputs")) capsule.channels.push_back(ChannelIn(channel));
        return capsule;
    } catch (const json::exception& error) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("this is no capsule of a training job: {}", error.what()));
    }
}

CapsuleChannel ChannelOf(const ChannelSpec& channel, const ChannelPlan& plan) {
    CapsuleChannel noted = {
        .name = channel.name, .bucket = channel.location.bucket, .prefix = channel.location.key, .objects = {}};
    std::map<std::string, CapsuleObject> by_key;
    for (std::size_t i = 0; i < plan.size(); ++i) {
        for (const ChannelFile& file : plan[i]) {
            CapsuleObject& object = by_key[file.key];
            object.key = file.key;
            object.path = file.path;
            object.instances.push_back(static_cast<int>(i) + 1);
        }
    }
    for (auto& [key, object] : by_key) noted.objects.push_back(std::move(object));
    return noted;
}

Result<std::vector<CapsuleFile>> FilesOf(const std::string& folder, ContentDigests& digests) {
    std::vector<CapsuleFile> files;
    for (const ArchiveSource& source : TRY(ListArchiveSources(folder)))
        files.push_back({source.name, TRY(digests.Of(source.path))});
    return files;
}

InputDigests::InputDigests(std::vector<CapsuleChannel> channels, const JobSpec& spec, const WorkFolder& folder,
                           ContentDigests& digests) {
    std::vector<std::vector<std::string>> paths;
    for (std::size_t c = 0; c < channels.size(); ++c) {
        paths.emplace_back();
        for (const CapsuleObject& object : channels[c].objects)
            paths.back().push_back(folder.ChannelFolder(object.instances.front(), spec.channels[c]) + "/" +
                                   object.path);
    }
    thread_ = std::jthread(
        [this, &digests, paths = std::move(paths), noted = std::move(channels)](const std::stop_token& stop) mutable {
            const auto read_all = [&]() -> Result<std::vector<CapsuleChannel>> {
                for (std::size_t c = 0; c < noted.size(); ++c)
                    for (std::size_t i = 0; i < noted[c].objects.size(); ++i)
                        noted[c].objects[i].content =
                            TRY(digests.Of(paths[c][i], [&stop] { return stop.stop_requested(); }));
                return std::move(noted);
            };
            result_ = read_all();
        });
}

Result<std::vector<CapsuleChannel>> InputDigests::Take() {
    thread_.join();
    return std::move(*result_);
}

store::S3Location CapsuleLocation(const JobSpec& spec) {
    return spec.output.Join(fmt::format("{}/capsule.json", spec.name));
}

}  // namespace espalier::jobs
