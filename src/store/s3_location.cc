#include "store/s3_location.h"

#include <fmt/format.h>

#include <optional>

#include "base/encoding.h"

namespace espalier::store {
namespace {

/// The host without ".amazonaws.com" or ".amazonaws.com.cn", or nullopt for another host.
std::optional<std::string_view> AmazonHostStem(std::string_view host) {
    for (std::string_view suffix : {".amazonaws.com", ".amazonaws.com.cn"})
        if (host.ends_with(suffix)) return host.substr(0, host.size() - suffix.size());
    return std::nullopt;
}

/// The bucket in front of "s3", "s3-region" or "s3.region" in a host stem; "" when the path names it.
/// A bucket may contain dots and even "s3", so the service part is the last label that starts a known form.
std::optional<std::string_view> BucketOfStem(std::string_view stem) {
    auto is_service = [](std::string_view text) {
        return text == "s3" || (text.starts_with("s3-") && text.find('.') == std::string_view::npos) ||
               (text.starts_with("s3.") && text.find('.', 3) == std::string_view::npos && text.size() > 3);
    };
    if (is_service(stem)) return "";
    // Longest service part first would take "b.s3.x" of bucket "b.s3" wrongly; hosts end in the shortest one that fits.
    for (std::size_t dot = stem.rfind('.'); dot != std::string_view::npos && dot > 0; dot = stem.rfind('.', dot - 1))
        if (is_service(stem.substr(dot + 1))) return stem.substr(0, dot);
    return std::nullopt;
}

}  // namespace

std::string S3Location::ToUri() const {
    return fmt::format("s3://{}/{}", bucket, key);
}

S3Location S3Location::Join(std::string_view name) const {
    std::string_view stem = key;
    while (stem.ends_with('/')) stem.remove_suffix(1);
    return {bucket, stem.empty() ? std::string(name) : fmt::format("{}/{}", stem, name)};
}

Result<S3Location> ParseS3Location(std::string_view uri) {
    auto refuse = [&] { return Error(ErrorCode::kInvalidArgument, fmt::format("{} is not an S3 location", uri)); };
    bool is_https = uri.starts_with("https://") || uri.starts_with("http://");
    if (!is_https && !uri.starts_with("s3://")) return refuse();
    std::string_view rest = uri.substr(uri.find("//") + 2);
    std::string_view host = rest.substr(0, rest.find('/'));
    std::string_view path = host.size() == rest.size() ? "" : rest.substr(host.size() + 1);
    if (host.empty()) return refuse();
    if (!is_https) return S3Location{std::string(host), std::string(path)};

    std::string_view bucket;
    if (std::optional<std::string_view> stem = AmazonHostStem(host)) {
        std::optional<std::string_view> in_host = BucketOfStem(*stem);
        if (!in_host) return refuse();
        bucket = *in_host;
    }
    if (bucket.empty()) {
        bucket = path.substr(0, path.find('/'));
        path = bucket.size() == path.size() ? "" : path.substr(bucket.size() + 1);
    }
    std::optional<std::string> key = PercentDecode(path);
    if (bucket.empty() || !key) return refuse();
    return S3Location{std::string(bucket), std::move(*key)};
}

}  // namespace espalier::store
