#include "base/peak_memory.h"

#include <fstream>
#include <string>

namespace espalier {

std::uint64_t PeakMemoryBytes() {
    std::ifstream status("/proc/self/status");
    for (std::string name; status >> name;) {
        std::uint64_t kilobytes = 0;
        if (name == "VmHWM:" && status >> kilobytes) return kilobytes * 1024;
    }
    return 0;
}

}  // namespace espalier
