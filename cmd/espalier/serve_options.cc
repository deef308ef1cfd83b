#include "espalier/serve_options.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <charconv>
#include <chrono>
#include <functional>
#include <map>

namespace espalier::cmd {
namespace {

Error At(const std::string& path, const toml::source_region& where, std::string message) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("{}:{}: {}", path, where.begin.line, std::move(message)));
}

using Setter = std::function<bool(const toml::node&)>;

Setter Text(std::string& target) {
    return [&target](const toml::node& node) {
        auto value = node.value_exact<std::string>();
        if (value) target = *value;
        return value.has_value();
    };
}

Setter Flag(bool& target) {
    return [&target](const toml::node& node) {
        auto value = node.value_exact<bool>();
        if (value) target = *value;
        return value.has_value();
    };
}

template <typename Target>
Setter Number(Target& target, std::int64_t minimum, std::int64_t maximum) {
    return [&target, minimum, maximum](const toml::node& node) {
        auto value = node.value_exact<std::int64_t>();
        if (!value || *value < minimum || *value > maximum) return false;
        target = Target(*value);
        return true;
    };
}

Setter Seconds(std::chrono::milliseconds& target) {
    return [&target](const toml::node& node) {
        auto value = node.value<double>();  // whole numbers too
        constexpr double kSecondsMax = 86400;
        if (!value || !(*value > 0) || *value > kSecondsMax) return false;
        target = std::chrono::milliseconds(static_cast<std::int64_t>(*value * 1000));
        return true;
    };
}

/// Like Seconds, but 0 is a value: it switches the hold off.
Setter HoldSeconds(std::chrono::milliseconds& target) {
    return [&target](const toml::node& node) {
        auto value = node.value<double>();
        constexpr double kHoldSecondsMax = 50;  // clients give up reading after 60
        if (!value || !(*value >= 0) || *value > kHoldSecondsMax) return false;
        target = std::chrono::milliseconds(static_cast<std::int64_t>(*value * 1000));
        return true;
    };
}

struct Setting {
    Setter set;
    std::string expects;
};

