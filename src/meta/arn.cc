#include "meta/arn.h"

#include <fmt/format.h>

#include <array>

namespace espalier::meta {

std::string_view PartitionOf(std::string_view region) {
    if (region.starts_with("cn-")) return "aws-cn";
    if (region.starts_with("us-gov-")) return "aws-us-gov";
    if (region.starts_with("us-isob-")) return "aws-iso-b";
    if (region.starts_with("us-isof-")) return "aws-iso-f";
    if (region.starts_with("us-iso-")) return "aws-iso";
    return "aws";
}

std::string FoldCase(std::string_view text) {
    std::string lower(text);
    for (char& c : lower) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return lower;
}

std::string SageMakerArn(const Scope& scope, std::string_view kind, std::string_view name) {
    return fmt::format("arn:{}:sagemaker:{}:{}:{}/{}", PartitionOf(scope.region), scope.region, scope.account, kind,
                       FoldCase(name));
}

Result<SageMakerArnParts> ParseSageMakerArn(std::string_view arn) {
    const auto refuse = [&] { return Error(ErrorCode::kInvalidArgument, fmt::format("no SageMaker ARN: {}", arn)); };
    std::array<std::string_view, 5> fields;  // arn, partition, service, region, account
    std::string_view rest = arn;
    for (std::string_view& field : fields) {
        const std::size_t colon = rest.find(':');
        if (colon == std::string_view::npos) return refuse();
        field = rest.substr(0, colon);
        rest.remove_prefix(colon + 1);
    }
    const std::size_t slash = rest.find('/');
    if (fields[0] != "arn" || fields[2] != "sagemaker" || slash == std::string_view::npos) return refuse();
    return SageMakerArnParts{.scope = {.account = std::string(fields[4]), .region = std::string(fields[3])},
                             .kind = std::string(rest.substr(0, slash)),
                             .name = std::string(rest.substr(slash + 1))};
}

}  // namespace espalier::meta
