// A shared value that many threads read and few replace, without a reader ever waiting for a writer.
//
// The value is a shared_ptr kept in several stripes. A reader takes the stripe of its thread for the length of one
// reference count; if that stripe is being changed or read, it takes the next one. A writer changes one stripe at a
// time, so some stripe is always free. When Store returns, every later Load sees the new value.
// Why not std::atomic<std::shared_ptr>: in libstdc++ 12 it is one spin bit for all readers and writers.
// Thread-safe; writers must take turns by a lock of their own.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <thread>

namespace espalier::hosting {

template <typename T>
class SnapshotCell {
  public:
    explicit SnapshotCell(std::shared_ptr<const T> value) { Store(std::move(value)); }

    std::shared_ptr<const T> Load() const {
        for (std::size_t i = FirstStripe();; i = (i + 1) % kStripes) {
            Stripe& stripe = stripes_[i];
            if (stripe.taken.exchange(true, std::memory_order_acquire)) continue;
            std::shared_ptr<const T> value = stripe.value;
            stripe.taken.store(false, std::memory_order_release);
            return value;
        }
    }

    void Store(std::shared_ptr<const T> value) {
        for (Stripe& stripe : stripes_) {
            std::shared_ptr<const T> old = value;
            while (stripe.taken.exchange(true, std::memory_order_acquire)) std::this_thread::yield();
            stripe.value.swap(old);
            stripe.taken.store(false, std::memory_order_release);
            // The last reference to the old value is dropped here, outside the stripe.
        }
    }

  private:
    static constexpr std::size_t kStripes = 8;
    struct alignas(64) Stripe {
        std::atomic<bool> taken{false};
        std::shared_ptr<const T> value;
    };

    static std::size_t FirstStripe() {
        static std::atomic<std::size_t> next{0};
        thread_local const std::size_t mine = next.fetch_add(1, std::memory_order_relaxed) % kStripes;
        return mine;
    }

    mutable std::array<Stripe, kStripes> stripes_;
};

}  // namespace espalier::hosting
