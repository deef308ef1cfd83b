#include "base/thread_pool.h"

#include <utility>

#include "base/check.h"

namespace espalier {

ThreadPool::ThreadPool(Options options) : queued_tasks_max_(options.queued_tasks_max) {
    CHECK(options.num_threads >= 1);
    threads_.reserve(options.num_threads);
    for (std::size_t i = 0; i < options.num_threads; ++i) threads_.emplace_back([this] { Work(); });
}

ThreadPool::~ThreadPool() {
    Stop();
}

bool ThreadPool::TrySubmit(std::function<void()> task) {
    {
        std::lock_guard lock(mutex_);
        if (stopping_ || queue_.size() >= queued_tasks_max_) return false;
        queue_.push_back(std::move(task));
    }
    wake_.notify_one();
    return true;
}

void ThreadPool::Stop() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    threads_.clear();
}

void ThreadPool::Work() {
    while (true) {
        std::function<void()> task;
        {
            std::unique_lock lock(mutex_);
            wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
            if (queue_.empty()) return;
            task = std::move(queue_.front());
            queue_.pop_front();
        }
        task();
    }
}

}  // namespace espalier
