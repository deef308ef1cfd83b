#include "meta/job_counts.h"

#include <soci/soci.h>

#include <string>

namespace espalier::meta {

Result<std::vector<JobCount>> CountJobs(Database& database) {
    std::vector<JobCount> counts;
    TRY(database.Read([&](soci::session& sql) -> Result<void> {
        const soci::rowset<soci::row> rows =
            (sql.prepare
             << "SELECT 'training', status, CAST(COUNT(*) AS TEXT) FROM training_jobs GROUP BY status "
                "UNION ALL SELECT 'transform', status, CAST(COUNT(*) AS TEXT) FROM transform_jobs GROUP BY status "
                "UNION ALL SELECT 'tuning', status, CAST(COUNT(*) AS TEXT) FROM tuning_jobs GROUP BY status");
        for (const soci::row& row : rows)
            counts.push_back({.kind = row.get<std::string>(0),
                              .status = row.get<std::string>(1),
                              .count = std::stoll(row.get<std::string>(2))});  // expressions come as text
        return {};
    }));
    return counts;
}

}  // namespace espalier::meta
