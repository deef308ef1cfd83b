// The models of multi-model variants that are in memory: loaded from the object store at their first request, the least
// recently used unloaded when memory is short.
//
// Nouns: ModelSource (where a variant's models lie and how they are served), ModelSet (what one variant has of them),
// ModelCache (all sets of the server, within one limit of memory). A model is known by its name below the source's
// prefix. As on AWS, it is served as it was loaded until it is unloaded: an archive that is overwritten or deleted in
// the store meanwhile changes nothing. Requests for one model that come while it is loaded wait for that one load, a
// minute at most: then they are told so, and the load goes on for those who ask again. Loads run on threads of the
// cache's own, so neither threads that read requests nor requests to loaded models wait. Limits: bytes_max of loaded
// models, beside those being loaded (one a thread) and those that were unloaded under a request and are still answering
// it; waiting_max requests that wait for loads. Nothing is on disk: after a restart models are loaded again.
// Thread-safe. Source: SageMaker developer guide, "Multi-model endpoints".
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/distribution.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "hosting/archive_shelf.h"
#include "hosting/inference.h"
#include "store/s3_location.h"

namespace espalier::hosting {

struct ModelSource {
    store::S3Location prefix;
    ServedModel settings;      ///< without a model
    bool keeps_models = true;  ///< false: unloaded as soon as the requests that waited for it have it

    bool operator==(const ModelSource&) const = default;
};

/// A model in its container.
using Target = std::shared_ptr<const ServedModel>;

/// What happened to a variant's models since the last look.
struct ModelSetTaken {
    std::uint64_t hits = 0;  ///< requests whose model was loaded
    std::uint64_t misses = 0;
    Distribution loading_wait_us;  ///< a request that waited
    Distribution downloading_us;   ///< a load
    Distribution loading_us;       ///< a load
    Distribution unloading_us;     ///< an unloaded model
    std::size_t num_loaded = 0;    ///< now

    bool empty() const { return hits + misses == 0 && unloading_us.empty(); }
};

class ModelSet;

class ModelCache {
  public:
    struct Options {
        ArchiveShelf* shelf = nullptr;  ///< borrowed
        std::uint64_t bytes_max = std::uint64_t{1} << 30;
        std::size_t num_loaders = 2;
        std::size_t waiting_max = 1000;
        std::chrono::milliseconds wait_max{60'000};
    };
    explicit ModelCache(const Options& options);

    /// A set with no model in memory. Its models are unloaded when nobody holds it any more, before the cache ends.
    std::shared_ptr<ModelSet> NewSet(ModelSource source);

    /// The model of that name if it is in memory, which is a hit; else nullptr, which counts nothing yet.
    Target Find(ModelSet& set, std::string_view name);

    /// Called once, from a loader's thread: with the model; kNotFound when there is no such object; kResourceLimit when
    /// it alone is larger than bytes_max; kUnavailable after wait_max; the errors of LoadModel.
    using Ready = std::function<void(const Result<Target>&)>;
    /// Loads the model, or joins those who wait for it already. False, and `ready` is not called, when as many as may
    /// wait do.
    [[nodiscard]] bool Load(const std::shared_ptr<ModelSet>& set, const std::string& name, Ready ready);
    /// Find, or Load and wait. Not from a loader's thread. kUnavailable when as many as may wait do.
    Result<Target> Await(const std::shared_ptr<ModelSet>& set, const std::string& name);

    /// Tells those who have waited for wait_max. To be called now and then; `now` is steady_clock's.
    void GiveUpWaiting(std::chrono::steady_clock::time_point now);

    ModelSetTaken Take(ModelSet& set);
    std::uint64_t loaded_bytes() const;

    /// Finishes the loads that were asked for, then begins no more.
    void Stop() { loaders_.Stop(); }

  private:
    friend class ModelSet;
    struct Waiter {
        Ready ready;
        std::chrono::steady_clock::time_point since;
    };
    struct Entry {
        ModelSet* owner = nullptr;
        std::string_view name;           ///< its key in the owner's table
        Target model;                    ///< nullptr while it is loaded
        std::uint64_t bytes = 0;         ///< of a loaded model
        std::vector<Waiter> waiters;     ///< while it is loaded
        std::list<Entry*>::iterator at;  ///< its place in recent_, of a loaded model
    };
    using Entries = std::map<std::string, Entry, std::less<>>;
    /// A model on its way out of memory.
    struct Leaving {
        std::weak_ptr<ModelSet> owner;
        Target model;
    };

    /// What a loader does.
    void LoadNow(const std::shared_ptr<ModelSet>& set, const std::string& name);
    /// Under mutex_: takes the least recently used models out until `bytes` more fit.
    std::vector<Leaving> MakeRoom(std::uint64_t bytes);
    void Unload(std::vector<Leaving> leaving);
    /// The end of a set.
    void Forget(ModelSet& set);

    const Options options_;
    mutable std::mutex mutex_;
    std::list<Entry*> recent_;     // guarded by mutex_: loaded models, the last one used first
    std::uint64_t bytes_ = 0;      // guarded by mutex_: of all in recent_
    std::size_t num_waiting_ = 0;  // guarded by mutex_
    std::set<Entry*> loading_;     // guarded by mutex_: those that have no model yet
    ThreadPool loaders_;
};

class ModelSet : public std::enable_shared_from_this<ModelSet> {
  public:
    ~ModelSet() { cache_.Forget(*this); }
    const ModelSource& source() const { return source_; }

  private:
    friend class ModelCache;
    ModelSet(ModelCache& cache, ModelSource source) : cache_(cache), source_(std::move(source)) {}

    ModelCache& cache_;
    const ModelSource source_;
    ModelCache::Entries entries_;  // guarded by the cache's mutex_, as taken_ is
    ModelSetTaken taken_;
};

}  // namespace espalier::hosting
