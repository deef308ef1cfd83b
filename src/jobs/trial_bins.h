// The folder in which the trials of a tuning job share their binned data: the first trial parses and bins, the others
// map what it left (learn/binned_cache.h; the trainer is told by input/config/espalier.json).
//
// The folder lies beside the work folders, is made with the first trial and removed when the tuning job ends; a start
// of the server sweeps it with the work folders of jobs that are no more. Whether data are the same is judged by the
// blobs that are linked: a blob never changes, and while a link to it exists no other file has its inode. Thread-safe.
#pragma once

#include <string>

#include "base/result.h"
#include "jobs/job_spec.h"
#include "jobs/work_folder.h"
#include "meta/scope.h"

namespace espalier::jobs {

/// "<jobs folder>/bins-<digest of the tuning job's name>".
std::string SharedBinsFolder(const std::string& jobs_folder, const meta::Scope& scope, const std::string& tuning_job);

/// Tells the only instance of a downloaded job to share its bins in `bins_folder`, which is made. Jobs of several
/// instances, and channels in Pipe mode, share nothing.
Result<void> ShareBins(const JobSpec& spec, const WorkFolder& folder, const std::string& bins_folder);

}  // namespace espalier::jobs
