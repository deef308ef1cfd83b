"""boto3 as a user has it, against a server under test, with every answer held against the published model.

A session made here raises `AnswerError` when a successful answer has an unknown, missing or mistyped member, or when an
error answer does not say its code where clients read it. It also tells the recorder which operation was answered.
Clients try once (`attempts`), so that a hidden retry can't turn a defect into a slow success.
"""

from __future__ import annotations

import boto3
import botocore.config
import botocore.session

from harness import shapes
from harness.recorder import RECORDER
from harness.server import Server


class AnswerError(AssertionError):
    """The server's answer does not have the published shape."""


_loader = botocore.session.get_session().get_component("data_loader")


def check_answer(http_response, parsed, model, **_) -> None:
    """Hook for botocore's after-call event."""
    status = http_response.status_code
    streaming = (model.has_streaming_output or model.has_event_stream_output) and status < 300
    body = b"" if streaming else http_response.content
    if status < 300:
        found = shapes.problems(model, status, dict(http_response.headers), body)
    else:
        found = shapes.error_problems(model, status, dict(http_response.headers), body)
    if found:
        raise AnswerError(f"{model.service_model.service_name} {model.name} ({status}):\n  " + "\n  ".join(found))
    if status < 300:
        RECORDER.note(model.service_model.service_name, model.name)


def make_session(server: Server, *, region: str | None = None, access_key_id: str | None = None,
                 secret_access_key: str | None = None) -> boto3.Session:
    """A boto3 session with the server's root key pair unless another is given."""
    core = botocore.session.Session()
    core.register_component("data_loader", _loader)
    core.register("after-call", check_answer)
    return boto3.Session(
        aws_access_key_id=access_key_id or server.access_key_id,
        aws_secret_access_key=secret_access_key or server.secret_access_key,
        region_name=region or server.region, botocore_session=core,
    )


class Clients:
    """Clients of one server. A client is kept and given again when it is asked for in the same way."""

    def __init__(self, server: Server):
        self.server = server
        self.session = make_session(server)
        self._kept: dict[str, object] = {}

    def client(self, service: str, *, attempts: int = 1, region: str | None = None, **config):
        """`config` goes into botocore.config.Config, e.g. s3={'addressing_style': 'virtual'}."""
        key = f"{service} {attempts} {region} {self.server.endpoint_url} {sorted(config.items())}"
        if key not in self._kept:
            self._kept[key] = self.session.client(
                service, endpoint_url=self.server.endpoint_url, region_name=region,
                config=botocore.config.Config(
                    retries={"mode": "standard", "total_max_attempts": attempts},
                    connect_timeout=10, read_timeout=60, **config),
            )
        return self._kept[key]

    def __getattr__(self, name: str):
        """`clients.s3`, `clients.sagemaker_runtime`: the client of that service with default settings."""
        if name.startswith("_"):
            raise AttributeError(name)
        return self.client(name.replace("_", "-"))
