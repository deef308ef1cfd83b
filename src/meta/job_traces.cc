#include "meta/job_traces.h"

#include <soci/soci.h>

namespace espalier::meta {

Result<void> JobTraces::Put(std::int64_t job_id, const std::string& trace_parent) {
    return database_.Write([&](soci::session& sql) -> Result<void> {
        sql << "INSERT OR REPLACE INTO traced_jobs (kind, job_id, trace_parent) VALUES (:kind, :id, :parent)",
            soci::use(kind_, "kind"), soci::use(job_id, "id"), soci::use(trace_parent, "parent");
        return {};
    });
}

Result<std::string> JobTraces::Find(std::int64_t job_id) {
    std::string trace_parent;
    TRY(database_.Read([&](soci::session& sql) -> Result<void> {
        const soci::rowset<soci::row> rows =
            (sql.prepare << "SELECT trace_parent FROM traced_jobs WHERE kind = :kind AND job_id = :id",
             soci::use(kind_, "kind"), soci::use(job_id, "id"));
        for (const soci::row& row : rows) trace_parent = row.get<std::string>(0);
        return {};
    }));
    return trace_parent;
}

Result<void> JobTraces::Delete(std::int64_t job_id) {
    return database_.Write([&](soci::session& sql) -> Result<void> {
        sql << "DELETE FROM traced_jobs WHERE kind = :kind AND job_id = :id", soci::use(kind_, "kind"),
            soci::use(job_id, "id");
        return {};
    });
}

}  // namespace espalier::meta
