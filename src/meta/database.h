// The SQL database that holds everything but object bytes. SOCI in front, SQLite (WAL, synchronous=FULL) behind it;
// PostgreSQL is the second dialect to come. SOCI and sqlite3 headers stay inside meta/.
//
// Threads: one writer connection, used by one thread at a time under a mutex; readers take a connection from a small
// pool and see committed data. A function given to Write runs in one transaction: it commits when the function returns
// a value and rolls back when it returns an error. An acknowledged Write is on disk (fsync) before Write returns.
// Thread-safe.
#pragma once

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
    /// Opens or creates the database at `path` and brings its schema to the newest migration (meta/migrations.cc).
    static Result<std::unique_ptr<Database>> Open(const std::string& path);
    virtual ~Database() = default;

    /// kConflict with "UNIQUE" in the message when a unique key is taken; kIo when the disk fails.
    virtual Result<void> Write(const std::function<Result<void>(soci::session&)>& transaction) = 0;
    virtual Result<void> Read(const std::function<Result<void>(soci::session&)>& query) = 0;
};

}  // namespace espalier::meta
