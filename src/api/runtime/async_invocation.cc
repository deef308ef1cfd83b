#include "api/runtime/async_invocation.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

#include "store/s3_location.h"

namespace espalier::api::runtime {
namespace {

Error Violation(std::string_view value, std::string_view member, std::string_view constraint) {
    return {ErrorCode::kInvalidArgument,
            fmt::format("1 validation error detected: Value '{}' at '{}' failed to satisfy constraint: Member must {}",
                        value, member, constraint)};
}

struct Seconds {
    const char* header;
    std::string_view member;
    std::int64_t minimum;
    std::int64_t maximum;
    std::int64_t fallback;
};

Result<std::int64_t> ReadSeconds(const http::Headers& headers, const Seconds& what) {
    const std::optional<std::string_view> text = headers.Find(what.header);
    if (!text) return what.fallback;
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc() || end != text->data() + text->size())
        return Violation(*text, what.member, "be an integer");
    if (value < what.minimum)
        return Violation(*text, what.member, fmt::format("have value greater than or equal to {}", what.minimum));
    if (value > what.maximum)
        return Violation(*text, what.member, fmt::format("have value less than or equal to {}", what.maximum));
    return value;
}

/// The header's value, at most `bytes_max` long and made of ASCII letters, digits and `others`.
Result<std::string> ReadName(const http::Headers& headers, const char* header, std::string_view member,
                             std::size_t bytes_max, std::string_view others) {
    const std::string_view text = headers.Get(header);
    if (text.size() > bytes_max)
        return Violation(text, member, fmt::format("have length less than or equal to {}", bytes_max));
    const bool allowed = std::all_of(text.begin(), text.end(), [&](char c) {
        const bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        return alphanumeric || others.find(c) != std::string_view::npos;
    });
    if (!allowed)
        return Violation(
            text, member,
            fmt::format("satisfy regular expression pattern: it is made of letters, digits and {}", others));
    return std::string(text);
}

Result<std::string> ReadInputLocation(const http::Headers& headers, std::string_view body) {
    constexpr std::size_t kLocationBytesMax = 1024;
    const std::string_view location = headers.Get("X-Amzn-SageMaker-InputLocation");
    if (location.empty() == body.empty())
        return Error(ErrorCode::kInvalidArgument,
                     "Body and InputLocation are mutually exclusive. Provide exactly one of them.");
    if (location.empty()) return std::string();
    if (location.size() > kLocationBytesMax)
        return Violation(location, "inputLocation",
                         fmt::format("have length less than or equal to {}", kLocationBytesMax));
    if (!store::ParseS3Location(location))
        return Violation(location, "inputLocation", "satisfy regular expression pattern: ^(https|s3)://([^/]+)/?(.*)$");
    return std::string(location);
}

}  // namespace

Result<hosting::AsyncInvocation> ReadAsyncInvocation(const http::Headers& headers, std::string_view body) {
    using hosting::AsyncInvocation;
    AsyncInvocation invocation;
    invocation.input_location = TRY(ReadInputLocation(headers, body));
    invocation.inline_body = body;
    invocation.inference_id = headers.Get("X-Amzn-SageMaker-Inference-Id");
    invocation.content_type = headers.Get("X-Amzn-SageMaker-Content-Type");
    invocation.accept = headers.Get("X-Amzn-SageMaker-Accept");
    invocation.path_extension =
        TRY(ReadName(headers, "X-Amzn-SageMaker-S3OutputPathExtension", "s3OutputPathExtension", 512, "!_.*'()/-"));
    invocation.file_name = TRY(ReadName(headers, "X-Amzn-SageMaker-Filename", "filename", 32, "-_."));
    const bool has_two_dots = std::count(invocation.file_name.begin(), invocation.file_name.end(), '.') > 1;
    if (has_two_dots || invocation.file_name.starts_with('.') || invocation.file_name.starts_with('-') ||
        invocation.file_name.starts_with('_'))
        return Violation(invocation.file_name, "filename",
                         "satisfy regular expression pattern: ^(?!.*\\..*\\.)[a-zA-Z0-9][a-zA-Z0-9-_\\.]*$");
    invocation.ttl_seconds = TRY(ReadSeconds(headers, {.header = "X-Amzn-SageMaker-RequestTTLSeconds",
                                                       .member = "requestTTLSeconds",
                                                       .minimum = 60,
                                                       .maximum = AsyncInvocation::kTtlSecondsMax,
                                                       .fallback = AsyncInvocation::kTtlSecondsMax}));
    invocation.timeout_seconds = TRY(ReadSeconds(headers, {.header = "X-Amzn-SageMaker-InvocationTimeoutSeconds",
                                                           .member = "invocationTimeoutSeconds",
                                                           .minimum = 1,
                                                           .maximum = 3600,
                                                           .fallback = AsyncInvocation::kTimeoutSecondsDefault}));
    return invocation;
}

}  // namespace espalier::api::runtime
