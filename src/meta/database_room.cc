#include "meta/database_room.h"

#include <fcntl.h>
#include <soci/soci.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "base/fs.h"
#include "meta/guard.h"

namespace espalier::meta {
namespace {

// Twice what the log holds before SQLite begins it again (wal_autocheckpoint, 1,000 pages of 4 KiB), and few enough
// frames for the first part of its index, which is there from the start.
constexpr off_t kLogBytes = 8 << 20;
// A look reads one number of a page that is in memory; a page is used up by some ten rows.
constexpr std::size_t kCommitsBetweenLooks = 256;
// Pages are taken from a disk that has this many times as much left.
constexpr std::uint64_t kShareOfDisk = 8;

Result<bool> DiskHas(const std::string& path, std::uint64_t size_bytes) {
    struct statvfs space {};
    if (::statvfs(path.c_str(), &space) != 0) return ErrnoError("statvfs " + path, errno);
    return std::uint64_t{space.f_bavail} * space.f_frsize >= size_bytes;
}

}  // namespace

Result<void> DatabaseRoom::Take(soci::session& writer) {
    if (pages_bytes_ == 0) return {};
    TRY(RefillPages(writer));
    return TakeLog();
}

Result<void> DatabaseRoom::NoteCommit(soci::session& writer) {
    if (pages_bytes_ == 0 || ++num_commits_ % kCommitsBetweenLooks != 0) return {};
    return RefillPages(writer);
}

/// SQLite never shortens a log that is in use, and looks at no byte behind what it wrote.
Result<void> DatabaseRoom::TakeLog() const {
    const std::string log_path = path_ + "-wal";
    const Fd log(::open(log_path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    if (!log.is_open()) return ErrnoError("open " + log_path, errno);
    if (::fallocate(log.get(), FALLOC_FL_KEEP_SIZE, 0, kLogBytes) != 0)
        return ErrnoError("reserve the first bytes of " + log_path, errno);
    return {};
}

/// Rows of zeros that are written and deleted again leave their pages to rows to come.
Result<void> DatabaseRoom::RefillPages(soci::session& writer) const {
    return Guard([&]() -> Result<void> {
        std::int64_t num_free = 0;
        std::int64_t page_bytes = 0;
        writer << "PRAGMA freelist_count", soci::into(num_free);
        writer << "PRAGMA page_size", soci::into(page_bytes);
        const auto wanted = static_cast<std::int64_t>(pages_bytes_);
        if (num_free * page_bytes >= wanted / 2 || !TRY(DiskHas(path_, pages_bytes_ * kShareOfDisk))) return {};
        // Two transactions: pages that are freed by the one that took them would never be written.
        writer << "INSERT INTO room (zeros) VALUES (zeroblob(:size))", soci::use(wanted, "size");
        writer << "DELETE FROM room";
        writer << "PRAGMA wal_checkpoint(PASSIVE)";
        return {};
    });
}

}  // namespace espalier::meta
