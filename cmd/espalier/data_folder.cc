#include "espalier/data_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace espalier::cmd {

std::string DefaultDataFolder() {
    if (const char* data = std::getenv("ESPALIER_DATA"); data != nullptr && *data != '\0') return data;
    const char* home = std::getenv("HOME");
    return std::string(home != nullptr && *home != '\0' ? home : ".") + "/.local/share/espalier";
}

Result<void> MakeDataFolder(const std::string& path) {
    std::error_code error;
    std::filesystem::path folder(path);
    if (folder.has_parent_path()) std::filesystem::create_directories(folder.parent_path(), error);
    if (error) return ErrnoError("make " + folder.parent_path().string(), error.value());
    RealFs fs;
    return fs.MakeFolder(path);
}

Result<Fd> LockDataFolder(const std::string& path) {
    const std::string name = path + "/lock";
    Fd file(open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file.is_open()) return ErrnoError("open " + name, errno);
    if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return ErrnoError("lock " + name, errno);
        char holder[16] = {};
        ssize_t size = pread(file.get(), holder, sizeof holder - 1, 0);
        std::string pid(holder, size > 0 ? static_cast<std::size_t>(size) : 0);
        return Error(ErrorCode::kConflict, "the data directory " + path + " is in use by another espalier serve" +
                                               (pid.empty() ? "" : " (process " + pid + ")") +
                                               "; stop it, or give this one its own --data");
    }
    const std::string pid = std::to_string(getpid());
    if (ftruncate(file.get(), 0) != 0 || pwrite(file.get(), pid.data(), pid.size(), 0) < 0) {
        return ErrnoError("write " + name, errno);
    }
    return file;
}

Result<void> WriteEndpoint(const std::string& path, const std::string& url) {
    const std::string name = path + "/endpoint";
    const std::string staging = name + ".new";
    std::ofstream out(staging, std::ios::binary | std::ios::trunc);
    out << url << '\n';
    out.close();
    if (!out) return Error(ErrorCode::kIo, staging + " cannot be written");
    std::error_code error;
    std::filesystem::rename(staging, name, error);
    if (error) return ErrnoError("rename " + staging, error.value());
    return {};
}

Result<std::string> ReadEndpoint(const std::string& path) {
    std::ifstream in(path + "/endpoint", std::ios::binary);
    std::string url;
    if (!in || !std::getline(in, url)) return Error(ErrorCode::kNotFound, "no server was started with " + path);
    return url;
}

}  // namespace espalier::cmd
