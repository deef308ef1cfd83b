#include "store/object_info.h"

namespace espalier::store {
namespace {

struct AlgorithmName {
    ChecksumAlgorithm algorithm;
    std::string_view name;
};
constexpr AlgorithmName kAlgorithms[] = {
    {ChecksumAlgorithm::kNone, ""},         {ChecksumAlgorithm::kCrc32, "CRC32"},
    {ChecksumAlgorithm::kCrc32c, "CRC32C"}, {ChecksumAlgorithm::kCrc64nvme, "CRC64NVME"},
    {ChecksumAlgorithm::kSha1, "SHA1"},     {ChecksumAlgorithm::kSha256, "SHA256"},
};

}  // namespace

std::string_view NameOf(ChecksumAlgorithm algorithm) {
    for (const AlgorithmName& row : kAlgorithms) {
        if (row.algorithm == algorithm) return row.name;
    }
    return "";
}

std::optional<ChecksumAlgorithm> ParseChecksumAlgorithm(std::string_view name) {
    for (const AlgorithmName& row : kAlgorithms) {
        if (row.name == name) return row.algorithm;
    }
    return std::nullopt;
}

std::string_view NameOf(ChecksumType type) {
    return type == ChecksumType::kComposite ? "COMPOSITE" : "FULL_OBJECT";
}

std::optional<ChecksumType> ParseChecksumType(std::string_view name) {
    if (name == "COMPOSITE") return ChecksumType::kComposite;
    if (name == "FULL_OBJECT") return ChecksumType::kFullObject;
    return std::nullopt;
}

}  // namespace espalier::store
