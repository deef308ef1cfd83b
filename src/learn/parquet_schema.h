// The columns of Parquet channels, agreed on by all channels and instances before the first row is read: a category's
// code is its place among all categories there are anywhere, so that every instance and the validation data mean the
// same by it. Thread-compatible.
#pragma once

#include <span>

#include "base/result.h"
#include "collective/comm.h"
#include "learn/channel_loader.h"

namespace espalier::learn {

/// Sets parquet_columns of every channel whose format is Parquet (all channels have one format). Every rank calls it.
/// kInvalidArgument names the file, channel or instance whose columns differ; data/parquet.h's errors.
Result<void> AgreeOnParquetColumns(std::span<ChannelFiles> channels, collective::Comm& comm);

}  // namespace espalier::learn
