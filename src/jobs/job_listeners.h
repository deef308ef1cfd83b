// Who wants to know that a job has changed. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

namespace espalier::jobs {

class JobListeners {
  public:
    /// Called with the id of a job after each committed change of it, from any thread; must not block.
    using Listener = std::function<void(std::int64_t job_id)>;

    /// Ends with this object; after its destructor the listener is not called any more. Outlived by the listeners.
    class Subscription {
      public:
        Subscription(JobListeners& listeners, int id) : listeners_(listeners), id_(id) {}
        ~Subscription() { listeners_.Remove(id_); }
        Subscription(const Subscription&) = delete;
        Subscription& operator=(const Subscription&) = delete;

      private:
        JobListeners& listeners_;
        int id_;
    };

    [[nodiscard]] std::unique_ptr<Subscription> Subscribe(Listener listener) {
        const std::lock_guard lock(mutex_);
        listeners_.emplace(++last_id_, std::move(listener));
        return std::make_unique<Subscription>(*this, last_id_);
    }
    void Tell(std::int64_t job_id) {
        const std::lock_guard lock(mutex_);
        for (const auto& [id, listener] : listeners_) listener(job_id);
    }

  private:
    void Remove(int id) {
        const std::lock_guard lock(mutex_);
        listeners_.erase(id);
    }

    std::mutex mutex_;
    int last_id_ = 0;  // guarded by mutex_, as is the next
    std::map<int, Listener> listeners_;
};

}  // namespace espalier::jobs
