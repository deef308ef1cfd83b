// Whether a full disk explains that a process ended and could not even write down why.
#pragma once

#include <string>

namespace espalier::jobs {

/// " DIR: No space left on device." when next to nothing is free around that folder; else "".
std::string FullDiskHint(const std::string& folder);

}  // namespace espalier::jobs
