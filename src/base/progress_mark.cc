#include "base/progress_mark.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "base/fs.h"

namespace espalier {

ProgressMark::~ProgressMark() {
    if (record_ != &own_) munmap(record_, sizeof(Record));
}

Result<void> ProgressMark::MakeFile(const std::string& path) {
    const Fd file(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file.is_open()) return ErrnoError("make " + path, errno);
    const char zeros[sizeof(Record)] = {};
    if (pwrite(file.get(), zeros, sizeof zeros, 0) != static_cast<ssize_t>(sizeof zeros)) {
        return ErrnoError("write " + path, errno);
    }
    return {};
}

Result<std::unique_ptr<ProgressMark>> ProgressMark::InFile(const std::string& path) {
    if (path.empty()) return std::make_unique<ProgressMark>();
    const Fd file(open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (!file.is_open()) return ErrnoError("open " + path, errno);
    void* memory = mmap(nullptr, sizeof(Record), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    if (memory == MAP_FAILED) return ErrnoError("map " + path, errno);
    std::unique_ptr<ProgressMark> mark(new ProgressMark(static_cast<Record*>(memory)));
    mark->record_->pid.store(getpid(), std::memory_order_relaxed);
    return mark;
}

std::optional<ProgressMark::Seen> ProgressMark::LookAt(const std::string& path) {
    const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file.is_open()) return std::nullopt;
    Record record;
    if (pread(file.get(), static_cast<void*>(&record), sizeof record, 0) != static_cast<ssize_t>(sizeof record)) {
        return std::nullopt;
    }
    return Seen{.num_moves = record.num_moves.load(std::memory_order_relaxed),
                .patience = std::chrono::milliseconds(record.patience_ms.load(std::memory_order_relaxed)),
                .pid = record.pid.load(std::memory_order_relaxed),
                .waits = record.num_waits.load(std::memory_order_relaxed) > 0};
}

}  // namespace espalier
