#include "api/auth/authenticator.h"
#include "api/auth/sigv2.h"
#include "api/auth/sigv4.h"
#include "base/check.h"
#include "fuzz_target.h"
#include "http/head_parser.h"

namespace espalier::fuzz {
namespace {

class FixedClock final : public Clock {
  public:
    // 2026-01-31T12:00:00Z, the time in the seeds.
    UnixMillis WallMillis() const override { return 1'769'860'800'000; }
    std::chrono::steady_clock::time_point Now() const override { return {}; }
};

}  // namespace

std::vector<std::string> Seeds() {
    std::string credential = "AKIAEXAMPLE/20260131/us-east-1/s3/aws4_request";
    std::string signature(64, 'a');
    return {
        "GET /b/k HTTP/1.1\r\nHost: a\r\nX-Amz-Date: 20260131T120000Z\r\nX-Amz-Content-SHA256: UNSIGNED-PAYLOAD\r\n"
        "Authorization: AWS4-HMAC-SHA256 Credential=" +
            credential + ", SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=" + signature + "\r\n\r\n",
        "GET /b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAEXAMPLE%2F20260131%2Fus-east-1%2Fs3%2F"
        "aws4_request&X-Amz-Date=20260131T120000Z&X-Amz-Expires=600&X-Amz-SignedHeaders=host&X-Amz-Signature=" +
            signature + " HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /b/k HTTP/1.1\r\nHost: a\r\nDate: Sat, 31 Jan 2026 12:00:00 GMT\r\n"
        "Authorization: AWS AKIAEXAMPLE:AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
        "GET /b/k?AWSAccessKeyId=AKIAEXAMPLE&Signature=AAAA%2BAAA%3D&Expires=1769864400 HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\n\r\n"};
}

std::vector<std::string> Words() {
    return {"Authorization: ",
            "AWS4-HMAC-SHA256",
            "Credential=",
            "SignedHeaders=",
            "Signature=",
            ", ",
            "/",
            ";",
            "%2F",
            "%",
            "%zz",
            "&",
            "=",
            "X-Amz-Expires=604801",
            "X-Amz-Date=",
            "aws4_request",
            "20260131T120000Z",
            "host",
            "\r\n",
            "+",
            "../",
            "//",
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"};
}

}  // namespace espalier::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace espalier;
    http::ParsedHead parsed;
    if (http::ParseHead(fuzz::AsText(data, size), parsed)) return 0;
    fuzz::FixedClock clock;
    api::Keyring keyring;
    keyring.Add("AKIAEXAMPLE", {"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"});
    api::Authenticator verifying({}, keyring, clock);
    // Nobody here knows the secret: no mutation may be let in.
    CHECK(std::holds_alternative<api::AuthFailure>(verifying.Authenticate(parsed.head, std::nullopt)));
    CHECK(
        std::holds_alternative<api::AuthFailure>(verifying.Authenticate(parsed.head, api::WholeBody{.bytes = "body"})));
    api::Authenticator::Options options;
    options.open = true;
    api::Authenticator open(options, keyring, clock);
    api::AuthResult result = open.Authenticate(parsed.head, std::nullopt);
    if (const auto* principal = std::get_if<api::Principal>(&result)) CHECK(principal->account_id.size() == 12);
    return 0;
}
