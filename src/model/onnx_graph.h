// The one tree ensemble of an ONNX graph, as its attributes stand in the file.
//
// Limits: numbers are copied once, four or eight bytes for each of the file's, which are at least one byte long; modes
// are kept as one byte. Internal to model/. Thread-safe: pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace espalier::model {

enum class OnnxMode : std::uint8_t { kLeaf, kLess, kLessOrEqual, kGreater, kGreaterOrEqual };

struct OnnxEnsemble {
    bool classifier = false;
    std::map<std::string, std::vector<std::int32_t>, std::less<>> ints;
    std::map<std::string, std::vector<float>, std::less<>> floats;
    std::map<std::string, std::string, std::less<>> texts;     ///< aggregate_function, post_transform
    std::map<std::string, std::int64_t, std::less<>> numbers;  ///< n_targets
    std::vector<OnnxMode> modes;
    std::size_t num_labels = 0;    ///< of classlabels_int64s or classlabels_strings
    std::uint32_t num_inputs = 0;  ///< width of the graph's input, 0 when the file does not say
};

/// kCorruptData, kInvalidArgument as onnx_reader.h says.
Result<OnnxEnsemble> ReadOnnxGraph(std::string_view bytes);

}  // namespace espalier::model
