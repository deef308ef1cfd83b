#include "hosting/variant_line.h"

#include <algorithm>
#include <utility>

namespace espalier::hosting {
namespace {

constexpr double kNewestShare = 0.05;  // of the newest answer in the smoothed time
// Nobody is read or refused by a thread that answers, so it must be free again soon, however small the request is.
constexpr double kInlineMicrosMax = 2000;

}  // namespace

void VariantLine::SetBounds(const Bounds& bounds) {
    std::lock_guard lock(mutex_);
    bounds_ = bounds;
    StartWaiting();
}

VariantLine::Entry VariantLine::Enter(Kind kind, const std::function<std::function<void()>()>& make_task) {
    std::lock_guard lock(mutex_);
    const bool starts_at_once = running_ < bounds_.running_max && waiting_.empty();
    if (starts_at_once && kind == Kind::kAttended && recent_us_ <= kInlineMicrosMax) {
        ++running_;
        return Entry::kRun;
    }
    const bool is_full = !starts_at_once && static_cast<int>(waiting_.size()) >= bounds_.waiting_max;
    if (is_full && kind != Kind::kContinued) return Entry::kFull;
    waiting_.push_back(make_task());
    StartWaiting();
    return Entry::kQueued;
}

void VariantLine::StartWaiting() {
    while (running_ < bounds_.running_max && !waiting_.empty()) {
        std::function<void()> task = std::move(waiting_.front());
        waiting_.pop_front();
        ++running_;
        // Only a pool that is being stopped refuses: the task goes, and with it the exchange, which answers by itself.
        if (!pool_.TrySubmit(std::move(task))) --running_;
    }
}

void VariantLine::Leave(std::chrono::microseconds took) {
    std::lock_guard lock(mutex_);
    --running_;
    const auto micros = static_cast<double>(took.count());
    recent_us_ = recent_us_ == 0 ? micros : recent_us_ + kNewestShare * (micros - recent_us_);
    StartWaiting();
}

std::chrono::milliseconds VariantLine::WaitingTime() const {
    std::lock_guard lock(mutex_);
    const double ahead = static_cast<double>(waiting_.size()) + running_;
    const double micros = ahead * recent_us_ / std::max(bounds_.running_max, 1);
    return std::chrono::milliseconds(static_cast<std::int64_t>(micros / 1000.0) + 1);
}

}  // namespace espalier::hosting
