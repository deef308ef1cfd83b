#include "jobs/text_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/fs.h"

namespace espalier::jobs {

Result<void> WriteTextFile(const std::string& path, std::string_view text) {
    const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!file.is_open()) return ErrnoError("open " + path, errno);
    while (!text.empty()) {
        const ssize_t written = ::write(file.get(), text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return ErrnoError("write " + path, errno);
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

}  // namespace espalier::jobs
