"""A request or call step to signed bytes, in every body form that clients use."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from dataclasses import dataclass, field

import botocore.session

from harness import signing
from harness.wire.expressions import evaluate, interpolate, to_bytes
from harness.wire.script import ScriptError, Step

UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
STREAMING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
DEFAULT_CHUNK_BYTES = 65536
WRONG_SECRET = "this/is/not+the/secret/key/of/anybody000"


@dataclass
class Outgoing:
    """What goes over the wire: the head, then the body (already framed)."""

    method: str
    target: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    wait_for_continue: bool = False

    def head(self) -> bytes:
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


class Builder:
    """Builds requests for one server: `endpoint` is host:port, `variables` those of the running case."""

    def __init__(self, endpoint: str, keys: signing.Keys, region: str, variables: dict):
        self.endpoint, self.keys, self.region, self.variables = endpoint, keys, region, variables

    def build(self, step: Step) -> Outgoing:
        if step.kind == "call":
            return self._call(step)
        method, _, target = step.words.partition(" ")
        return self._finish(step, method, interpolate(target, self.variables), [], self._body(step), None)

    # -- the parts of a step ------------------------------------------------------------------------------------------

    def _text(self, value: str) -> str:
        return interpolate(value, self.variables)

    def _body(self, step: Step) -> bytes | None:
        text, form = step.one("body"), step.one("form")
        if form is not None:
            return self._text(form).encode()
        if text is None:
            return None
        if text.startswith("<<<"):
            return self._text(text[3:]).encode()
        return to_bytes(evaluate(text, self.variables))

    def _call(self, step: Step) -> Outgoing:
        """call SERVICE Operation {json}  or, for query services, Name=value&Name=value."""
        found = re.match(r"(\S+)\s+(\w+)\s*(.*)$", step.words, re.DOTALL)
        if not found:
            raise ScriptError(f"line {step.line}: call SERVICE Operation [document]")
        service, operation, document = found.groups()
        document = self._text(document.strip())
        metadata = botocore.session.get_session().get_service_model(service).metadata
        signing_name = metadata.get("signingName", metadata["endpointPrefix"])
        if "targetPrefix" in metadata:
            version = "1.0" if service == "cloudwatch" else metadata["jsonVersion"]
            headers = [("X-Amz-Target", f"{metadata['targetPrefix']}.{operation}"),
                       ("Content-Type", f"application/x-amz-json-{version}")]
            if service == "cloudwatch":
                headers.append(("x-amzn-query-mode", "true"))
            try:
                body = json.dumps(json.loads(document or "{}")).encode()
            except ValueError as error:
                raise ScriptError(f"line {step.line}: the document is not JSON: {error}") from None
        else:
            headers = [("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")]
            body = f"Action={operation}&Version={metadata['apiVersion']}{'&' + document if document else ''}".encode()
        return self._finish(step, "POST", "/", headers, body, signing_name)

    def _service(self, step: Step, target: str, headers: dict[str, str], named: str | None) -> str:
        explicit = step.one("service") or named
        if explicit:
            return explicit
        return "sagemaker" if re.match(r"/endpoints/[^/]+/invocations$", target) else "s3"

    def _finish(self, step: Step, method: str, target: str, given: list[tuple[str, str]], body: bytes | None,
                named: str | None) -> Outgoing:
        headers: dict[str, str] = {"Host": self.endpoint}
        repeated: list[tuple[str, str]] = []
        for name, value in [*given, *(self._split_header(step, text) for text in step.all("header"))]:
            present = next((key for key in headers if key.lower() == name.lower()), None)
            if present and name.lower() != "host" and (name, value) not in given:
                if present in dict(given):
                    headers[present] = value
                else:
                    repeated.append((name, value))
            else:
                headers.pop(present, None)
                headers[name] = value
        if step.one("form") is not None:
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
        service = self._service(step, target, headers, named)
        out = Outgoing(method, target, wait_for_continue=step.one("expect-continue") is not None)
        if out.wait_for_continue:
            headers["Expect"] = "100-continue"
        target, framed = self._sign(step, method, target, headers, body, service)
        out.target = target
        if framed is not None or method in ("PUT", "POST"):
            framed = framed or b""
            if step.one("transfer", "length").startswith("chunked"):
                headers["Transfer-Encoding"] = "chunked"
                framed = _http_chunks(framed, step.one("transfer"))
            elif not any(name.lower() == "content-length" for name in headers):
                headers["Content-Length"] = str(len(framed))
            out.body = framed
        if step.one("tamper") == "body" and out.body:
            out.body = bytes([out.body[0] ^ 1]) + out.body[1:]
        out.headers = [(n, v) for n, v in headers.items() if v != "(none)"] + repeated
        return out

    def _split_header(self, step: Step, text: str) -> tuple[str, str]:
        name, colon, value = text.partition(":")
        if not colon:
            raise ScriptError(f"line {step.line}: header Name: value")
        return name.strip(), self._text(value.strip())

    # -- signing ------------------------------------------------------------------------------------------------------

    def _keys(self, step: Step) -> signing.Keys | None:
        who = self._text(step.one("as", "admin"))
        if who == "anonymous":
            return None
        if who == "wrong-key":
            return signing.Keys("AKIANOBODYHASTHISKEY", self.keys.secret_access_key)
        if who == "wrong-secret":
            return signing.Keys(self.keys.access_key_id, WRONG_SECRET)
        if who == "admin":
            return self.keys
        access_key_id, slash, secret = who.partition("/")
        if not slash:
            raise ScriptError(f"line {step.line}: as: admin, anonymous, wrong-key, wrong-secret or ID/SECRET")
        return signing.Keys(access_key_id, secret)

    def _when(self, step: Step) -> datetime.datetime:
        offset_s = int(step.one("at", "0").removesuffix("s"))
        return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=offset_s)

    def _sign(self, step: Step, method: str, target: str, headers: dict[str, str], body: bytes | None,
              service: str) -> tuple[str, bytes | None]:
        """Signs as the step says; returns the target and the framed body."""
        keys, when, how = self._keys(step), self._when(step), step.one("sign", "v4")
        region = self._text(step.one("region", self.region))
        scheme = step.one("payload", "signed")
        if scheme not in ("signed", "unsigned", "streaming", "streaming-trailer", "unsigned-trailer"):
            raise ScriptError(f"line {step.line}: no payload form {scheme!r}")
        streamed = scheme in ("streaming", "streaming-trailer", "unsigned-trailer")
        if streamed:
            headers["Content-Encoding"] = ",".join(filter(None, ["aws-chunked", headers.get("Content-Encoding")]))
            headers.setdefault("x-amz-decoded-content-length", str(len(body or b"")))
        trailers = [self._split_header(step, text) for text in step.all("trailer")]
        if trailers:
            headers.setdefault("x-amz-trailer", ",".join(name for name, _ in trailers))
        expires_s = int(step.one("expires", "300"))
        if keys is None:
            return target, _aws_chunks(step, None, "", body or b"", trailers) if streamed else body
        if how == "presign-v2":
            target = signing.presign_v2(keys, method, target, headers, int(when.timestamp()) + expires_s)
        elif how == "v2":
            signing.authorize_v2(keys, method, target, headers, when)
        elif how in ("v4", "presign"):
            return self._sign_v4(step, signing.V4(keys, service, region, when), how, method, target, headers, body, trailers)
        else:
            raise ScriptError(f"line {step.line}: sign: v4, v2, presign or presign-v2")
        return _tamper_target(step, target, headers), body

    def _sign_v4(self, step: Step, signer: signing.V4, how: str, method: str, target: str, headers: dict[str, str],
                 body: bytes | None, trailers: list[tuple[str, str]]) -> tuple[str, bytes | None]:
        scheme = step.one("payload", "signed")
        if how == "presign":
            target = signer.presign(method, target, headers, int(step.one("expires", "300")))
            return _tamper_target(step, target, headers), body
        payload = {
            "signed": hashlib.sha256(body or b"").hexdigest(), "unsigned": signing.UNSIGNED, "streaming": STREAMING,
            "streaming-trailer": STREAMING + "-TRAILER", "unsigned-trailer": UNSIGNED_TRAILER,
        }[scheme]
        if signer.service == "s3":
            headers.setdefault("x-amz-content-sha256", payload)
            payload = headers["x-amz-content-sha256"]
        seed = signer.authorize(method, target, headers, payload)
        if scheme not in ("signed", "unsigned"):
            body = _aws_chunks(step, None if scheme == "unsigned-trailer" else signer, seed, body or b"", trailers)
        return _tamper_target(step, target, headers), body


def _tamper_target(step: Step, target: str, headers: dict[str, str]) -> str:
    """Breaks one thing after signing, as `tamper:` says."""
    what = step.one("tamper")
    if what == "signature":
        if "Authorization" in headers:
            last = headers["Authorization"][-1]
            headers["Authorization"] = headers["Authorization"][:-1] + ("0" if last != "0" else "1")
        else:
            target = re.sub(r"(Signature=)(.)", lambda m: m.group(1) + ("0" if m.group(2) != "0" else "1"), target)
    elif what == "query":
        target += ("&" if "?" in target else "?") + "added=1"
    elif what == "path":
        path, mark, query = target.partition("?")
        target = path + "x" + mark + query
    elif what == "date":
        headers["x-amz-date"] = "20200101T000000Z"
    elif what == "header":
        headers["x-amz-added"] = "1"
    elif what not in (None, "body", "chunk", "trailer"):
        raise ScriptError(f"line {step.line}: tamper: signature, query, path, date, header, body, chunk or trailer")
    return target


def _http_chunks(body: bytes, how: str) -> bytes:
    """`chunked` or `chunked N`: the body in chunks of N bytes."""
    size = int(how.split()[1]) if " " in how else 10_000
    pieces = [b"%x\r\n%b\r\n" % (len(body[i : i + size]), body[i : i + size]) for i in range(0, len(body), size)]
    return b"".join(pieces) + b"0\r\n\r\n"


def _aws_chunks(step: Step, signer: signing.V4 | None, seed: str, body: bytes, trailers: list[tuple[str, str]]) -> bytes:
    """The aws-chunked framing, with chunk signatures when `signer` is given."""
    size = int(step.one("chunk", str(DEFAULT_CHUNK_BYTES)))
    tampered, previous, out = step.one("tamper"), seed, []
    pieces = [body[i : i + size] for i in range(0, len(body), size)] + [b""]
    for index, piece in enumerate(pieces):
        head = b"%x" % len(piece)
        if signer is not None:
            previous = signer.chunk_signature(previous, piece)
            shown = previous
            if tampered == "chunk" and index == len(pieces) // 2:
                shown = ("0" if previous[0] != "0" else "1") + previous[1:]
            head += f";chunk-signature={shown}".encode()
        out.append(head + b"\r\n" + piece + (b"\r\n" if piece else b""))
    for name, value in trailers:
        out.append(f"{name}:{value}\r\n".encode())
    if trailers and signer is not None:
        signature = signer.trailer_signature(previous, trailers)
        if tampered == "trailer":
            signature = ("0" if signature[0] != "0" else "1") + signature[1:]
        out.append(f"x-amz-trailer-signature:{signature}\r\n".encode())
    return b"".join(out) + b"\r\n"
