// SharedBins: an instance's side of the binned cache: when bins can be shared, what decides over them, and the way
// between a cached job and the trainer's data sets.
//
// Bins are shared by instances that train alone, from the first round on, on channels whose identities their owner
// gives. A cache that cannot be used costs a warning, never the job. Confined to one thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/load_options.h"
#include "learn/binned_cache.h"
#include "learn/channel_loader.h"
#include "learn/instance_config.h"
#include "learn/prepared_data.h"
#include "learn/train_params.h"
#include "learn/training_log.h"

namespace espalier::learn {

class SharedBins {
  public:
    /// `mark`, which may be null, shows when another process is waited for.
    SharedBins(TrainingLog& log, ProgressMark* mark) : log_(log), mark_(mark) {}

    /// Looks for the bins of the channels; waits while another process makes them. True when they are there: then
    /// `sets` have all but the rows' values, and `reports` what their load had noticed. False: the caller loads.
    bool Find(const InstanceConfig& config, std::span<const ChannelFiles> channels, const TrainParams& params,
              std::vector<DataSet>& sets, std::vector<data::LoadReport>& reports);
    /// For the trainer; null unless they were found.
    const BinnedJob* bins() const { return found_.has_value() ? &*found_ : nullptr; }

    /// Before training: remembers what will not be known any more when bins are made.
    void NoteLoaded(std::span<const DataSet> sets, std::span<const data::LoadReport> reports);
    /// Keeps the bins for others, if they were looked for and not found.
    void Keep(const PreparedData& prepared);

  private:
    TrainingLog& log_;
    ProgressMark* mark_;
    std::optional<BinnedCache> cache_;
    std::optional<BinnedJob> found_;
    std::vector<BinnedSet> noted_;
};

}  // namespace espalier::learn
