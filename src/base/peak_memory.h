// The most memory this process has had at once.
//
// From VmHWM of /proc/self/status: what getrusage tells counts the memory of the process that forked this one, so a
// small program started by a large one would seem large. Thread-safe.
#pragma once

#include <cstdint>

namespace espalier {

/// Resident bytes at the peak since the program was started; 0 where the system does not tell.
std::uint64_t PeakMemoryBytes();

}  // namespace espalier
