#include "jobs/job_queue.h"

#include <utility>

namespace espalier::jobs {

JobQueue::JobQueue(int num_slots, RunFunction run) : num_slots_(num_slots), run_(std::move(run)) {}

JobQueue::~JobQueue() {
    std::unique_lock lock(mutex_);
    closing_ = true;
    queue_.clear();
    for (auto& [id, job] : running_) job->control.abandoned = true;
    ended_one_.wait(lock, [this] { return running_.empty(); });
    // Each thread has moved its entry to ended_ as its last act but for letting go of the lock.
    const std::vector<std::unique_ptr<Running>> ended = std::move(ended_);
    lock.unlock();
    for (const std::unique_ptr<Running>& job : ended) {
        if (job->thread.joinable()) job->thread.join();
    }
}

void JobQueue::Add(std::int64_t job_id) {
    const std::lock_guard lock(mutex_);
    queue_.push_back(job_id);
    StartWhatFits();
}

bool JobQueue::Stop(std::int64_t job_id) {
    const std::lock_guard lock(mutex_);
    if (const auto found = running_.find(job_id); found != running_.end()) {
        found->second->control.stop_requested = true;
    }
    return std::erase(queue_, job_id) > 0;
}

void JobQueue::StartWhatFits() {
    for (const std::unique_ptr<Running>& job : ended_) {
        if (job->thread.get_id() != std::this_thread::get_id() && job->thread.joinable()) job->thread.join();
    }
    std::erase_if(ended_, [](const std::unique_ptr<Running>& job) { return !job->thread.joinable(); });
    while (!closing_ && !queue_.empty() && running_.size() < static_cast<std::size_t>(num_slots_)) {
        const std::int64_t job_id = queue_.front();
        queue_.pop_front();
        auto& job = running_[job_id];
        job = std::make_unique<Running>();
        job->thread = std::jthread([this, job_id, &control = job->control] { RunJob(job_id, control); });
    }
}

void JobQueue::RunJob(std::int64_t job_id, JobControl& control) {
    run_(job_id, control);
    const std::lock_guard lock(mutex_);
    // From here on the thread touches nothing of this object but the queue, under the lock it holds.
    const auto self = running_.find(job_id);
    ended_.push_back(std::move(self->second));
    running_.erase(self);
    StartWhatFits();
    ended_one_.notify_all();
}

}  // namespace espalier::jobs
