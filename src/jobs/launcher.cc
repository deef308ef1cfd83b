#include "jobs/launcher.h"

#include <fmt/format.h>

#include "base/digest.h"
#include "base/encoding.h"

namespace espalier::jobs {

std::string NewProcessToken(const std::string& work_folder, std::int64_t num_launches, const Clock& clock) {
    const std::string seed = fmt::format("{}/{}/{}", work_folder, num_launches, clock.WallMillis());
    return HexEncode(Sha256::Of(seed)).substr(0, 24);
}

}  // namespace espalier::jobs
