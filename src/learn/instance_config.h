// The files a training container finds under input/config: hyperparameters.json, inputdataconfig.json,
// resourceconfig.json, checkpointconfig.json, and one of ours, espalier.json, which no image knows and nobody has to
// write:
//   {"binned_cache_folder": "/var/cache/bins", "data_identity": {"train": "…", "validation": "…"},
//    "memory_limit_mb": 2000}
// Source: contracts/xgboost.md 2.1, 3.6. Pure functions over a folder.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "learn/hyperparameters.h"

namespace espalier::learn {

struct ChannelConfig {
    std::string name;
    std::string content_type;  ///< empty: libsvm
    std::string input_mode;    ///< empty, "File", "FastFile" or "Pipe"
    std::string distribution;  ///< "FullyReplicated" or "ShardedByS3Key"; empty: not told
    /// Names the bytes of the channel's files: equal identities mean equal files in the same order. Whoever gives it
    /// vouches for it (a hash of the objects' keys and digests, for example). Empty: not told, so nothing is shared.
    std::string data_identity;
};

struct InstanceConfig {
    HyperparameterList hyperparameters;
    std::vector<ChannelConfig> channels;
    std::string current_host = "algo-1";
    std::vector<std::string> hosts = {"algo-1"};
    std::string checkpoint_folder;  ///< LocalPath of checkpointconfig.json, seen from here; empty: no checkpoints
    /// Folder where binned data are kept for other instances that train on the same channels; whoever names it makes
    /// and empties it. Needs the data_identity of every channel. Empty: nothing is kept.
    std::string binned_cache_folder;
    std::size_t memory_limit_mb = 0;  ///< rows and bins beyond it live in files of the work folder; 0: no limit
};

/// hyperparameters.json must exist. Without inputdataconfig.json the folders of <root>/input/data are the channels;
/// without resourceconfig.json the instance is alone; without espalier.json its settings are off. A LocalPath under
/// /opt/ml means the same place under `root`. kInvalidArgument names the file and what is wrong with it.
Result<InstanceConfig> ReadInstanceConfig(const std::string& root);

}  // namespace espalier::learn
