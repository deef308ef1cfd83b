#include "base/mapped_memory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/fs.h"
#include "base/scratch_file.h"

namespace espalier {

namespace {

/// mmap refuses a length of 0; null then stands for no bytes.
Result<std::byte*> Map(const Fd& file, std::size_t size, int protection, const std::string& what) {
    if (size == 0) return nullptr;
    void* data = mmap(nullptr, size, protection, MAP_SHARED, file.get(), 0);
    if (data == MAP_FAILED) {
        const int errno_value = errno;
        return ErrnoError(fmt::format("map {}", what), errno_value);
    }
    return static_cast<std::byte*>(data);
}

}  // namespace

Result<std::shared_ptr<const MappedMemory>> MappedMemory::OfFile(const std::string& path) {
    RealFs fs;
    const Fd file = TRY(fs.OpenForReading(path));
    const std::uint64_t size = TRY(fs.SizeOf(file));
    std::byte* data = TRY(Map(file, size, PROT_READ, path));
    return std::shared_ptr<const MappedMemory>(new MappedMemory(data, size));
}

Result<std::shared_ptr<MappedMemory>> MappedMemory::Scratch(const std::string& folder, std::size_t size) {
    const Fd file = TRY(OpenScratch(folder));
    // Room on the disk now: without it a write to the memory would end the process by a signal.
    const int status = size == 0 ? 0 : posix_fallocate(file.get(), 0, static_cast<off_t>(size));
    if (status != 0) return ErrnoError(fmt::format("reserve {} bytes in {}", size, folder), status);
    std::byte* data = TRY(Map(file, size, PROT_READ | PROT_WRITE, folder));
    return std::shared_ptr<MappedMemory>(new MappedMemory(data, size));
}

MappedMemory::~MappedMemory() {
    if (size_ > 0) munmap(data_, size_);
}

}  // namespace espalier
