// The files a training container finds under input/config: hyperparameters.json, inputdataconfig.json,
// resourceconfig.json, checkpointconfig.json. Source: contracts/xgboost.md 2.1, 3.6. Pure functions over a folder.
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
};

struct InstanceConfig {
    HyperparameterList hyperparameters;
    std::vector<ChannelConfig> channels;
    std::string current_host = "algo-1";
    std::vector<std::string> hosts = {"algo-1"};
    std::string checkpoint_folder;  ///< LocalPath of checkpointconfig.json, seen from here; empty: no checkpoints
};

/// hyperparameters.json must exist. Without inputdataconfig.json the folders of <root>/input/data are the channels;
/// without resourceconfig.json the instance is alone. A LocalPath under /opt/ml means the same place under `root`.
/// kInvalidArgument names the file and what is wrong with it.
Result<InstanceConfig> ReadInstanceConfig(const std::string& root);

}  // namespace espalier::learn
