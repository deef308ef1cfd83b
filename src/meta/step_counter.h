// For tests alone: what queries cost, as steps of SQLite's machine.
#pragma once

#include <soci/soci.h>
#include <sqlite3.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "meta/database.h"

namespace espalier::meta {

/// Of all connections that OpenCountingSteps opened.
inline std::atomic<std::int64_t> steps = 0;

inline int CountOnNewConnection(sqlite3* connection, const char**, const sqlite3_api_routines*) {
    const auto count = [](void*) {
        ++steps;
        return 0;
    };
    sqlite3_progress_handler(connection, 1, count, nullptr);
    return SQLITE_OK;
}

/// The database of a test that uses one thread, so that its two connections are opened here.
inline Result<std::unique_ptr<Database>> OpenCountingSteps(const std::string& path) {
    const auto entry = reinterpret_cast<void (*)()>(CountOnNewConnection);
    sqlite3_auto_extension(entry);
    Result<std::unique_ptr<Database>> opened = Database::Open(path);
    Result<void> read;
    if (opened) read = (*opened)->Read([](soci::session&) -> Result<void> { return {}; });
    sqlite3_cancel_auto_extension(entry);
    if (!read) return std::move(read).error();
    return opened;
}

}  // namespace espalier::meta
