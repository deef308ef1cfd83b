#include "base/process_output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/fs.h"

namespace espalier {

Result<void> SendOutputTo(const std::string& path) {
    if (path.empty()) return {};
    const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    if (!file.is_open()) return ErrnoError("open " + path, errno);
    for (const int stream : {STDOUT_FILENO, STDERR_FILENO})
        if (::dup2(file.get(), stream) < 0) return ErrnoError("write to " + path, errno);
    return {};
}

}  // namespace espalier
