#include "jobs/text_file.h"

#include <fcntl.h>

#include <cerrno>

#include "base/fs.h"

namespace espalier::jobs {

Result<void> WriteTextFile(const std::string& path, std::string_view text) {
    const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!file.is_open()) return ErrnoError("open " + path, errno);
    TRY_MSG(RealFs().Append(file, text), path);
    return {};
}

}  // namespace espalier::jobs
