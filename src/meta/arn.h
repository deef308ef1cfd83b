// Amazon resource names, made and taken apart in one place.
//
// arn:<partition>:sagemaker:<region>:<account>:<kind>/<name>. AWS lower-cases the name in the ARN and keeps its case in
// the name field, so resources are found by name and ARNs are compared without case (contracts/api.md 3.4).
// Thread-safe: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "meta/scope.h"

namespace espalier::meta {

/// "aws", "aws-cn" for cn-*, "aws-us-gov" for us-gov-*, "aws-iso" and "aws-iso-b" for us-iso-* and us-isob-*.
std::string_view PartitionOf(std::string_view region);

/// ASCII letters in lower case: how names are compared where case does not count.
std::string FoldCase(std::string_view text);

/// The ARN of a SageMaker resource. `kind` is training-job, model, endpoint-config, endpoint, notebook-instance, …
/// The name is lower-cased.
std::string SageMakerArn(const Scope& scope, std::string_view kind, std::string_view name);

struct SageMakerArnParts {
    Scope scope;
    std::string kind;
    std::string name;  ///< as written in the ARN, so usually lower-cased
};

/// kInvalidArgument when the text is no ARN of the sagemaker service.
Result<SageMakerArnParts> ParseSageMakerArn(std::string_view arn);

}  // namespace espalier::meta
