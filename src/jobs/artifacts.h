// The way of a finished model into the store.
//
// PackModel makes the archive in the work folder, complete and synced, before the job's row says Uploading, so that a
// server that restarts in Uploading finds it and goes on. UploadArtifacts puts it at the place DescribeTrainingJob
// names. Errors are sentences for FailureReason ("ClientError: …"). Pure functions on files and the store.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "jobs/job_spec.h"
#include "jobs/work_folder.h"
#include "store/object_store.h"

namespace espalier::jobs {

/// Whether the trainer has left a model, or those of a cross-validation.
bool HasModel(const WorkFolder& folder);

/// Packs the model folder of the first instance into the work folder's model.tar.gz. Nothing when the job wants its
/// output uncompressed.
Result<void> PackModel(const JobSpec& spec, const WorkFolder& folder, UnixMillis now);

/// True when PackModel has been here for a job that wants an archive.
bool IsPacked(const JobSpec& spec, const WorkFolder& folder);

/// Puts the file at the place. `what` it is ("model") stands in errors that the user can
/// mend.
Result<void> UploadFile(store::ObjectStore& store, const store::S3Location& target, const std::string& path,
                        std::string_view what);

/// The model, and what the trainer has left in output/data as output.tar.gz.
Result<void> UploadArtifacts(store::ObjectStore& store, const JobSpec& spec, const WorkFolder& folder, UnixMillis now);

}  // namespace espalier::jobs
