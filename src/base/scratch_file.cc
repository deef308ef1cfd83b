#include "base/scratch_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>

#include "base/check.h"

namespace espalier {

Result<Fd> OpenScratch(const std::string& folder) {
    std::string name = folder + "/.scratch-XXXXXX";
    Fd fd(mkostemp(name.data(), O_CLOEXEC));
    if (!fd.is_open()) {
        const int errno_value = errno;
        return ErrnoError(fmt::format("make a scratch file in {}", folder), errno_value);
    }
    unlink(name.c_str());
    return fd;
}

Result<std::unique_ptr<ScratchFile>> ScratchFile::Create(const std::string& folder) {
    Fd fd = TRY(OpenScratch(folder));
    return std::unique_ptr<ScratchFile>(new ScratchFile(std::move(fd), folder));
}

Result<std::uint64_t> ScratchFile::Append(std::span<const std::byte> bytes) {
    const std::uint64_t begin = size_bytes_;
    while (!bytes.empty()) {
        const ssize_t put = pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(size_bytes_));
        if (put < 0) {
            const int errno_value = errno;
            if (errno_value == EINTR) continue;
            return ErrnoError(fmt::format("write a scratch file in {}", folder_), errno_value);
        }
        size_bytes_ += static_cast<std::uint64_t>(put);
        bytes = bytes.subspan(static_cast<std::size_t>(put));
    }
    return begin;
}

void ScratchFile::ReadAt(std::span<std::byte> out, std::uint64_t offset) const {
    CHECK(offset + out.size() <= size_bytes_);
    while (!out.empty()) {
        const ssize_t got = pread(fd_.get(), out.data(), out.size(), static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) continue;
        CHECK(got > 0, "the scratch file in {} cannot be read back (errno {}): the disk fails", folder_, errno);
        offset += static_cast<std::uint64_t>(got);
        out = out.subspan(static_cast<std::size_t>(got));
    }
}

}  // namespace espalier
