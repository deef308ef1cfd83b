#include "http/processor_spread.h"

namespace espalier::http {

ProcessorSpread::ProcessorSpread(std::size_t num_loops) : processors_(CPU_SETSIZE), loops_(num_loops) {}

void ProcessorSpread::Begin(std::size_t loop) {
    const int found = ::sched_getcpu();
    const auto processor = static_cast<std::size_t>(found);
    if (found < 0 || processor >= processors_.size()) return;
    if (Meets(loop, processor)) KeepOff(loops_[loop], processor);
}

bool ProcessorSpread::Meets(std::size_t loop, std::size_t processor) {
    LoopState& state = loops_[loop];
    if (state.works && state.processor != processor) End(loop);
    state.processor = processor;
    state.works = true;
    std::atomic<std::size_t>& owner = processors_[processor].loop;
    const std::size_t other = owner.load(std::memory_order_relaxed);
    if (other == kNobody) owner.store(loop, std::memory_order_relaxed);
    return other != kNobody && other != loop;
}

void ProcessorSpread::End(std::size_t loop) {
    LoopState& state = loops_[loop];
    if (!state.works) return;
    state.works = false;
    std::atomic<std::size_t>& owner = processors_[state.processor].loop;
    if (owner.load(std::memory_order_relaxed) == loop) owner.store(kNobody, std::memory_order_relaxed);
}

void ProcessorSpread::KeepOff(LoopState& state, std::size_t processor) {
    cpu_set_t others;
    if (::sched_getaffinity(0, sizeof others, &others) != 0) return;
    if (!state.keeps_off) state.allowed = others;
    state.since = std::chrono::steady_clock::now();
    CPU_CLR(processor, &others);
    if (CPU_COUNT(&others) == 0) return;
    if (::sched_setaffinity(0, sizeof others, &others) == 0) state.keeps_off = true;
}

void ProcessorSpread::Release(std::size_t loop, std::chrono::steady_clock::time_point now) {
    LoopState& state = loops_[loop];
    if (!state.keeps_off || now - state.since < kKeptOff) return;
    state.keeps_off = false;
    // A failure leaves the loop where it is, which is where it works.
    static_cast<void>(::sched_setaffinity(0, sizeof state.allowed, &state.allowed));
}

}  // namespace espalier::http
