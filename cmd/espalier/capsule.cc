// `espalier capsule`: is what a training job read still there, and does it give the same model again?
//
// Replaying goes the platform's own way: the same work folders, the same launcher, the same trainer.
#include "jobs/capsule.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>

#include "base/clock.h"
#include "espalier/commands.h"
#include "espalier/object_reader.h"
#include "jobs/launcher_local.h"

namespace espalier::cmd {
namespace {

namespace filesystem = std::filesystem;

struct CapsuleOptions {
    std::string path;
    std::string data_folder;
    std::string work_folder;
};

/// A folder that goes away with this, or one the user keeps.
class WorkPlace {
  public:
    explicit WorkPlace(const std::string& wanted) : kept_(!wanted.empty()), path_(wanted) {}
    ~WorkPlace() {
        std::error_code error;
        if (!kept_ && !path_.empty()) filesystem::remove_all(path_, error);
    }
    Result<void> Make() {
        std::error_code error;
        if (kept_) {
            filesystem::create_directories(path_, error);
            return error ? Result<void>(ErrnoError("make " + path_, error.value())) : Result<void>();
        }
        std::string pattern = (filesystem::temp_directory_path(error) / "espalier-capsule-XXXXXX").string();
        if (mkdtemp(pattern.data()) == nullptr) return ErrnoError("make " + pattern, errno);
        path_ = pattern;
        return {};
    }
    const std::string& path() const { return path_; }

  private:
    const bool kept_;
    std::string path_;
};

Result<jobs::Capsule> ReadCapsule(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    const std::string text(std::istreambuf_iterator<char>(in), {});
    if (!in && text.empty()) return Error(ErrorCode::kNotFound, fmt::format("{} cannot be read", path));
    auto capsule = jobs::ParseCapsule(text);
    if (!capsule) return std::move(capsule).error().Wrap(path);
    return capsule;
}

/// Says what is not as it was; gives whether everything is.
class Comparison {
  public:
    void Object(const jobs::CapsuleChannel& channel, const jobs::CapsuleObject& object,
                const Result<jobs::ContentDigest>& now) {
        const std::string what = fmt::format("channel {}: s3://{}/{}", channel.name, channel.bucket, object.key);
        if (!now) {
            Differ("{} is not there: {}", what, now.error().ToString());
        } else if (now->sha256 != object.content.sha256) {
            Differ("{} has changed: {} bytes with SHA-256 {} then, {} bytes with {} now", what,
                   object.content.size_bytes, object.content.sha256, now->size_bytes, now->sha256);
        }
    }
    void Model(const std::vector<jobs::CapsuleFile>& then, const std::vector<jobs::CapsuleFile>& now) {
        for (const jobs::CapsuleFile& file : then) {
            const auto found = std::find_if(now.begin(), now.end(), [&](const auto& f) { return f.name == file.name; });
            if (found == now.end()) {
                Differ("the model has no {} now", file.name);
            } else if (found->content.sha256 != file.content.sha256) {
                Differ("{} differs: SHA-256 {} then, {} now", file.name, file.content.sha256, found->content.sha256);
            }
        }
        if (now.size() != then.size()) Differ("the model has {} files, it had {}", now.size(), then.size());
    }
    bool equal() const { return equal_; }

