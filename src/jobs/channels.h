// What each instance of a job gets to read: a channel's S3 prefix as lists of objects per instance, then as files.
//
// Steps: PlanChannel lists the keys under the prefix (a string prefix, not a folder), leaves out folder markers (keys
// of zero bytes that end in "/"), deals them out, and gives each a file name below the channel's folder.
// DownloadChannel hard-links them there; the store verifies the bytes on the way. ShardedByS3Key deals the keys, in
// byte order, to the instances in turn: 5 keys on 2 instances give 3 and 2, fewer keys than instances leave some
// without. FullyReplicated gives every instance everything. File name: the key without the prefix's folder. Steps that
// a file system cannot hold (empty, ".", "..", longer than 255 bytes) are rewritten; two keys that want the same name
// are an error that names both. Thread-compatible. Source: contracts/api.md 2.3.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "jobs/job_spec.h"
#include "jobs/work_folder.h"
#include "store/object_store.h"

namespace espalier::jobs {

struct ChannelFile {
    std::string key;
    std::string path;  ///< relative to the channel's folder
};

/// For each instance, in order, its files sorted by key.
using ChannelPlan = std::vector<std::vector<ChannelFile>>;

/// kNotFound when there is no object under the prefix (or no such bucket).
Result<ChannelPlan> PlanChannel(const store::ObjectStore& store, const ChannelSpec& channel, int num_instances);

/// Calls `visit` with each data object under the prefix, in key order, until it returns false.
Result<void> ForEachObject(const store::ObjectStore& store, const store::S3Location& location,
                           const std::function<bool(const store::ObjectInfo&)>& visit);

/// Whether any object lies under the prefix.
Result<bool> HasObjects(const store::ObjectStore& store, const store::S3Location& location);

/// kInvalidArgument with SageMaker's sentence when no object does. `role` is who would read them: "the role \"ARN\"".
Result<void> RequireObjects(const store::ObjectStore& store, const store::S3Location& location,
                            const std::string& region, const std::string& role);

/// Links the files of the plan into the channel's folders. kCancelled once `cancelled` says so; it is asked before each
/// file. kInvalidArgument when a channel with CompressionType Gzip holds a file that is no gzip.
Result<void> DownloadChannel(const store::ObjectStore& store, const ChannelSpec& channel, const ChannelPlan& plan,
                             const WorkFolder& folder, const std::function<bool()>& cancelled);

/// "examples0" for key "p/train/examples0" under prefix "p/train". Public for tests.
std::string ChannelFilePath(std::string_view key, std::string_view prefix);

}  // namespace espalier::jobs
