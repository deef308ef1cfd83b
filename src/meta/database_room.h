// Room inside the database's own files, so that rows can still be written when the disk is full: deletes, which make
// room again, stops, and the ends of jobs.
//
// Two parts, since a committed row is written twice: blocks of the write-ahead log that are the log's before it needs
// them (fallocate behind its end), and pages of the database that are on its free list. Nobody else can take either.
// File systems that never write in place (btrfs, zfs) promise less. Source: sqlite.org/fileformat2.html sections 1.5
// and 4. Used by one thread at a time.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace soci {
class session;
}

namespace espalier::meta {

class DatabaseRoom {
  public:
    /// `pages_bytes` is kept free inside the database at `path`; 0: nothing is kept.
    DatabaseRoom(std::string path, std::size_t pages_bytes) : path_(std::move(path)), pages_bytes_(pages_bytes) {}

    /// For a database that has just been opened. Failures say how much less is kept; the database works.
    Result<void> Take(soci::session& writer);
    /// After each commit; looks only now and then whether rows have used the free pages up.
    Result<void> NoteCommit(soci::session& writer);

  private:
    Result<void> TakeLog() const;
    Result<void> RefillPages(soci::session& writer) const;

    std::string path_;
    std::size_t pages_bytes_;
    std::size_t num_commits_ = 0;
};

}  // namespace espalier::meta
