#include "api/s3/s3_target.h"

#include <algorithm>
#include <cctype>

#include "base/encoding.h"

namespace espalier::api::s3 {
namespace {

std::string HostOf(const http::RequestHead& head) {
    std::string host(head.headers.Get("host"));
    // "[::1]:8642" has no bucket in front; everything else may have a port behind the last colon.
    if (!host.starts_with('[')) host = host.substr(0, host.find(':'));
    std::transform(host.begin(), host.end(), host.begin(), [](unsigned char c) { return std::tolower(c); });
    return host;
}

std::string BucketOfHost(const std::string& host, const std::vector<std::string>& host_names) {
    for (const std::string& name : host_names) {
        if (host.size() > name.size() + 1 && host.ends_with(name) && host[host.size() - name.size() - 1] == '.') {
            return host.substr(0, host.size() - name.size() - 1);
        }
    }
    return "";
}

bool ParseQuery(std::string_view raw, std::vector<std::pair<std::string, std::string>>& query) {
    while (!raw.empty()) {
        const std::string_view item = raw.substr(0, raw.find('&'));
        raw.remove_prefix(std::min(raw.size(), item.size() + 1));
        if (item.empty()) continue;
        const std::size_t equals = item.find('=');
        auto name = FormDecode(item.substr(0, equals));
        auto value = FormDecode(equals == std::string_view::npos ? "" : item.substr(equals + 1));
        if (!name || !value) return false;
        query.emplace_back(*std::move(name), *std::move(value));
    }
    return true;
}

}  // namespace

std::optional<std::string_view> S3Target::Parameter(std::string_view name) const {
    for (const auto& [parameter, value] : query) {
        if (parameter == name) return value;
    }
    return std::nullopt;
}

std::optional<S3Target> ParseTarget(const http::RequestHead& head, const std::vector<std::string>& host_names) {
    S3Target target;
    std::string_view path = head.raw_path();
    if (!path.starts_with('/')) return std::nullopt;
    path.remove_prefix(1);
    target.bucket = BucketOfHost(HostOf(head), host_names);
    if (target.bucket.empty()) {
        const std::string_view first = path.substr(0, path.find('/'));
        path.remove_prefix(std::min(path.size(), first.size() + 1));
        auto bucket = PercentDecode(first);
        if (!bucket) return std::nullopt;
        target.bucket = *std::move(bucket);
    }
    auto key = PercentDecode(path);
    if (!key || !ParseQuery(head.raw_query(), target.query)) return std::nullopt;
    target.key = *std::move(key);
    return target;
}

}  // namespace espalier::api::s3
