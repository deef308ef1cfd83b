// A channel in Pipe mode: its data come once, through a named pipe, and training wants to look twice (at the line of a
// bad number, at Parquet's footer). So the pipe is read to its end into a file of the work folder first.
//
// Of SageMaker's epochs (<channel>_0, _1, …) the first is all that the built-in algorithm reads. Thread-compatible.
// Source: contracts/xgboost.md 2.1; AWS developer guide, "Pipe mode".
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/version_profile.h"
#include "data/content_type.h"
#include "data/data_files.h"

namespace espalier::learn {

/// kInvalidArgument with the image's text where it takes no such channel in Pipe mode.
Result<void> CheckPipeRule(data::InputFormat format, PipeRule rule);

/// Copies <root>/input/data/<channel>_0 to <root>/input/spool/<channel>; no file when it gives no byte. kNotFound when
/// the pipe is not there; kIo, kResourceLimit (a full disk).
Result<std::vector<data::DataFile>> SpoolPipe(const std::string& root, const std::string& channel);

}  // namespace espalier::learn
