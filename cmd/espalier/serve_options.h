// What `espalier serve` is told: defaults, then the configuration file, then flags.
#pragma once

#include <cstdint>
#include <string>

#include "api/runtime/runtime_service.h"
#include "api/sagemaker/describe_hold.h"
#include "base/result.h"
#include "hosting/endpoint_service.h"
#include "http/server.h"

namespace espalier::cmd {

inline constexpr const char* kDefaultListen = "127.0.0.1:8642";

struct ServeOptions {
    std::string listen = kDefaultListen;  ///< HOST:PORT, [IPV6]:PORT
    std::string data_folder;              ///< "" = DefaultDataFolder()
    bool open = false;
    std::string account = "123456789012";
    std::string region = "us-east-1";  ///< of requests whose signature names none
    std::int64_t drain_seconds = 20;   ///< how long requests in flight may take after SIGTERM
    api::runtime::RuntimeService::Limits invocation;
    hosting::Concurrency concurrency = hosting::Concurrency::OfThisMachine();
    std::uint64_t multi_model_bytes_max = std::uint64_t{1} << 30;
    api::sagemaker::DescribeHold::Options describe_hold;  ///< how long a DescribeTrainingJob may wait for news
    std::string otlp_endpoint;                            ///< base URL of the collector that gets traces; "" = none
    bool log_requests = false;  ///< a log line for every request, not only for those that fail here
    http::ServerOptions http;   ///< limits and thread counts; address and port come from `listen`
};

struct ListenAddress {
    std::string host;  ///< an IP address
    std::uint16_t port = 0;
    bool loopback = false;

    /// "127.0.0.1:8642", "[::1]:8642", with the port given.
    std::string WithPort(std::uint16_t actual_port) const;
};

/// "localhost" means 127.0.0.1; no other name is looked up.
Result<ListenAddress> ParseListen(const std::string& text);

/// Overwrites what the TOML file names. kInvalidArgument with file and line for bad syntax, an unknown key, a wrong
/// type or a value out of range: a misspelt setting is never ignored.
Result<void> ReadConfigFile(const std::string& path, ServeOptions& options);

}  // namespace espalier::cmd
