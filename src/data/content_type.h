// The names under which SageMaker's XGBoost knows its input formats, and the texts with which it refuses others.
//
// Source: contracts/xgboost.md 1.4, 2.1, 6.3 (aws/sagemaker-xgboost-container, content_types.py and data_utils.py).
// "type; name=value; …" is taken apart, names compare without case. Thread-safe: pure functions.
#pragma once

#include <string_view>

#include "base/result.h"

namespace espalier::data {

enum class InputFormat { kLibsvm, kCsv, kParquet, kRecordIo };

/// "libsvm", "csv", "parquet", "recordio-protobuf".
std::string_view ToString(InputFormat format);

/// Which list of names and which texts count: the 0.72 image (tags `1` and `latest`) or the later ones.
enum class ContentTypeRules { kLegacy, kModern };

/// Format of a training channel. An empty content type is libsvm, as in the images.
/// kInvalidArgument with the image's own text when the name is not on its list.
Result<InputFormat> ParseChannelContentType(std::string_view content_type, ContentTypeRules rules);

/// Format of a request body; empty is libsvm. kInvalidArgument (the container answers 415) with the image's text, also
/// for parquet, which is for training only.
Result<InputFormat> ParseRequestContentType(std::string_view content_type);

}  // namespace espalier::data
