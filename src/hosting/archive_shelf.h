// Where running endpoints keep their model archives, so that deleting the model, the configuration or the S3 object
// leaves them untouched, also across a restart.
//
// The rule: <folder>/<sha256 of the archive>.tar.gz, a hard link to the object's blob (a copy when the store lies on
// another file system). An archive is put here before the endpoint's row that names it is committed, and removed after
// the last row that names it is gone; whatever no row names is removed at start. Its name is its checksum, so a damaged
// archive is noticed when it is loaded. See docs/formats.md.
// Thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "base/fs.h"
#include "base/result.h"
#include "hosting/loaded_model.h"
#include "store/object_store.h"
#include "store/s3_location.h"

namespace espalier::hosting {

/// `Could not find model data at s3://b/k.`: kNotFound.
Error NoModelData(const store::S3Location& location);

class ArchiveShelf {
  public:
    struct Options {
        std::string folder;                     ///< made if missing; its parent must exist
        store::ObjectStore* objects = nullptr;  ///< borrowed
        Fs* fs = nullptr;                       ///< borrowed
    };
    static Result<std::unique_ptr<ArchiveShelf>> Open(const Options& options);

    struct Loaded {
        std::string archive_id;  ///< SHA-256 of the archive in hex
        std::shared_ptr<const LoadedModel> model;
        std::chrono::microseconds fetching{0};  ///< how long it took to have the archive's bytes, verified
        std::chrono::microseconds loading{0};   ///< and then to make the model of them
    };
    /// Puts the object on the shelf and loads it. Models with the same bytes are loaded once and shared while somebody
    /// holds them. kNotFound with "Could not find model data at s3://b/k." when the bucket or key is not there; the
    /// errors of LoadModel with the location in front. The archive stays until Sweep finds it unused; a load that has
    /// not been committed yet must be protected with Hold.
    Result<Loaded> LoadObject(const store::S3Location& location);
    /// Loads the object as LoadObject does, with the same errors, and leaves nothing on the shelf.
    Result<Loaded> LoadUnshelved(const store::S3Location& location);
    /// Loads an archive that is already on the shelf. kNotFound or kCorruptData when it is gone or damaged.
    Result<Loaded> LoadShelved(const std::string& archive_id);

    /// While one of these lives, Sweep removes nothing.
    using HoldToken = std::shared_ptr<void>;
    HoldToken Hold();
    /// Removes every archive that is not in `used`, which is asked for under the lock that Hold takes; nothing when the
    /// answer is nullopt (not known).
    void Sweep(const std::function<std::optional<std::set<std::string>>()>& used);

  private:
    explicit ArchiveShelf(Options options) : options_(std::move(options)) {}
    std::string PathOf(const std::string& archive_id) const;
    /// Links the object into the folder, loads it, and puts it on the shelf if `keep`.
    Result<Loaded> Take(const store::S3Location& location, bool keep);
    Result<std::shared_ptr<const LoadedModel>> LoadFile(const std::string& path, const std::string& archive_id);
    Result<std::string> HashFile(const std::string& path) const;

    const Options options_;
    std::atomic<std::uint64_t> next_incoming_{0};
    std::mutex mutex_;
    std::size_t num_holds_ = 0;                                       // guarded by mutex_
    std::map<std::string, std::weak_ptr<const LoadedModel>> loaded_;  // guarded by mutex_
    std::shared_ptr<const LoadedModel> last_loaded_;                  // guarded by mutex_
};

}  // namespace espalier::hosting
