#include "base/worker_team.h"

#include <chrono>

#include "base/check.h"

namespace espalier {

namespace {

// A wake-up through the kernel costs 5–50 us; the gaps between loops of one iteration are shorter than this.
constexpr auto kSpin = std::chrono::microseconds(30);

void Pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/// Waits until `value` is no longer `old`.
void WaitForChange(const std::atomic<std::uint32_t>& value, std::uint32_t old) {
    const auto until = std::chrono::steady_clock::now() + kSpin;
    do {
        for (int i = 0; i < 16; ++i) {
            if (value.load(std::memory_order_acquire) != old) return;
            Pause();
        }
    } while (std::chrono::steady_clock::now() < until);
    value.wait(old, std::memory_order_acquire);
}

}  // namespace

WorkerTeam::WorkerTeam(int num_threads, ProgressMark* mark) : num_threads_(num_threads), mark_(mark) {
    CHECK(num_threads >= 1 && num_threads <= kThreadsMax, "num_threads {}", num_threads);
    for (int worker = 1; worker < num_threads; ++worker) helpers_.emplace_back([this, worker] { Help(worker); });
}

WorkerTeam::~WorkerTeam() {
    stopping_.store(true, std::memory_order_relaxed);
    loop_.fetch_add(1, std::memory_order_release);
    loop_.notify_all();
}

void WorkerTeam::DrainTasks(int worker) {
    for (;;) {
        const std::size_t task = next_task_.fetch_add(1, std::memory_order_relaxed);
        if (task >= num_tasks_) return;
        call_(opaque_, task, worker);
        if (mark_ != nullptr) mark_->Move();
    }
}

void WorkerTeam::Run(std::size_t num_tasks, Call call, void* opaque) {
    if (num_tasks == 0) return;
    if (num_threads_ == 1 || num_tasks == 1) {
        for (std::size_t task = 0; task < num_tasks; ++task) {
            call(opaque, task, 0);
            if (mark_ != nullptr) mark_->Move();
        }
        return;
    }
    call_ = call;
    opaque_ = opaque;
    num_tasks_ = num_tasks;
    next_task_.store(0, std::memory_order_relaxed);
    num_helping_.store(static_cast<std::uint32_t>(num_threads_ - 1), std::memory_order_relaxed);
    loop_.fetch_add(1, std::memory_order_release);
    loop_.notify_all();
    DrainTasks(0);
    // Every helper must have seen this loop before the next one may change call_ and num_tasks_.
    for (;;) {
        const std::uint32_t helping = num_helping_.load(std::memory_order_acquire);
        if (helping == 0) return;
        WaitForChange(num_helping_, helping);
    }
}

void WorkerTeam::Help(int worker) {
    std::uint32_t seen = 0;
    for (;;) {
        WaitForChange(loop_, seen);
        ++seen;  // Exactly one loop is under way at a time, so none is skipped.
        if (stopping_.load(std::memory_order_relaxed)) return;
        DrainTasks(worker);
        if (num_helping_.fetch_sub(1, std::memory_order_acq_rel) == 1) num_helping_.notify_one();
    }
}

}  // namespace espalier
