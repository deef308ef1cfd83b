#include "meta/database.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/log.h"
#include "meta/database_room.h"
#include "meta/guard.h"
#include "meta/migrations.h"

namespace espalier::meta {
namespace {

using namespace sqlite_api;  // where soci-sqlite3.h puts everything of sqlite3.h

// Eight readers: more than the worker threads of a small machine, few enough to keep descriptors and caches small.
constexpr std::size_t kReadersMax = 8;
// A batch of this many transactions shares one fsync; more would only make the first of them wait longer.
constexpr std::size_t kGroupCommitMax = 64;

ErrorCode CodeOfSqlite(int result) {
    switch (result & 0xff) {
        case SQLITE_CONSTRAINT:
            return ErrorCode::kConflict;
        case SQLITE_FULL:
        case SQLITE_NOMEM:
            return ErrorCode::kResourceLimit;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return ErrorCode::kUnavailable;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return ErrorCode::kCorruptData;
        case SQLITE_PERM:
        case SQLITE_READONLY:
            return ErrorCode::kPermission;
        default:
            return ErrorCode::kIo;
    }
}

sqlite3* RawConnection(soci::session& sql) {
    return static_cast<soci::sqlite3_session_backend*>(sql.get_backend())->conn_;
}

/// Statements without parameters and results; several may be given, separated by ';'.
Result<void> Execute(soci::session& sql, const std::string& statements) {
    sqlite3* connection = RawConnection(sql);
    const int result = sqlite3_exec(connection, statements.c_str(), nullptr, nullptr, nullptr);
    if (result != SQLITE_OK) {
        return Error(CodeOfSqlite(result), std::string("database: ") + sqlite3_errmsg(connection));
    }
    return {};
}

Result<std::unique_ptr<soci::session>> Connect(const std::string& path) {
    auto session = std::make_unique<soci::session>();
    TRY(Guard([&]() -> Result<void> {
        session->open(soci::sqlite3, fmt::format("dbname=\"{}\" timeout=10", path));
        return {};
    }));
    // temp_store=MEMORY: no temporary file outside the data directory. 16 MiB of page cache for each connection.
    TRY(Execute(*session,
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; "
                "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-16384;"));
    return session;
}

Result<void> Migrate(soci::session& sql) {
    int version = 0;
    TRY(Guard([&]() -> Result<void> {
        sql << "PRAGMA user_version", soci::into(version);
        return {};
    }));
    const auto steps = Migrations();
    if (version < 0 || static_cast<std::size_t>(version) > steps.size()) {
        return Error(ErrorCode::kCorruptData,
                     fmt::format("the database has schema version {}, this program knows {}: it was written by a newer "
                                 "Espalier",
                                 version, steps.size()));
    }
    for (auto idx = static_cast<std::size_t>(version); idx < steps.size(); ++idx) {
        const std::string step =
            fmt::format("BEGIN IMMEDIATE; {} ; PRAGMA user_version={}; COMMIT;", steps[idx].sql, idx + 1);
        TRY_MSG(Execute(sql, step), fmt::format("migration '{}'", steps[idx].name));
    }
    return {};
}

/// The name of a new database file must be on disk before the first row in it is acknowledged.
Result<void> SyncFolderOf(const std::string& path) {
    std::string folder = std::filesystem::path(path).parent_path().string();
    if (folder.empty()) folder = ".";
    const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return ErrnoError("open " + folder, errno);
    const int result = ::fsync(fd);
    const int saved = errno;
    ::close(fd);
    if (result != 0) return ErrnoError("fsync " + folder, saved);
    return {};
}

void WarnOfRoom(const Result<void>& kept) {
    if (!kept) LOG_WARN("less room is kept for rows on a full disk", {"error", kept.error().ToString()});
}

class SqliteDatabase final : public Database {
  public:
    SqliteDatabase(std::string path, std::unique_ptr<soci::session> writer, DatabaseRoom room)
        : path_(std::move(path)), writer_(std::move(writer)), room_(std::move(room)) {}

    Result<void> Write(const std::function<Result<void>(soci::session&)>& transaction) override {
        Pending mine{&transaction, std::nullopt};
        {
            std::lock_guard lock(queue_mutex_);
            queue_.push_back(&mine);
        }
        std::lock_guard writing(writer_mutex_);
        // Whoever held the mutex before may have committed this one along with its own.
        while (!mine.result.has_value()) CommitBatch();
        return std::move(*mine.result);
    }

    Result<void> Read(const std::function<Result<void>(soci::session&)>& query) override {
        std::unique_ptr<soci::session> session = TRY(TakeReader());
        Result<void> result = Execute(*session, "BEGIN");
        if (result) {
            result = Guard([&] { return query(*session); });
            // Ending a read transaction cannot lose anything.
            if (sqlite3_get_autocommit(RawConnection(*session)) == 0) {
                Result<void> ended = Execute(*session, "COMMIT");
                if (!ended && result) result = std::move(ended);
            }
        }
        GiveReaderBack(std::move(session));
        return result;
    }