  private:
    template <typename... Arguments>
    void Differ(fmt::format_string<Arguments...> text, Arguments&&... arguments) {
        fmt::print("{}\n", fmt::format(text, std::forward<Arguments>(arguments)...));
        equal_ = false;
    }
    bool equal_ = true;
};

/// Brings each object to its place below `root_of(instance)`, comparing it on the way.
Result<void> Fetch(const jobs::Capsule& capsule, const jobs::JobSpec& spec, const jobs::WorkFolder& folder,
                   ObjectReader& reader, jobs::ContentDigests& digests, Comparison& comparison) {
    for (std::size_t c = 0; c < capsule.channels.size(); ++c) {
        const jobs::CapsuleChannel& channel = capsule.channels[c];
        for (const jobs::CapsuleObject& object : channel.objects) {
            std::string first;
            for (const int instance : object.instances) {
                const std::string path = folder.ChannelFolder(instance, spec.channels[c]) + "/" + object.path;
                std::error_code error;
                filesystem::create_directories(filesystem::path(path).parent_path(), error);
                if (!first.empty()) {
                    filesystem::create_hard_link(first, path, error);
                    if (error) return ErrnoError("link " + path, error.value());
                    continue;
                }
                first = path;
                const auto digest = [&]() -> Result<jobs::ContentDigest> {
                    TRY(reader.Read(channel.bucket, object.key, path));
                    return digests.Of(path);
                }();
                if (!digest && digest.error().code() != ErrorCode::kNotFound)
                    return Error(digest.error().code(), digest.error().ToString());
                comparison.Object(channel, object, digest);
                if (!digest) break;
            }
        }
    }
    return {};
}

Result<void> Train(const jobs::JobSpec& spec, const jobs::WorkFolder& folder, jobs::Launcher& launcher) {
    jobs::LaunchRequest request = {.token = jobs::NewProcessToken(folder.path(), 0, SystemClock()),
                                   .image = spec.image,
                                   .instances = {},
                                   .launcher_log_path = folder.LauncherLogPath()};
    for (int number = 1; number <= spec.num_instances; ++number)
        request.instances.push_back({.root = folder.InstanceRoot(number), .log_path = folder.LogPath(number)});
    const std::unique_ptr<jobs::TrainingRun> run = TRY(launcher.Launch(request));
    std::optional<jobs::ExitReport> report;
    while (!report) report = run->WaitFor(std::chrono::seconds(1));
    if (report->succeeded) return {};
    std::string reason = report->how;
    for (int number = 1; number <= spec.num_instances; ++number)
        if (const std::string told = folder.ReadFailure(number); !told.empty()) reason = told;
    return Error(ErrorCode::kInternal, fmt::format("the training failed: {}", reason));
}

struct Opened {
    jobs::Capsule capsule;
    jobs::JobSpec spec;
    std::unique_ptr<ObjectReader> reader;
};

Result<Opened> Open(const CapsuleOptions& options) {
    Opened opened = {.capsule = TRY(ReadCapsule(options.path)), .spec = {}, .reader = nullptr};
    opened.spec = TRY_MSG(jobs::ParseJobSpec(opened.capsule.request), "the request in the capsule");
    if (opened.spec.channels.size() != opened.capsule.channels.size())
        return Error(ErrorCode::kInvalidArgument, "the capsule's inputs are not those of its request");
    // Objects are files for whoever trains again; the order of the rows is the same.
    for (jobs::ChannelSpec& channel : opened.spec.channels) channel.pipe = false;
    opened.reader = options.data_folder.empty() ? TRY(ReadServer()) : ReadFolder(options.data_folder);
    return opened;
}

/// True when everything is as it was.
Result<bool> Check(const CapsuleOptions& options, bool train_again) {
    const Opened opened = TRY(Open(options));
    const jobs::Capsule& capsule = opened.capsule;
    if (train_again && !capsule.checkpoints.empty())
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("the job {} went on from checkpoints under its CheckpointConfig, which a capsule does "
                                 "not hold: it cannot be replayed",
                                 capsule.job));
    WorkPlace place(options.work_folder);
    TRY(place.Make());
    const jobs::WorkFolder folder(place.path(), 1);
    TRY(folder.MakeEmpty(opened.spec));
    TRY(folder.WriteConfiguration(opened.spec));
    jobs::ContentDigests digests;
    Comparison comparison;
    TRY(Fetch(capsule, opened.spec, folder, *opened.reader, digests, comparison));
    if (!comparison.equal()) return false;
    fmt::print("the inputs of job {} are those it was trained on\n", capsule.job);
    if (!train_again) return true;
    jobs::LocalLauncher launcher(jobs::LocalLauncher::ForThisMachine());
    const std::string trainer = TRY(digests.Of(launcher.TrainerPath())).sha256;
    if (trainer != capsule.trainer_sha256)
        fmt::print("note: trained by another build of espalier-train (SHA-256 {} then, {} now)\n",
                   capsule.trainer_sha256, trainer);
    TRY(Train(opened.spec, folder, launcher));
    comparison.Model(capsule.model, TRY(jobs::FilesOf(folder.ModelFolder(), digests)));
    if (comparison.equal()) fmt::print("the same model: every byte of {} file(s)\n", capsule.model.size());
    return comparison.equal();
}

int Report(std::string_view command, const Result<bool>& equal) {
    if (equal) return *equal ? 0 : 1;
    fmt::print(stderr, "espalier capsule {}: {}\n", command, equal.error().ToString());
    return 1;
}

}  // namespace

void AddCapsule(CLI::App& app, int& exit_code) {
    CLI::App* command = app.add_subcommand("capsule", "Check or repeat a training job from its capsule.json");
    command->require_subcommand(1);
    const auto add = [&](const char* name, const char* help, bool train_again) {
        auto options = std::make_shared<CapsuleOptions>();
        CLI::App* sub = command->add_subcommand(name, help);
        sub->add_option("FILE", options->path, "the capsule, which lies in the job's output prefix in S3")->required();
        sub->add_option("--data", options->data_folder,
                        "a folder with <bucket>/<key>; default: the server of the environment (espalier env)");
        sub->add_option("--work", options->work_folder, "where to work, and to leave everything; default: temporary");
        sub->footer(
            fmt::format("Exit code 0: all as it was; 1: not, and what differs is printed.\n\nExample:\n"
                        "  aws s3 cp s3://BUCKET/out/JOB/capsule.json .\n  espalier capsule {} "
                        "capsule.json",
                        name));
        sub->callback(
            [options, name, train_again, &exit_code] { exit_code = Report(name, Check(*options, train_again)); });
    };
    add("verify", "Compare the job's inputs with those it was trained on", false);
    add("replay", "Compare the inputs, train again, and compare the model byte by byte", true);
}

}  // namespace espalier::cmd
