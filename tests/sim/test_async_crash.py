"""kill -9 of the server while asynchronous requests are accepted and run: each acknowledged one ends with its object."""

from __future__ import annotations

import concurrent.futures
import threading
import time

from botocore.exceptions import BotoCoreError, ClientError
from harness import models
from harness.clients import Clients
from harness.polling import poll

KILLS = 8
WRITERS = 4


def objects(clients, prefix: str) -> dict[str, bytes]:
    """{key: body} of what is there."""
    pages = clients.s3.get_paginator("list_objects_v2").paginate(Bucket="data", Prefix=prefix)
    keys = [row["Key"] for page in pages for row in page.get("Contents", [])]
    return {key: clients.s3.get_object(Bucket="data", Key=key)["Body"].read() for key in keys}


def test_each_accepted_request_ends_as_if_nothing_had_happened(server_factory):
    server = server_factory()
    clients = Clients(server)
    clients.s3.create_bucket(Bucket="data")
    hosting = models.Hosting(clients, "data", "t")
    model = hosting.model("m", models.constant_archive(4.0))
    hosting.endpoint("e", hosting.config("c", {"AllTraffic": (model, 1)}, AsyncInferenceConfig={"OutputConfig": {
        "S3OutputPath": "s3://data/out", "S3FailurePath": "s3://data/failed"}}))
    clients.s3.put_object(Bucket="data", Key="in", Body=b"1,2\n3,4", ContentType="text/csv")
    stop = threading.Event()
    # An input that is there, one that comes with the request, one that is missing, one that the model refuses.
    requests = ({"InputLocation": "s3://data/in"}, {"Body": b"1,2\n3,4"}, {"InputLocation": "s3://data/missing"},
                {"Body": b"1,2,3,4,5,6,7,8,9"})

    def write(writer: int) -> list[tuple[int, str, str]]:
        """(kind, output, failure) of what was acknowledged."""
        runtime = clients.session.client("sagemaker-runtime", endpoint_url=server.endpoint_url)
        acknowledged = []
        number = writer
        while not stop.is_set():
            number += 1
            kind = number % len(requests)
            try:
                answer = runtime.invoke_endpoint_async(EndpointName="t-e", ContentType="text/csv", **requests[kind])
                acknowledged.append((kind, answer["OutputLocation"], answer["FailureLocation"]))
            except (BotoCoreError, ClientError):
                time.sleep(0.02)  # The server is away; nothing was promised.
        return acknowledged

    with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
        writers = [pool.submit(write, writer) for writer in range(WRITERS)]
        for kill in range(KILLS):
            time.sleep(0.1 + 0.07 * kill)  # Not a wait for anything: the moment itself is the test's parameter.
            server.kill9()
            server.start()
        stop.set()
        acknowledged = [entry for writer in writers for entry in writer.result()]
    assert len(acknowledged) > 10 * KILLS, "too few were accepted to show anything"

    def key(uri: str) -> str:
        return uri.removeprefix("s3://data/")

    def all_ended() -> bool:
        there = {row["Key"] for prefix in ("out/", "failed/") for page in clients.s3.get_paginator(
            "list_objects_v2").paginate(Bucket="data", Prefix=prefix) for row in page.get("Contents", [])}
        return all(key(output) in there or key(failure) in there for _, output, failure in acknowledged)

    assert poll(all_ended, 60)
    outputs, failures = objects(clients, "out/"), objects(clients, "failed/")
    for kind, output, failure in acknowledged:
        if kind in (0, 1):
            assert outputs[key(output)] == b"4.0,4.0" and key(failure) not in failures
        else:
            expected = b"ClientError: The input s3://data/missing cannot be read" if kind == 2 else b"Unable to evaluate"
            assert failures[key(failure)].startswith(expected) and key(output) not in outputs
