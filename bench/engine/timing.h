// Time of work in this process.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>

namespace espalier::bench {

inline double SecondsOf(const std::function<void()>& work) {
    using SteadyClock = std::chrono::steady_clock;
    const auto begin = SteadyClock::now();
    work();
    return std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

inline double BestSecondsOf(int repeats, const std::function<void()>& work) {
    double best = SecondsOf(work);
    for (int i = 1; i < repeats; ++i) best = std::min(best, SecondsOf(work));
    return best;
}

}  // namespace espalier::bench
