// Which of SageMaker's built-in XGBoost images an image URI names. The version decides hyperparameters, texts, log and
// reply formats, so the URI is recognised here, once, for training, the control plane and hosting.
//
// Recognised by repository and tag; any account, region and suffix will do, and none:
//   <account>.dkr.ecr.<region>.amazonaws.com/xgboost:1            the 0.72 image, also :latest and no tag
//   <account>.dkr.ecr.<region>.amazonaws.com/sagemaker-xgboost:1.7-1[-cpu|-gpu][-py3][@sha256:…]
// A tag that stops before the revision ("1.7") is its newest revision.
// Source: contracts/api.md 4.1, contracts/xgboost.md section 0. Thread-safe: pure functions.
#pragma once

#include <string_view>

#include "base/result.h"

namespace espalier {

/// In order of age, so that `version >= AlgorithmVersion::k1_2_2` reads as "from 1.2-2 on".
enum class AlgorithmVersion {
    kLegacy,  ///< XGBoost 0.72: xgboost:1, xgboost:latest
    k0_90_1,
    k0_90_2,
    k1_0_1,
    k1_2_1,
    k1_2_2,
    k1_3_1,
    k1_5_1,
    k1_7_1,
    k3_0_5,
    k3_2_0,
};

/// "1" for the legacy image, else the tag without suffix: "1.7-1".
std::string_view ToString(AlgorithmVersion version);

/// kInvalidArgument with a sentence that names the image and what is supported.
Result<AlgorithmVersion> RecogniseAlgorithmImage(std::string_view image_uri);

}  // namespace espalier
