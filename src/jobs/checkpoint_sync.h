// The checkpoint folder of a job's first instance and the S3 prefix of its CheckpointConfig, kept alike while it runs.
//
// Files under the prefix are put into the folder before training starts, so that a job goes on from another's
// checkpoint; files that appear or change in the folder are stored under the prefix, and stay there when the trainer
// removes its old ones, as on SageMaker. Names that end with .sagemaker-ignore, .sagemaker-uploading or
// .sagemaker-uploaded are the trainer's own business. Without a CheckpointConfig nothing is done.
// Confined to the job's thread.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>

#include "base/result.h"
#include "jobs/job_spec.h"
#include "jobs/work_folder.h"
#include "store/object_store.h"

namespace espalier::jobs {

class CheckpointSync {
  public:
    /// All borrowed.
    CheckpointSync(store::ObjectStore& store, const JobSpec& spec, const WorkFolder& folder)
        : store_(store), spec_(spec), folder_(folder) {}

    /// Files that lie in the folder already stay as they are: they are newer. kCancelled once `cancelled` says so.
    Result<void> Download(const std::function<bool()>& cancelled);

    /// Stores what is new. The error of the first file that could not be stored; the others are.
    Result<void> Upload();

  private:
    using State = std::pair<std::int64_t, std::uint64_t>;  ///< time of the last change, size

    store::ObjectStore& store_;
    const JobSpec& spec_;
    const WorkFolder& folder_;
    std::map<std::string, State> stored_;  ///< by file name
};

}  // namespace espalier::jobs
