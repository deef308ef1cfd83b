// The SQL database that holds everything but object bytes. SOCI in front, SQLite (WAL, synchronous=FULL) behind it;
// PostgreSQL is the second dialect to come. SOCI and sqlite3 headers stay inside meta/.
//
// Threads: one writer connection, used by one thread at a time under a mutex; readers take a connection from a small
// pool and see committed data. A function given to Write runs in one transaction: it commits when the function returns
// a value and rolls back when it returns an error. An acknowledged Write is on disk (fsync) before Write returns.
// Group commit: transactions that wait for the writer at the same time share one COMMIT and one fsync, each inside its
// own savepoint, so a function may run on the thread of another caller of Write; its effects and its result are its
// own. A soci_error thrown by a function becomes the error of that Write or Read; nothing escapes. Thread-safe. A
// function must not call Write or Read of the same Database (the writer mutex is not recursive).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"

namespace soci {
class session;
}

namespace espalier::meta {

class Database {
  public:
    /// Opens or creates the database at `path` (its folder must exist) and brings its schema to the newest migration
    /// (meta/migrations.h). kCorruptData when the file is no database or is of a newer Espalier. `room_bytes` are kept
    /// for rows that are written while the disk is full (meta/database_room.h).
    static Result<std::unique_ptr<Database>> Open(const std::string& path, std::size_t room_bytes = 0);
    virtual ~Database() = default;

    /// kConflict with "UNIQUE" in the message when a unique key is taken; kConflict with "FOREIGN KEY" when a row that
    /// is referred to is missing or still in use; kResourceLimit when the disk is full; kIo when it fails.
    virtual Result<void> Write(const std::function<Result<void>(soci::session&)>& transaction) = 0;
    /// The function sees one consistent snapshot of the committed data.
    virtual Result<void> Read(const std::function<Result<void>(soci::session&)>& query) = 0;
};

}  // namespace espalier::meta
