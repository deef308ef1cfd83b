"""Request signatures written from the published descriptions, independent of botocore and of the server.

SigV4 in the Authorization header and in the query (presigned), the chunk and trailer signatures of aws-chunked bodies,
and SigV2 as S3 still accepts it. Sources: the AWS General Reference on Signature Version 4, the S3 API reference on
"Authenticating Requests" (V4, streaming and trailers) and its appendix on Signature Version 2.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import posixpath
from dataclasses import dataclass
from urllib.parse import quote, unquote

UNSIGNED = "UNSIGNED-PAYLOAD"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
# Not part of a SigV4 signature: proxies may change them, or they are set below the signer.
NEVER_SIGNED = {"authorization", "connection", "content-length", "expect", "transfer-encoding", "user-agent"}
V2_SUB_RESOURCES = {
    "acl", "cors", "defaultObjectAcl", "delete", "lifecycle", "location", "logging", "notification", "partNumber", "policy",
    "requestPayment", "restore", "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning", "versions",
    "website", "response-cache-control", "response-content-disposition", "response-content-encoding",
    "response-content-language", "response-content-type", "response-expires",
}


@dataclass(frozen=True)
class Keys:
    access_key_id: str
    secret_access_key: str


def encode(text: str, safe: str = "") -> str:
    return quote(text, safe="-_.~" + safe)


def split_target(target: str) -> tuple[str, list[tuple[str, str]]]:
    """A raw request target as (raw path, decoded query pairs)."""
    path, _, query = target.partition("?")
    pairs = [tuple(unquote(half) for half in part.partition("=")[::2]) for part in query.split("&") if part]
    return path, pairs


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class V4:
    """One signing scope: key pair, service, region and time."""

    def __init__(self, keys: Keys, service: str, region: str, when: datetime.datetime):
        self.keys, self.service, self.region = keys, service, region
        self.timestamp = when.strftime("%Y%m%dT%H%M%SZ")
        self.scope = f"{self.timestamp[:8]}/{region}/{service}/aws4_request"
        key = _hmac(("AWS4" + keys.secret_access_key).encode(), self.timestamp[:8])
        for part in (region, service, "aws4_request"):
            key = _hmac(key, part)
        self._key = key

    def _canonical_path(self, path: str) -> str:
        if self.service == "s3":
            return encode(unquote(path), "/")
        normal = posixpath.normpath(path) if path else "/"
        if path.endswith("/") and not normal.endswith("/"):
            normal += "/"
        return encode(normal.replace("//", "/"), "/")

    def _signature(self, method: str, path: str, pairs, headers: dict[str, str], signed: list[str], payload: str) -> str:
        query = "&".join(f"{k}={v}" for k, v in sorted((encode(k), encode(v)) for k, v in pairs))
        lowered = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
        lines = [method, self._canonical_path(path), query]
        lines += [f"{name}:{lowered[name]}" for name in signed]
        lines += ["", ";".join(signed), payload]
        digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        return _hmac(self._key, "\n".join(["AWS4-HMAC-SHA256", self.timestamp, self.scope, digest])).hex()

    def authorize(self, method: str, target: str, headers: dict[str, str], payload: str) -> str:
        """Adds x-amz-date and Authorization to `headers` (which must hold Host) and returns the signature."""
        headers["x-amz-date"] = self.timestamp
        signed = sorted(name.lower() for name in headers if name.lower() not in NEVER_SIGNED)
        path, pairs = split_target(target)
        signature = self._signature(method, path, pairs, headers, signed, payload)
        headers["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.keys.access_key_id}/{self.scope}, "
            f"SignedHeaders={';'.join(signed)}, Signature={signature}")
        return signature

    def presign(self, method: str, target: str, headers: dict[str, str], expires_s: int) -> str:
        """The target with the X-Amz-* query; Host and the x-amz-* headers given must be sent as they are."""
        signed = sorted(n.lower() for n in headers if n.lower() == "host" or n.lower().startswith("x-amz-"))
        path, pairs = split_target(target)
        pairs += [
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"), ("X-Amz-Credential", f"{self.keys.access_key_id}/{self.scope}"),
            ("X-Amz-Date", self.timestamp), ("X-Amz-Expires", str(expires_s)), ("X-Amz-SignedHeaders", ";".join(signed)),
        ]
        payload = UNSIGNED if self.service == "s3" else EMPTY_SHA256
        signature = self._signature(method, path, pairs, headers, signed, payload)
        pairs.append(("X-Amz-Signature", signature))
        return path + "?" + "&".join(f"{encode(k)}={encode(v)}" for k, v in pairs)

    def chunk_signature(self, previous: str, data: bytes) -> str:
        lines = ["AWS4-HMAC-SHA256-PAYLOAD", self.timestamp, self.scope, previous, EMPTY_SHA256,
                 hashlib.sha256(data).hexdigest()]
        return _hmac(self._key, "\n".join(lines)).hex()

    def trailer_signature(self, previous: str, trailers: list[tuple[str, str]]) -> str:
        text = "".join(f"{name.lower()}:{value}\n" for name, value in trailers)
        lines = ["AWS4-HMAC-SHA256-TRAILER", self.timestamp, self.scope, previous,
                 hashlib.sha256(text.encode()).hexdigest()]
        return _hmac(self._key, "\n".join(lines)).hex()


def _v2_text(method: str, target: str, headers: dict[str, str], date: str) -> str:
    lowered = {name.lower(): value.strip() for name, value in headers.items()}
    amz = "".join(f"{n}:{v}\n" for n, v in sorted(lowered.items()) if n.startswith("x-amz-"))
    path, pairs = split_target(target)
    kept = sorted(f"{k}={v}" if v else k for k, v in pairs if k in V2_SUB_RESOURCES)
    resource = path + ("?" + "&".join(kept) if kept else "")
    return "\n".join([method, lowered.get("content-md5", ""), lowered.get("content-type", ""), date, amz + resource])


def _v2_signature(keys: Keys, text: str) -> str:
    return base64.b64encode(hmac.new(keys.secret_access_key.encode(), text.encode(), hashlib.sha1).digest()).decode()


def authorize_v2(keys: Keys, method: str, target: str, headers: dict[str, str], when: datetime.datetime) -> None:
    headers["Date"] = when.strftime("%a, %d %b %Y %H:%M:%S GMT")
    signature = _v2_signature(keys, _v2_text(method, target, headers, headers["Date"]))
    headers["Authorization"] = f"AWS {keys.access_key_id}:{signature}"


def presign_v2(keys: Keys, method: str, target: str, headers: dict[str, str], expires_epoch: int) -> str:
    signature = _v2_signature(keys, _v2_text(method, target, headers, str(expires_epoch)))
    mark = "&" if "?" in target else "?"
    return (f"{target}{mark}AWSAccessKeyId={encode(keys.access_key_id)}&Signature={encode(signature)}"
            f"&Expires={expires_epoch}")
