// Time, behind an interface so that tests own it. The wall clock stamps records and checks signatures; the monotonic
// clock measures and times out. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>

namespace espalier {

/// Milliseconds since 1970-01-01T00:00:00Z.
using UnixMillis = std::int64_t;

class Clock {
  public:
    virtual ~Clock() = default;
    virtual UnixMillis WallMillis() const = 0;
    virtual std::chrono::steady_clock::time_point Now() const = 0;
};

class SystemClock final : public Clock {
  public:
    UnixMillis WallMillis() const override;
    std::chrono::steady_clock::time_point Now() const override { return std::chrono::steady_clock::now(); }
};

}  // namespace espalier