  private:
    struct Pending {
        const std::function<Result<void>(soci::session&)>* transaction;
        std::optional<Result<void>> result;  ///< written under writer_mutex_
    };

    /// Under writer_mutex_: takes what waits, runs each in a savepoint, commits once.
    void CommitBatch() {
        std::vector<Pending*> batch;
        {
            std::lock_guard lock(queue_mutex_);
            while (!queue_.empty() && batch.size() < kGroupCommitMax) {
                batch.push_back(queue_.front());
                queue_.pop_front();
            }
        }
        if (Result<void> begun = Execute(*writer_, "BEGIN IMMEDIATE"); !begun) {
            FailAll(batch, begun.error());
            return;
        }
        for (Pending* pending : batch) {
            pending->result = RunInSavepoint(*pending->transaction);
            // SQLite ends the whole transaction by itself on a full disk or an I/O error: nobody's work is kept.
            if (sqlite3_get_autocommit(RawConnection(*writer_)) != 0) {
                FailAll(batch, pending->result->has_value() ? Error(ErrorCode::kIo, "database: transaction was lost")
                                                            : CopyOf(pending->result->error()));
                return;
            }
        }
        if (Result<void> committed = Execute(*writer_, "COMMIT"); !committed) {
            if (sqlite3_get_autocommit(RawConnection(*writer_)) == 0) (void)Execute(*writer_, "ROLLBACK");
            FailAll(batch, committed.error());
        }
        WarnOfRoom(room_.NoteCommit(*writer_));
    }

    Result<void> RunInSavepoint(const std::function<Result<void>(soci::session&)>& transaction) {
        TRY(Execute(*writer_, "SAVEPOINT one"));
        Result<void> result = Guard([&] { return transaction(*writer_); });
        if (sqlite3_get_autocommit(RawConnection(*writer_)) != 0) return result;
        Result<void> ended = Execute(*writer_, result ? "RELEASE one" : "ROLLBACK TO one; RELEASE one");
        if (result && !ended) return ended;
        return result;
    }

    static Error CopyOf(const Error& error) { return Error(error.code(), error.ToString()); }

    /// Those that failed by themselves keep their own error.
    static void FailAll(const std::vector<Pending*>& batch, const Error& error) {
        for (Pending* pending : batch) {
            if (!pending->result.has_value() || pending->result->has_value()) {
                pending->result = Result<void>(CopyOf(error));
            }
        }
    }

    Result<std::unique_ptr<soci::session>> TakeReader() {
        std::unique_lock lock(readers_mutex_);
        while (idle_readers_.empty() && num_readers_ >= kReadersMax) reader_is_idle_.wait(lock);
        if (!idle_readers_.empty()) {
            auto session = std::move(idle_readers_.back());
            idle_readers_.pop_back();
            return session;
        }
        ++num_readers_;
        lock.unlock();
        auto session = Connect(path_);
        if (!session) {
            lock.lock();
            --num_readers_;
            reader_is_idle_.notify_one();
        }
        return session;
    }

    void GiveReaderBack(std::unique_ptr<soci::session> session) {
        std::lock_guard lock(readers_mutex_);
        idle_readers_.push_back(std::move(session));
        reader_is_idle_.notify_one();
    }

    const std::string path_;

    std::mutex queue_mutex_;
    std::deque<Pending*> queue_;
    std::mutex writer_mutex_;
    std::unique_ptr<soci::session> writer_;
    DatabaseRoom room_;

    std::mutex readers_mutex_;
    std::condition_variable reader_is_idle_;
    std::vector<std::unique_ptr<soci::session>> idle_readers_;
    std::size_t num_readers_ = 0;
};

}  // namespace

Error ErrorFromCurrentException() {
    try {
        throw;
    } catch (const soci::sqlite3_soci_error& error) {
        return Error(CodeOfSqlite(error.result()), std::string("database: ") + error.what());
    } catch (const std::exception& error) {
        return Error(ErrorCode::kIo, std::string("database: ") + error.what());
    }
}

Result<std::unique_ptr<Database>> Database::Open(const std::string& path, std::size_t room_bytes) {
    if (path.find('"') != std::string::npos) {
        return Error(ErrorCode::kInvalidArgument, "the path of the data directory must not contain a double quote");
    }
    std::unique_ptr<soci::session> writer = TRY_MSG(Connect(path), "open database " + path);
    TRY_MSG(Migrate(*writer), "open database " + path);
    TRY(SyncFolderOf(path));
    DatabaseRoom room(path, room_bytes);
    WarnOfRoom(room.Take(*writer));
    return std::unique_ptr<Database>(std::make_unique<SqliteDatabase>(path, std::move(writer), std::move(room)));
}

}  // namespace espalier::meta
