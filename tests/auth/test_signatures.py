"""Requests signed by botocore's own signers, sent raw, and tampered variants of each.

A request whose signature is right gets past the door: whatever the service then answers, it is none of the codes of a
refused signature. Each tampered variant must get the one code its protocol has for it.
"""

import datetime
import hashlib
import http.client
import json
import re
import time

import pytest
import requests
from botocore.auth import HmacV1Auth, HmacV1QueryAuth, S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from harness.clients import Clients
from harness.signing import V4, Keys, authorize_v2, presign_v2

REFUSALS = {
    "InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "RequestTimeTooSkewed", "AuthorizationHeaderMalformed",
    "AuthorizationQueryParametersError", "XAmzContentSHA256Mismatch", "MissingAuthenticationTokenException",
    "UnrecognizedClientException", "InvalidSignatureException", "IncompleteSignatureException", "InvalidClientTokenId",
    "MissingAuthenticationToken", "IncompleteSignature",
}
S3_PATHS = [
    "/", "/bucket", "/bucket/key", "/bucket/a%20b", "/bucket/a%2Bb", "/bucket/%C3%A9%E2%82%AC", "/bucket/~-._", "/bucket/a//b",
    "/bucket/./x", "/bucket/../y", "/bucket/a%252Fb", "/bucket/a%3Db%26c%3Fd", "/bucket/%21%27%28%29%2A", "/bucket/end/",
    "/endpoints/x/invocations",
]
S3_QUERIES = ["", "list-type=2&prefix=a%2Fb", "uploads", "uploadId=x&partNumber=2", "prefix=&delimiter=%2F", "b=2&a=2&a=1&B=0",
              "prefix=%20%2B%7E"]
S3_HEADERS = [{}, {"x-amz-meta-b": "  two   blanks ", "x-amz-meta-a": "1"},
              {"Content-Type": "text/plain; charset=utf-8", "Content-MD5": "XrY7u+Ae7tCTyyK7j1rNww=="},
              {"Range": "bytes=0-9", "If-Match": '"x"', "User-Agent": "never signed"}]


class Answer:
    def __init__(self, response):
        self.status, self.body = response.status, response.read()
        text = self.body.decode(errors="replace")
        self.code = (re.search(r"<Code>([^<]+)</Code>", text) or [None, None])[1]
        if self.body.startswith(b"{"):
            parsed = json.loads(self.body)
            self.code = parsed.get("__type") or response.getheader("x-amzn-errortype")
            text = parsed.get("message") or parsed.get("Message") or text
        self.text = text

    def __repr__(self):
        return f"{self.status} {self.code} {self.text}"