/// Every key of the file, by its dotted name.
std::map<std::string, Setting> Settings(ServeOptions& options) {
    http::ServerOptions& http = options.http;
    constexpr std::int64_t kThreadsMax = 1024;
    return {
        {"listen", {Text(options.listen), "\"HOST:PORT\""}},
        {"data", {Text(options.data_folder), "a path in quotes"}},
        {"open", {Flag(options.open), "true or false"}},
        {"account", {Text(options.account), "12 digits in quotes"}},
        {"region", {Text(options.region), "a region in quotes"}},
        {"drain_seconds", {Number(options.drain_seconds, 0, 3600), "0 to 3600"}},
        {"runtime.payload_bytes_max",
         {Number(options.invocation.body_bytes_max, 1, std::int64_t{1} << 30), "1 to 1073741824 bytes"}},
        {"runtime.stream_seconds_max", {Seconds(options.invocation.stream_time_max), "more than 0, at most 86400"}},
        {"runtime.threads", {Number(options.concurrency.num_threads, 1, kThreadsMax), "1 to 1024"}},
        {"runtime.running_per_instance", {Number(options.concurrency.running_per_instance, 1, 10'000), "1 to 10000"}},
        {"runtime.waiting_per_instance",
         {Number(options.concurrency.waiting_per_instance, 0, 1'000'000), "0 to 1000000"}},
        {"runtime.multi_model_bytes_max",
         {Number(options.multi_model_bytes_max, 1 << 20, std::int64_t{1} << 50), "at least 1048576"}},
        {"jobs.describe_hold_seconds", {HoldSeconds(options.describe_hold.repeat_hold), "0 to 50"}},
        {"jobs.waiter_describe_hold_seconds", {HoldSeconds(options.describe_hold.waiter_hold), "0 to 50"}},
        {"jobs.first_sdk_describe_hold_seconds", {HoldSeconds(options.describe_hold.first_sdk_hold), "0 to 50"}},
        {"telemetry.otlp_endpoint", {Text(options.otlp_endpoint), "\"http://HOST:PORT\""}},
        {"log.requests", {Flag(options.log_requests), "true or false"}},
        {"http.io_threads", {Number(http.num_io_threads, 1, kThreadsMax), "1 to 1024"}},
        {"http.workers", {Number(http.num_workers, 1, kThreadsMax), "1 to 1024"}},
        {"http.stream_workers", {Number(http.num_stream_workers, 1, kThreadsMax), "1 to 1024"}},
        {"http.queued_requests_max", {Number(http.queued_requests_max, 1, 1'000'000), "1 to 1000000"}},
        {"http.connections_max", {Number(http.connections_max, 1, 1'000'000), "1 to 1000000"}},
        {"http.buffered_bytes_max",
         {Number(http.buffered_bytes_max, 1 << 20, std::int64_t{1} << 50), "at least 1048576"}},
        {"http.header_timeout_seconds", {Seconds(http.header_timeout), "more than 0, at most 86400"}},
        {"http.idle_timeout_seconds", {Seconds(http.idle_timeout), "more than 0, at most 86400"}},
        {"http.body_stall_timeout_seconds", {Seconds(http.body_stall_timeout), "more than 0, at most 86400"}},
        {"http.write_stall_timeout_seconds", {Seconds(http.write_stall_timeout), "more than 0, at most 86400"}},
    };
}

Result<void> Apply(const std::string& path, const toml::table& table, const std::string& prefix,
                   const std::map<std::string, Setting>& settings) {
    for (const auto& [key, node] : table) {
        std::string name = prefix + std::string(key.str());
        const bool is_section =
            name == "http" || name == "jobs" || name == "runtime" || name == "telemetry" || name == "log";
        if (const toml::table* inner = node.as_table(); inner != nullptr && prefix.empty() && is_section) {
            TRY(Apply(path, *inner, name + ".", settings));
            continue;
        }
        auto found = settings.find(name);
        if (found == settings.end()) {
            return At(path, node.source(),
                      "there is no setting called '" + name + "'; docs/configuration.md lists all");
        }
        if (!found->second.set(node)) return At(path, node.source(), name + " must be " + found->second.expects);
    }
    return {};
}

}  // namespace

std::string ListenAddress::WithPort(std::uint16_t actual_port) const {
    bool v6 = host.find(':') != std::string::npos;
    return fmt::format("{}{}{}:{}", v6 ? "[" : "", host, v6 ? "]" : "", actual_port);
}

Result<ListenAddress> ParseListen(const std::string& text) {
    Error wrong(ErrorCode::kInvalidArgument,
                "'" + text + "' is no address to listen on; give HOST:PORT with an IP address, 127.0.0.1:8642 for one");
    std::size_t colon = text.rfind(':');
    if (colon == std::string::npos) return wrong;
    ListenAddress address;
    address.host = text.substr(0, colon);
    const char* end = text.data() + text.size();
    auto [stop, error] = std::from_chars(text.data() + colon + 1, end, address.port);
    if (error != std::errc() || stop != end) return wrong;
    if (address.host.size() > 2 && address.host.front() == '[' && address.host.back() == ']') {
        address.host = address.host.substr(1, address.host.size() - 2);
    } else if (address.host.find(':') != std::string::npos) {
        return wrong;
    }
    if (address.host == "localhost") address.host = "127.0.0.1";
    in_addr v4{};
    in6_addr v6{};
    if (inet_pton(AF_INET, address.host.c_str(), &v4) == 1) {
        address.loopback = (ntohl(v4.s_addr) >> 24) == 127;
    } else if (inet_pton(AF_INET6, address.host.c_str(), &v6) == 1) {
        address.loopback = IN6_IS_ADDR_LOOPBACK(&v6);
    } else {
        return wrong;
    }
    return address;
}

Result<void> ReadConfigFile(const std::string& path, ServeOptions& options) {
    toml::parse_result parsed = toml::parse_file(path);
    if (!parsed) {
        return At(path, parsed.error().source(), std::string(parsed.error().description()));
    }
    return Apply(path, parsed.table(), "", Settings(options));
}

}  // namespace espalier::cmd
