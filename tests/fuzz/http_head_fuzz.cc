#include <algorithm>

#include "base/check.h"
#include "fuzz_target.h"
#include "http/head_parser.h"

namespace espalier::fuzz {

std::vector<std::string> Seeds() {
    return {"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "PUT /b/a%2Bb%20c?x=1&y HTTP/1.1\r\nHost: a:1\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX-Amz-Target: SageMaker.ListModels\r\n\r\n",
            "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"};
}

std::vector<std::string> Words() {
    return {"\r\n",
            "\n",
            "\r",
            ": ",
            "Content-Length: 5\r\n",
            "Transfer-Encoding: chunked\r\n",
            "Host: b\r\n",
            "HTTP/1.1",
            "HTTP/1.0",
            "chunked",
            "identity",
            "18446744073709551616",
            "-1",
            "\t",
            std::string(1, '\0'),
            "Connection: close\r\n",
            "Expect: 100-continue\r\n"};
}

}  // namespace espalier::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace espalier;
    http::ParsedHead parsed;
    std::string_view bytes = fuzz::AsText(data, size);
    // The connection hands over what ends with the first empty line.
    bytes =
        bytes.substr(0, std::min(bytes.find("\r\n\r\n"), bytes.size() - std::min<std::size_t>(4, bytes.size())) + 4);
    std::optional<http::HeadError> error = http::ParseHead(bytes, parsed);
    if (error) {
        CHECK(error->status >= 400 && error->status < 600);
        return 0;
    }
    const http::RequestHead& head = parsed.head;
    // What request smuggling lives on must never come through.
    CHECK(bytes.ends_with("\r\n\r\n"));
    CHECK(!(head.chunked && head.content_length.has_value()));
    CHECK(!(head.chunked && parsed.http_1_0));
    std::size_t lengths = 0;
    for (const auto& [name, value] : head.headers.fields()) {
        lengths += http::EqualsIgnoreCase(name, "Content-Length") ? 1 : 0;
        CHECK(name.find_first_of("\r\n:") == std::string::npos && value.find_first_of("\r\n") == std::string::npos);
    }
    CHECK(lengths <= 1 && (lengths == 1) == head.content_length.has_value());
    CHECK(!head.target.empty() && head.target.size() <= http::kTargetBytesMax);
    CHECK(head.raw_path().size() + head.raw_query().size() <= head.target.size());
    return 0;
}
