"""A collector of traces: OTLP over HTTP with JSON bodies, held against the protocol's rules as they come in.

Source: OpenTelemetry protocol, "JSON Protobuf Encoding": trace and span ids are lower-case hex, 64-bit integers are decimal
strings, enums are numbers, names are lowerCamelCase.
"""

from __future__ import annotations

import http.server
import json
import re
import threading

SPAN_MEMBERS = {"traceId", "spanId", "parentSpanId", "traceState", "name", "kind", "startTimeUnixNano", "endTimeUnixNano",
                "attributes", "status"}


def value_of(attribute: dict):
    """The attribute's value; fails for one that the protocol does not have."""
    assert set(attribute) == {"key", "value"} and attribute["key"], attribute
    ((kind, value),) = attribute["value"].items()
    if kind == "intValue":
        assert isinstance(value, str) and re.fullmatch(r"-?\d+", value), attribute
        return int(value)
    assert kind == "stringValue" and isinstance(value, str), attribute
    return value


def check_span(span: dict) -> dict:
    """The span with attributes as a dictionary and times as numbers."""
    assert set(span) <= SPAN_MEMBERS, span
    assert re.fullmatch(r"[0-9a-f]{32}", span["traceId"]) and set(span["traceId"]) != {"0"}, span
    for member in ("spanId", "parentSpanId"):
        if member in span:
            assert re.fullmatch(r"[0-9a-f]{16}", span[member]) and set(span[member]) != {"0"}, span
    assert span["name"] and span["kind"] in (1, 2, 3, 4, 5), span
    begin, end = span["startTimeUnixNano"], span["endTimeUnixNano"]
    assert re.fullmatch(r"\d+", begin) and re.fullmatch(r"\d+", end) and int(begin) <= int(end), span
    assert set(span["status"]) <= {"code", "message"} and span["status"].get("code", 0) in (0, 1, 2), span
    return {**span, "attributes": {a["key"]: value_of(a) for a in span["attributes"]}, "begin": int(begin), "end": int(end)}


class Collector:
    """Listens on a port the system chose. `spans` is what came so far; `problems` what broke the protocol."""

    def __init__(self, status: int = 200):
        self.spans: list[dict] = []
        self.problems: list[str] = []
        self.num_posts = 0
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.take(self.path, self.headers["Content-Type"], body)
                self.send_response(status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def take(self, path: str, content_type: str, body: bytes) -> None:
        self.num_posts += 1
        try:
            assert path == "/v1/traces" and content_type == "application/json", (path, content_type)
            document = json.loads(body)
            assert set(document) == {"resourceSpans"}
            for resource in document["resourceSpans"]:
                assert {"resource", "scopeSpans"} == set(resource)
                assert {"key": "service.name", "value": {"stringValue": "espalier"}} in resource["resource"]["attributes"]
                for scope in resource["scopeSpans"]:
                    assert scope["scope"]["name"]
                    self.spans += [check_span(span) for span in scope["spans"]]
        except (AssertionError, KeyError, ValueError) as problem:
            self.problems.append(repr(problem))

    def trace(self, trace_id: str) -> dict[str, dict]:
        """The spans of a trace by their ids."""
        return {span["spanId"]: span for span in self.spans if span["traceId"] == trace_id}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
