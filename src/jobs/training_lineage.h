// What a finished training job adds to the lineage: its data sets and image, the job, its model; AWS's names for them.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "jobs/capsule.h"
#include "jobs/job_spec.h"
#include "meta/lineage.h"
#include "meta/training_jobs.h"

namespace espalier::jobs {

/// `archive_sha256` is "" for a model that is not packed; its files' digests then stand for it.
Result<void> NoteTrainingLineage(meta::Lineage& lineage, const meta::TrainingJob& job, const JobSpec& spec,
                                 const Capsule& capsule, const std::string& archive_sha256, UnixMillis now);

}  // namespace espalier::jobs
