#include "base/algorithm_image.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace espalier {
namespace {

struct Tag {
    std::string_view text;
    AlgorithmVersion version;
};

// Oldest first: "the newest revision of 1.2" is the last match.
constexpr std::array<Tag, 10> kTags = {{
    {"0.90-1", AlgorithmVersion::k0_90_1},
    {"0.90-2", AlgorithmVersion::k0_90_2},
    {"1.0-1", AlgorithmVersion::k1_0_1},
    {"1.2-1", AlgorithmVersion::k1_2_1},
    {"1.2-2", AlgorithmVersion::k1_2_2},
    {"1.3-1", AlgorithmVersion::k1_3_1},
    {"1.5-1", AlgorithmVersion::k1_5_1},
    {"1.7-1", AlgorithmVersion::k1_7_1},
    {"3.0-5", AlgorithmVersion::k3_0_5},
    {"3.2-0", AlgorithmVersion::k3_2_0},
}};
constexpr std::size_t kDigestHexDigits = 64;

bool IsDigit(char c) {
    return c >= '0' && c <= '9';
}

/// "811284229777.dkr.ecr.us-east-1.amazonaws.com", or its FIPS spelling "….dkr.ecr-fips.…".
bool IsRegistryHost(std::string_view host) {
    constexpr std::string_view kInfix = ".dkr.ecr";
    constexpr std::size_t kAccountDigits = 12;
    if (host.size() <= kAccountDigits + kInfix.size()) return false;
    std::string_view account = host.substr(0, kAccountDigits);
    return std::all_of(account.begin(), account.end(), IsDigit) && host.substr(kAccountDigits).starts_with(kInfix);
}

/// Takes "@sha256:…" off; false when what follows '@' is no digest.
bool DropDigest(std::string_view& name) {
    std::size_t at = name.find('@');
    if (at == std::string_view::npos) return true;
    std::string_view digest = name.substr(at + 1);
    name = name.substr(0, at);
    if (!digest.starts_with("sha256:") || digest.size() != 7 + kDigestHexDigits) return false;
    digest.remove_prefix(7);
    return std::all_of(digest.begin(), digest.end(), [](char c) { return IsDigit(c) || (c >= 'a' && c <= 'f'); });
}

bool DropSuffix(std::string_view& text, std::string_view suffix) {
    if (!text.ends_with(suffix)) return false;
    text.remove_suffix(suffix.size());
    return true;
}

}  // namespace

std::string_view ToString(AlgorithmVersion version) {
    for (const Tag& tag : kTags)
        if (tag.version == version) return tag.text;
    return "1";
}

Result<AlgorithmVersion> RecogniseAlgorithmImage(std::string_view image_uri) {
    auto refuse = [&] {
        return Error(
            ErrorCode::kInvalidArgument,
            fmt::format("The image {} is not one that this server runs. Supported are the built-in XGBoost "
                        "images: xgboost:1, xgboost:latest and sagemaker-xgboost with the tags 0.90-1, 0.90-2, "
                        "1.0-1, 1.2-1, 1.2-2, 1.3-1, 1.5-1, 1.7-1, 3.0-5, 3.2-0, with or without -cpu-py3.",
                        image_uri));
    };
    std::string_view name = image_uri;
    if (std::size_t slash = name.rfind('/'); slash != std::string_view::npos) {
        if (!IsRegistryHost(name.substr(0, slash))) return refuse();
        name.remove_prefix(slash + 1);
    }
    if (!DropDigest(name)) return refuse();
    std::size_t colon = name.find(':');
    std::string_view repository = name.substr(0, colon);
    std::string_view tag = colon == std::string_view::npos ? "" : name.substr(colon + 1);
    if (repository == "xgboost")
        return tag == "1" || tag == "latest" || colon == std::string_view::npos
                   ? Result<AlgorithmVersion>(AlgorithmVersion::kLegacy)
                   : refuse();
    if (repository != "sagemaker-xgboost") return refuse();
    DropSuffix(tag, "-py3");
    if (!DropSuffix(tag, "-cpu")) DropSuffix(tag, "-gpu");
    for (auto known = kTags.rbegin(); known != kTags.rend(); ++known)
        if (known->text == tag || known->text.substr(0, known->text.find('-')) == tag) return known->version;
    return refuse();
}

}  // namespace espalier
