#include "hosting/model_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <iterator>
#include <utility>

namespace espalier::hosting {
namespace {

double MicrosSince(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

ModelCache::ModelCache(const Options& options)
    : options_(options), loaders_({.num_threads = options.num_loaders, .queued_tasks_max = options.waiting_max}) {}

std::shared_ptr<ModelSet> ModelCache::NewSet(ModelSource source) {
    return std::shared_ptr<ModelSet>(new ModelSet(*this, std::move(source)));
}

Target ModelCache::Find(ModelSet& set, std::string_view name) {
    std::lock_guard lock(mutex_);
    const auto found = set.entries_.find(name);
    if (found == set.entries_.end() || found->second.model == nullptr) return nullptr;
    ++set.taken_.hits;
    recent_.splice(recent_.begin(), recent_, found->second.at);
    return found->second.model;
}

bool ModelCache::Load(const std::shared_ptr<ModelSet>& set, const std::string& name, Ready ready) {
    Target loaded;
    {
        std::lock_guard lock(mutex_);
        const auto [entry, is_new] = set->entries_.try_emplace(name);
        loaded = entry->second.model;
        if (loaded != nullptr) {  // since the caller looked
            ++set->taken_.hits;
        } else {
            // As many tasks as may wait fit into the queue, so it refuses only when the cache is being stopped.
            if (num_waiting_ >= options_.waiting_max ||
                (is_new && !loaders_.TrySubmit([this, set, name] { LoadNow(set, name); }))) {
                if (is_new) set->entries_.erase(entry);
                return false;
            }
            loading_.insert(&entry->second);
            ++num_waiting_;
            ++set->taken_.misses;
            entry->second.waiters.push_back({std::move(ready), std::chrono::steady_clock::now()});
        }
    }
    if (loaded != nullptr) ready(loaded);
    return true;
}

Result<Target> ModelCache::Await(const std::shared_ptr<ModelSet>& set, const std::string& name) {
    if (Target loaded = Find(*set, name)) return loaded;
    std::promise<Result<Target>> done;
    const bool waits = Load(set, name, [&done](const Result<Target>& model) {
        if (model)
            done.set_value(*model);
        else
            done.set_value(Error(model.error().code(), model.error().ToString()));
    });
    if (!waits) return Error(ErrorCode::kUnavailable, "as many requests as may wait for models do");
    return done.get_future().get();
}

void ModelCache::LoadNow(const std::shared_ptr<ModelSet>& set, const std::string& name) {
    const ModelSource& source = set->source_;
    Result<ArchiveShelf::Loaded> loaded = options_.shelf->LoadUnshelved(source.prefix.Join(name));
    Result<Target> result = Target();
    const std::uint64_t bytes = loaded ? loaded->model->memory_bytes : 0;
    if (!loaded) {
        result = std::move(loaded).error();
    } else if (bytes > options_.bytes_max) {
        result = Error(ErrorCode::kResourceLimit,
                       fmt::format("the model takes {} bytes of memory, and all models of multi-model endpoints may "
                                   "take {} together (setting runtime.multi_model_bytes_max)",
                                   bytes, options_.bytes_max));
    } else {
        ServedModel served = source.settings;
        served.model = loaded->model;
        result = Target(std::make_shared<const ServedModel>(std::move(served)));
    }
    std::vector<Waiter> waiters;
    std::vector<Leaving> leaving;
    {
        std::lock_guard lock(mutex_);
        const auto place = set->entries_.find(name);
        Entry& entry = place->second;
        loading_.erase(&entry);
        waiters = std::exchange(entry.waiters, {});
        num_waiting_ -= waiters.size();
        for (const Waiter& waiter : waiters) set->taken_.loading_wait_us.Add(MicrosSince(waiter.since));
        if (loaded) {
            set->taken_.downloading_us.Add(static_cast<double>(loaded->fetching.count()));
            set->taken_.loading_us.Add(static_cast<double>(loaded->loading.count()));
        }
        if (result && source.keeps_models) {
            leaving = MakeRoom(bytes);
            entry.owner = set.get();
            entry.name = place->first;
            entry.model = *result;
            entry.bytes = bytes;
            entry.at = recent_.insert(recent_.begin(), &entry);
            bytes_ += bytes;
        } else {
            set->entries_.erase(place);
        }
    }
    Unload(std::move(leaving));
    for (Waiter& waiter : waiters) waiter.ready(result);
}

void ModelCache::GiveUpWaiting(std::chrono::steady_clock::time_point now) {
    std::vector<Waiter> late;
    {
        std::lock_guard lock(mutex_);
        for (Entry* entry : loading_) {
            const auto end = std::find_if(entry->waiters.begin(), entry->waiters.end(),
                                          [&](const Waiter& each) { return now - each.since < options_.wait_max; });
            num_waiting_ -= static_cast<std::size_t>(end - entry->waiters.begin());
            late.insert(late.end(), std::make_move_iterator(entry->waiters.begin()), std::make_move_iterator(end));
            entry->waiters.erase(entry->waiters.begin(), end);
        }
    }
    for (Waiter& waiter : late) waiter.ready(Error(ErrorCode::kUnavailable, "it is still being loaded"));
}

std::vector<ModelCache::Leaving> ModelCache::MakeRoom(std::uint64_t bytes) {
    std::vector<Leaving> leaving;
    while (bytes_ + bytes > options_.bytes_max && !recent_.empty()) {
        Entry& oldest = *recent_.back();
        ModelSet& owner = *oldest.owner;
        leaving.push_back({owner.weak_from_this(), std::move(oldest.model)});
        bytes_ -= oldest.bytes;
        recent_.pop_back();
        owner.entries_.erase(owner.entries_.find(oldest.name));
    }
    return leaving;
}

void ModelCache::Unload(std::vector<Leaving> leaving) {
    for (Leaving& each : leaving) {
        const auto begin = std::chrono::steady_clock::now();
        each.model = nullptr;
        const double took_us = MicrosSince(begin);
        const std::shared_ptr<ModelSet> owner = each.owner.lock();
        if (owner == nullptr) continue;
        std::lock_guard lock(mutex_);
        owner->taken_.unloading_us.Add(took_us);
    }
}

ModelSetTaken ModelCache::Take(ModelSet& set) {
    std::lock_guard lock(mutex_);
    ModelSetTaken taken = std::exchange(set.taken_, {});
    for (const auto& [name, entry] : set.entries_) taken.num_loaded += entry.model != nullptr ? 1 : 0;
    return taken;
}

std::uint64_t ModelCache::loaded_bytes() const {
    std::lock_guard lock(mutex_);
    return bytes_;
}

void ModelCache::Forget(ModelSet& set) {
    Entries gone;
    std::lock_guard lock(mutex_);
    gone.swap(set.entries_);
    for (auto& [name, entry] : gone) {
        bytes_ -= entry.bytes;
        recent_.erase(entry.at);
    }
}

}  // namespace espalier::hosting