def send(server, request: AWSRequest) -> Answer:
    host, port = server.host_port
    connection = http.client.HTTPConnection(host, port, timeout=20)
    try:
        target = request.url.split(f"{host}:{port}", 1)[1]
        connection.putrequest(request.method, target, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", f"{host}:{port}")
        for name, value in request.headers.items():
            if name.lower() not in ("host", "content-length"):
                connection.putheader(name, value)
        body = request.body or b""
        if body or request.method in ("PUT", "POST"):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        return Answer(connection.getresponse())
    finally:
        connection.close()


def credentials(server, secret=None, key=None):
    return Credentials(key or server.access_key_id, secret or server.secret_access_key)


def make(server, method="GET", path="/", query="", headers=None, body=b"") -> AWSRequest:
    """The query goes into the URL: that is how botocore's S3 requests look when they are signed."""
    url = server.endpoint_url + path + ("?" + query if query else "")
    return AWSRequest(method=method, url=url, headers=dict(headers or {}), data=body)


S3_SIGNERS = {
    "v4": lambda c: S3SigV4Auth(c, "s3", "us-east-1"),
    "v4-elsewhere": lambda c: S3SigV4Auth(c, "s3", "eu-central-1"),
    "v4-link": lambda c: S3SigV4QueryAuth(c, "s3", "eu-central-1", expires=60),
    "v2": HmacV1Auth,
    "v2-link": lambda c: HmacV1QueryAuth(c, expires=60),
}


def sign_s3(server, signer, creds=None, **what) -> AWSRequest:
    body = what.pop("body", b"")
    # A link is signed before its body is known.
    request = make(server, body=b"" if signer == "v4-link" else body, **what)
    request.context["payload_signing_enabled"] = True
    S3_SIGNERS[signer](creds or credentials(server)).add_auth(request)
    request.data = body
    return request


@pytest.mark.parametrize("signer", S3_SIGNERS)
@pytest.mark.parametrize("path", S3_PATHS)
def test_s3_paths(server, signer, path):
    answer = send(server, sign_s3(server, signer, path=path))
    assert answer.code not in REFUSALS, answer


@pytest.mark.parametrize("signer", S3_SIGNERS)
@pytest.mark.parametrize("query", S3_QUERIES)
def test_s3_queries(server, signer, query):
    answer = send(server, sign_s3(server, signer, path="/bucket/key", query=query))
    assert answer.code not in REFUSALS, answer


@pytest.mark.parametrize("signer", S3_SIGNERS)
@pytest.mark.parametrize("headers", S3_HEADERS, ids=range(len(S3_HEADERS)))
def test_s3_headers(server, signer, headers):
    request = sign_s3(server, signer, path="/bucket/key", headers=headers)
    answer = send(server, request)
    assert answer.code not in REFUSALS, answer


@pytest.mark.parametrize("signer", S3_SIGNERS)
@pytest.mark.parametrize("body", [b"", b"hello world" * 100], ids=["empty", "text"])
def test_s3_bodies(server, signer, body):
    answer = send(server, sign_s3(server, signer, method="PUT", path="/no-such-bucket/key", body=body))
    assert answer.code not in REFUSALS, answer


def _replace_signature(request):
    for name, pattern in (("Authorization", r"(Signature=|:)([^:]+)$"),):
        if name in request.headers:
            value = request.headers[name]
            del request.headers[name]
            request.headers[name] = re.sub(pattern, lambda m: m[1] + ("1" if m[2][0] != "1" else "2") + m[2][1:], value)
            return
    request.url = re.sub(r"(Signature=)(.)", lambda m: m[1] + ("1" if m[2] != "1" else "2"), request.url)


def _other_path(request):
    request.url = request.url.replace("/bucket/key", "/bucket/kez")


def _other_query(request):
    request.url = request.url.replace("uploadId=x", "uploadId=y")


def _other_header(request):
    del request.headers["x-amz-meta-a"]
    request.headers["x-amz-meta-a"] = "changed"


def _other_method(request):
    request.method = "DELETE"


TAMPERINGS = {f.__name__[1:]: f for f in (_replace_signature, _other_path, _other_query, _other_header, _other_method)}


@pytest.mark.parametrize("signer", S3_SIGNERS)
@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_s3_tampered(server, signer, tampering):
    request = sign_s3(server, signer, path="/bucket/key", query="uploadId=x", headers={"x-amz-meta-a": "1"})
    assert send(server, request).code not in REFUSALS
    TAMPERINGS[tampering](request)
    answer = send(server, request)
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch"), answer
    assert server.secret_access_key not in answer.text


@pytest.mark.parametrize("signer", S3_SIGNERS)
def test_s3_wrong_keys(server, signer):
    wrong_secret = sign_s3(server, signer, creds=credentials(server, secret="wrong"))
    assert send(server, wrong_secret).code == "SignatureDoesNotMatch"
    answer = send(server, sign_s3(server, signer, creds=credentials(server, key="AKIANOBODY")))
    assert (answer.status, answer.code) == (403, "InvalidAccessKeyId"), answer
    assert "The AWS Access Key Id you provided does not exist in our records." in answer.text


def test_s3_unsigned_is_denied(server):
    answer = send(server, make(server, path="/bucket/key"))
    assert (answer.status, answer.code) == (403, "AccessDenied"), answer


def test_s3_header_added_after_signing(server):
    request = sign_s3(server, "v4", path="/bucket/key")
    request.headers["x-amz-copy-source"] = "/other/key"
    answer = send(server, request)
    assert (answer.status, answer.code) == (403, "AccessDenied"), answer
    assert "not signed" in answer.text


@pytest.mark.parametrize("authorization", [
    "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=b",
    "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=b", "AWS ", "AWS abc", "AWS :", "Basic YTpi",
    "AWS4-ECDSA-P256-SHA256 Credential=a/20260101/s3/aws4_request, SignedHeaders=host, Signature=b", "Bearer " + "x" * 4000,
])
def test_s3_malformed_authorization(server, authorization):
    answer = send(server, make(server, path="/bucket/key", headers={"Authorization": authorization}))
    assert (answer.status, answer.code) == (400, "AuthorizationHeaderMalformed"), answer


@pytest.mark.parametrize("query", [
    "X-Amz-Signature=abc", "X-Amz-Algorithm=AWS4-HMAC-SHA256", "AWSAccessKeyId=a", "AWSAccessKeyId=a&Signature=b&Expires=soon",
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2F20260101%2Fr%2Fs3%2Faws4_request&X-Amz-Date=20260101T000000Z"
    "&X-Amz-Expires=abc&X-Amz-SignedHeaders=host&X-Amz-Signature=b",
])
def test_s3_malformed_links(server, query):
    answer = send(server, make(server, path="/bucket/key", query=query))
    assert (answer.status, answer.code) == (400, "AuthorizationQueryParametersError"), answer


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


@pytest.fixture
def keys(server):
    return Keys(server.access_key_id, server.secret_access_key)


def host_of(server) -> dict[str, str]:
    host, port = server.host_port
    return {"Host": f"{host}:{port}"}


@pytest.mark.parametrize("minutes, code", [(-14, None), (14, None), (-16, "RequestTimeTooSkewed"), (16, "RequestTimeTooSkewed")])
def test_s3_clock_skew(server, keys, minutes, code):
    when = now() + datetime.timedelta(minutes=minutes)
    headers = host_of(server) | {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    V4(keys, "s3", "us-east-1", when).authorize("GET", "/bucket/key", headers, "UNSIGNED-PAYLOAD")
    answer = send(server, make(server, path="/bucket/key", headers=headers))
    assert (answer.code == code) if code else (answer.code not in REFUSALS), answer
    headers = host_of(server)
    authorize_v2(keys, "GET", "/bucket/key", headers, when)
    answer = send(server, make(server, path="/bucket/key", headers=headers))
    assert (answer.code == code) if code else (answer.code not in REFUSALS), answer


@pytest.mark.parametrize("age_s, life_s, code, text", [
    (10, 60, None, ""), (70, 60, "AccessDenied", "Request has expired"), (-1200, 60, "AccessDenied", "not valid yet"),
    (0, 604800, None, ""), (0, 604801, "AuthorizationQueryParametersError", "604800"),
    (0, -1, "AuthorizationQueryParametersError", "non-negative"),
])
def test_s3_link_life(server, keys, age_s, life_s, code, text):
    signer = V4(keys, "s3", "us-east-1", now() - datetime.timedelta(seconds=age_s))
    target = signer.presign("GET", "/bucket/key", host_of(server), life_s)
    path, _, query = target.partition("?")
    answer = send(server, make(server, path=path, query=query))
    assert (answer.code == code and text in answer.text) if code else (answer.code not in REFUSALS), answer


@pytest.mark.parametrize("life_s, code", [(60, None), (-1, "AccessDenied")])
def test_s3_v2_link_life(server, keys, life_s, code):
    target = presign_v2(keys, "GET", "/bucket/key", {}, int(time.time()) + life_s)
    path, _, query = target.partition("?")
    answer = send(server, make(server, path=path, query=query))
    if code:
        assert (answer.status, answer.code) == (403, code) and "Request has expired" in answer.text
    else:
        assert answer.code not in REFUSALS, answer


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_s3_bucket_requests_of_boto3(server, bucket, region, version):
    """With V2, botocore signs "/bucket/" and sends "/bucket": in links to a list (V2 is their default) and in headers."""
    client = Clients(server).client("s3", region=region, signature_version=version)
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    for operation, more in [("list_objects", {"Prefix": "a b"}), ("list_objects_v2", {"Delimiter": "/"}),
                            ("list_multipart_uploads", {}), ("get_bucket_location", {})]:
        link = client.generate_presigned_url(operation, Params={"Bucket": bucket, **more})
        assert requests.get(link, timeout=20).status_code == 200, operation


JSON_CASES = {
    "sagemaker": ("/", {"X-Amz-Target": "SageMaker.ListModels", "Content-Type": "application/x-amz-json-1.1"}, b"{}"),
    "logs": ("/", {"X-Amz-Target": "Logs_20140328.DescribeLogStreams", "Content-Type": "application/x-amz-json-1.1"},
             b'{"logGroupName":"x"}'),
    "monitoring": ("/", {"X-Amz-Target": "GraniteServiceVersion20100801.ListMetrics", "x-amzn-query-mode": "true",
                         "Content-Type": "application/x-amz-json-1.0"}, b"{}"),
    "runtime": ("/endpoints/nobody/invocations", {"Content-Type": "text/csv", "Accept": "*/*"}, b"1,2,3"),
}


def sign_json(server, case, creds=None):
    path, headers, body = JSON_CASES[case]
    request = make(server, method="POST", path=path, headers=headers, body=body)
    service = "sagemaker" if case == "runtime" else case
    SigV4Auth(creds or credentials(server), service, "us-east-1").add_auth(request)
    return request


@pytest.mark.parametrize("case", JSON_CASES)
def test_json_services(server, case):
    assert send(server, sign_json(server, case)).code not in REFUSALS
    tampered = sign_json(server, case)
    tampered.data = tampered.body + b" "
    answer = send(server, tampered)
    assert (answer.status, answer.code) == (403, "InvalidSignatureException"), answer
    answer = send(server, sign_json(server, case, credentials(server, secret="wrong")))
    assert (answer.status, answer.code) == (403, "InvalidSignatureException"), answer
    answer = send(server, sign_json(server, case, credentials(server, key="AKIANOBODY")))
    assert (answer.status, answer.code) == (403, "UnrecognizedClientException"), answer
    assert answer.text == "The security token included in the request is invalid."
    unsigned = sign_json(server, case)
    del unsigned.headers["Authorization"]
    answer = send(server, unsigned)
    assert (answer.status, answer.code) == (403, "MissingAuthenticationTokenException"), answer
    assert answer.text == "Missing Authentication Token"


def test_json_target_is_under_the_signature(server):
    request = sign_json(server, "sagemaker")
    del request.headers["X-Amz-Target"]
    request.headers["X-Amz-Target"] = "SageMaker.ListEndpoints"
    assert send(server, request).code == "InvalidSignatureException"
    path, headers, body = JSON_CASES["sagemaker"]
    request = make(server, method="POST", path=path, body=body)
    SigV4Auth(credentials(server), "sagemaker", "us-east-1").add_auth(request)
    for name, value in headers.items():
        request.headers[name] = value
    answer = send(server, request)
    assert (answer.status, answer.code) == (403, "InvalidSignatureException"), answer


def test_json_clock_skew(server, keys):
    path, headers, body = JSON_CASES["sagemaker"]
    headers = host_of(server) | headers
    V4(keys, "sagemaker", "us-east-1", now() - datetime.timedelta(minutes=16)).authorize(
        "POST", path, headers, hashlib.sha256(body).hexdigest())
    answer = send(server, make(server, method="POST", path=path, headers=headers, body=body))
    assert (answer.status, answer.code) == (403, "InvalidSignatureException"), answer
    assert answer.text.startswith("Signature expired: "), answer


@pytest.mark.parametrize("service, path", [("s3", "/"), ("sagemaker", "/bucket/key"), ("sts", "/bucket/key")])
def test_scope_of_another_service(server, service, path):
    """A signature for one service opens no door of another."""
    case = JSON_CASES["sagemaker"]
    request = make(server, method="POST", path=path, headers=case[1] if path == "/" else {}, body=b"{}")
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    signer(credentials(server), service, "us-east-1").add_auth(request)
    answer = send(server, request)
    assert answer.status in (400, 403, 404, 405, 501) and answer.status != 200, answer


@pytest.mark.parametrize("version, action, service", [
    ("2011-06-15", "GetCallerIdentity", "sts"), ("2010-05-08", "GetRole&RoleName=r", "iam")])
def test_query_services(server, version, action, service):
    body = f"Action={action}&Version={version}".encode()
    form = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}

    def signed(creds=None, scope=service):
        request = make(server, method="POST", headers=form, body=body)
        SigV4Auth(creds or credentials(server), scope, "us-east-1").add_auth(request)
        return request

    assert send(server, signed()).status == 200
    for request, status, code in [
        (signed(credentials(server, secret="wrong")), 403, "SignatureDoesNotMatch"),
        (signed(credentials(server, key="AKIANOBODY")), 403, "InvalidClientTokenId"),
        (signed(scope="sagemaker"), 403, "SignatureDoesNotMatch"),
        (make(server, method="POST", headers=form, body=body), 403, "MissingAuthenticationToken"),
    ]:
        answer = send(server, request)
        assert (answer.status, answer.code) == (status, code), answer


def test_query_service_by_link(server):
    """As tools that prove their identity by a presigned GetCallerIdentity do."""
    request = make(server, query="Action=GetCallerIdentity&Version=2011-06-15")
    SigV4QueryAuth(credentials(server), "sts", "us-east-1", expires=60).add_auth(request)
    answer = send(server, request)
    assert answer.status == 200 and "assumed-role/LocalSageMakerRole/local" in answer.text
    request.url = request.url.replace("us-east-1", "us-west-2")
    assert send(server, request).code == "SignatureDoesNotMatch"


def test_open_server_takes_any_signature(server_factory):
    server = server_factory(flags=("--open",))
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    for key, account in (("AKIANOBODY", "123456789012"), ("999988887777", "999988887777")):
        request = make(server, method="POST", headers=form, body=body)
        SigV4Auth(credentials(server, key=key, secret="whatever"), "sts", "us-east-1").add_auth(request)
        answer = send(server, request)
        assert answer.status == 200 and f"<Account>{account}</Account>" in answer.text
    answer = send(server, make(server, method="POST", headers=form | {"Authorization": "nonsense"}, body=body))
    assert answer.status == 200 and "<Account>123456789012</Account>" in answer.text
