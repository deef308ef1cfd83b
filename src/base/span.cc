#include "base/span.h"

namespace espalier {

UnixNanos WallNanos() {
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(since).count();
}

UnixNanos WallNanosAt(std::chrono::steady_clock::time_point moment) {
    const auto ago = std::chrono::steady_clock::now() - moment;
    return WallNanos() - std::chrono::duration_cast<std::chrono::nanoseconds>(ago).count();
}

}  // namespace espalier
