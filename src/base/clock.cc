#include "base/clock.h"

namespace espalier {

UnixMillis SystemClock::WallMillis() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

}  // namespace espalier
