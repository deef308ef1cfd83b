// What a service of jobs does with those that a server before it left unfinished.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/log.h"
#include "jobs/job_queue.h"
#include "jobs/work_folder.h"
#include "meta/job_query.h"

namespace espalier::jobs {

/// Removes the work folders of all others and queues these, oldest first. A Row has id, name and status.
template <typename Row>
void TakeUpJobs(const std::vector<Row>& unfinished, const std::string& jobs_folder, JobQueue& queue) {
    std::vector<std::int64_t> ids;
    for (const Row& job : unfinished) ids.push_back(job.id);
    SweepWorkFolders(jobs_folder, ids);
    for (const Row& job : unfinished) {
        LOG_INFO("job taken up after a restart", {"job", job.name}, {"status", meta::ToString(job.status)},
                 {"folder", jobs_folder});
        queue.Add(job.id);
    }
}

}  // namespace espalier::jobs
