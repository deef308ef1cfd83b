// What InvokeEndpointAsync asks for, read out of its headers and body.
//
// Either X-Amzn-SageMaker-InputLocation names the payload's object or the body is the payload. Source: botocore's
// InvokeEndpointAsync; contracts/api.md 2.7. Thread-safe: a pure function.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/result.h"
#include "hosting/async_queue.h"
#include "http/exchange.h"

namespace espalier::api::runtime {

inline constexpr std::size_t kAsyncBodyBytesMax = 128'000;

/// kInvalidArgument with AWS's words for what the published shape forbids.
Result<hosting::AsyncInvocation> ReadAsyncInvocation(const http::Headers& headers, std::string_view body);

}  // namespace espalier::api::runtime
