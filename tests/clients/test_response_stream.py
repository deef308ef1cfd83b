"""InvokeEndpointWithResponseStream through boto3: the bytes of InvokeEndpoint, part by part, at the client's pace."""

import base64
import json
import re
import time

import numpy as np
import pytest
import xgboost
from botocore.exceptions import ClientError, EventStreamError
from harness import models
from harness.clients import Clients
from harness.models import LEGACY_IMAGE, MODERN_IMAGE
from harness.polling import poll

OUTPUTS = "text/csv; output=interactions"


@pytest.fixture
def hosting(clients, bucket, unique):
    return models.Hosting(clients, bucket, unique)


@pytest.fixture
def serve_with(server_factory, tmp_path, unique):
    """serve_with("stream_seconds_max = 1") -> (clients, hosting, endpoint) of a server with these settings of [runtime]."""

    def serve(settings: str) -> tuple[Clients, models.Hosting, str]:
        (tmp_path / "config.toml").write_text(f"[runtime]\n{settings}\n")
        clients = Clients(server_factory(flags=("--config", str(tmp_path / "config.toml"))))
        clients.s3.create_bucket(Bucket=unique)
        hosting = models.Hosting(clients, unique, unique)
        return clients, hosting, hosting.serve(model_archive("reg:squarederror"), image=MODERN_IMAGE)

    return serve


def model_archive(objective: str) -> bytes:
    return models.archive({"xgboost-model": models.model_bytes(models.booster(objective), "ubj")})


def open_stream(hosting, endpoint: str, body: bytes, **more) -> dict:
    return hosting.runtime.invoke_endpoint_with_response_stream(
        EndpointName=endpoint, Body=body, ContentType="text/csv", **more)


def parts(answer: dict) -> list[bytes]:
    return [event["PayloadPart"]["Bytes"] for event in answer["Body"]]


def rows(count: int) -> bytes:
    return models.csv_text(np.random.default_rng(count).normal(size=(count, 6)).astype(np.float32))


@pytest.mark.parametrize("image, accept", [
    (LEGACY_IMAGE, "text/csv"), (MODERN_IMAGE, "text/csv"), (MODERN_IMAGE, "application/json"),
    (MODERN_IMAGE, "application/jsonlines; output=probability"), (MODERN_IMAGE, "text/csv; output=contributions")])
def test_the_parts_are_the_bytes_of_invoke_endpoint(hosting, image, accept):
    endpoint = hosting.serve(model_archive("multi:softprob"), image=image)
    for count in (1, 1024, 1025, 9000):
        whole = hosting.invoke(endpoint, rows(count), Accept=accept)
        answer = open_stream(hosting, endpoint, rows(count), Accept=accept)
        got = parts(answer)
        assert b"".join(got) == whole["Body"]
        assert len(got) >= count / 1024
        assert (answer["ContentType"], answer["InvokedProductionVariant"]) == (whole["ContentType"], "AllTraffic")


def test_predictions_are_those_of_the_booster(hosting):
    endpoint = hosting.serve(model_archive("reg:squarederror"), image=MODERN_IMAGE)
    x = np.random.default_rng(5).normal(size=(3000, 6)).astype(np.float32)
    answer = open_stream(hosting, endpoint, models.csv_text(x), CustomAttributes="trace=7", InferenceId="id-1")
    assert answer["CustomAttributes"] == "trace=7"
    np.testing.assert_array_equal(np.array(b"".join(parts(answer)).split(), dtype=np.float32),
                                  models.booster("reg:squarederror").predict(xgboost.DMatrix(x)))


def test_what_invoke_endpoint_refuses_is_refused_before_the_stream(hosting):
    endpoint = hosting.serve(model_archive("reg:squarederror"), image=MODERN_IMAGE)
    for body, more, code, original in ((b"a,b", {}, "ModelError", 415), (b"1", {"Accept": "image/png"}, "ModelError", 406),
                                       (b"1,2,3,4,5,6,7", {}, "ModelError", 400),
                                       (b"1", {"TargetVariant": "none"}, "ValidationError", None),
                                       (b"1", {"InferenceComponentName": "none"}, "ValidationError", None)):
        with pytest.raises(ClientError) as refused:
            open_stream(hosting, endpoint, body, **more)
        assert refused.value.response["Error"]["Code"] == code
        assert refused.value.response.get("OriginalStatusCode") == original
    with pytest.raises(ClientError, match="not found"):
        open_stream(hosting, "none", b"1")
    assert parts(open_stream(hosting, endpoint, b"")) == []
    # The connection that was refused on is used again.
    assert len(parts(open_stream(hosting, endpoint, rows(5)))) == 1


def metric(clients, endpoint: str, name: str, variant: str, stat: str = "Sum") -> float:
    (found,) = clients.cloudwatch.get_metric_data(
        StartTime=time.time() - 3600, EndTime=time.time() + 60, MetricDataQueries=[{"Id": "q", "MetricStat": {
            "Metric": {"Namespace": "AWS/SageMaker", "MetricName": name, "Dimensions": [
                {"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}]},
            "Period": 86400, "Stat": stat}}])["MetricDataResults"]
    return sum(found["Values"])


def test_streams_are_traffic_like_any_other(clients, hosting, bucket):
    """Variant choice, shadows, capture and metrics see one request, whatever the number of its parts."""
    a, b = (hosting.model(name, model_archive("reg:squarederror"), image=MODERN_IMAGE) for name in "ab")
    config = hosting.config("c", {"a": (a, 1), "b": (b, 1)}, {"s": (b, 2)}, DataCaptureConfig={
        "EnableCapture": True, "InitialSamplingPercentage": 100, "DestinationS3Uri": f"s3://{bucket}/captured",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}]})
    endpoint = hosting.endpoint("e", config)
    text = rows(2500)
    answers = [open_stream(hosting, endpoint, text, InferenceId=f"id-{i}") for i in range(6)]
    bodies = [b"".join(parts(answer)) for answer in answers]
    assert [answer["InvokedProductionVariant"] for answer in answers].count("a") == 3
    last = open_stream(hosting, endpoint, text, TargetVariant="b")
    assert last["InvokedProductionVariant"] == "b" and parts(last)
    assert metric(clients, endpoint, "Invocations", "a") == 3
    assert metric(clients, endpoint, "ModelLatency", "a") > 0
    assert poll(lambda: metric(clients, endpoint, "Invocations", "s") == 7)

    def captured() -> list[dict]:
        keys = clients.s3.list_objects_v2(Bucket=bucket, Prefix=f"captured/{endpoint}/").get("Contents", [])
        lines = b"".join(clients.s3.get_object(Bucket=bucket, Key=key["Key"])["Body"].read() for key in keys)
        return [json.loads(line) for line in lines.splitlines()]

    assert poll(lambda: len(captured()) == 14), "7 answers and 7 of the shadow"
    lines = captured()
    outputs = {base64.b64decode(line["captureData"]["endpointOutput"]["data"]) for line in lines}
    assert outputs == {bodies[0]}, "whole, in one record"
    assert {base64.b64decode(line["captureData"]["endpointInput"]["data"]) for line in lines} == {text}


def test_a_slow_client_costs_the_server_one_part(server, clients, hosting):
    """An answer of some 90 MB is made as it is read; beside it the server's memory hardly grows."""
    endpoint = hosting.serve(model_archive("reg:squarederror"), image=MODERN_IMAGE)
    text = b"1,2,3,4,5,6\n" * 120_000
    parts(open_stream(hosting, endpoint, text[:12 * 1024], Accept=OUTPUTS))
    before = server.rss_bytes()
    size = peak = 0
    for event in open_stream(hosting, endpoint, text, Accept=OUTPUTS)["Body"]:
        size += len(event["PayloadPart"]["Bytes"])
        peak = max(peak, server.rss_bytes())
    assert size > 60_000_000
    assert peak - before < size / 2


def test_a_client_that_leaves_ends_the_work(clients, hosting):
    endpoint = hosting.serve(model_archive("reg:squarederror"), image=MODERN_IMAGE)
    text = b"1,2,3,4,5,6\n" * 120_000
    answer = open_stream(hosting, endpoint, text, Accept=OUTPUTS)
    next(iter(answer["Body"]))
    answer["Body"].close()

    def log() -> str:
        try:
            events = clients.logs.filter_log_events(logGroupName=f"/aws/sagemaker/Endpoints/{endpoint}")["events"]
        except clients.logs.exceptions.ResourceNotFoundException:  # no line yet
            return ""
        return "\n".join(event["message"] for event in events)

    assert poll(lambda: "the client left before the end of the answer" in log())
    assert hosting.invoke(endpoint, b"1,2,3,4,5,6")["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_an_answer_that_lasts_too_long_says_so(serve_with):
    clients, hosting, endpoint = serve_with("stream_seconds_max = 0.5")
    answer = open_stream(hosting, endpoint, b"1,2,3,4,5,6\n" * 120_000, Accept=OUTPUTS)
    begin = time.monotonic()
    with pytest.raises(EventStreamError, match="ModelStreamError") as broken:
        for _ in answer["Body"]:
            while time.monotonic() < begin + 0.6:  # a client that thinks before it reads on
                time.sleep(0.05)
    assert re.search("ModelInvocationTimeExceeded|not taken within the time", str(broken.value))
    assert metric(clients, endpoint, "Invocation5XXErrors", "AllTraffic") == 1
    assert len(parts(open_stream(hosting, endpoint, rows(5)))) == 1


def test_the_first_part_goes_out_however_late_it_is(serve_with):
    _, hosting, endpoint = serve_with("stream_seconds_max = 0.001")
    events = []
    with pytest.raises(EventStreamError, match="ModelStreamError"):
        # Reading so many rows takes longer than the answer may.
        for event in open_stream(hosting, endpoint, b"1,2,3,4,5,6\n" * 120_000, Accept=OUTPUTS)["Body"]:
            events.append(event)
    assert events


def test_slow_streams_take_no_place_in_the_line(serve_with):
    _, hosting, endpoint = serve_with("running_per_instance = 1\nwaiting_per_instance = 0\nthreads = 1")
    held = []
    for _ in range(4):
        held.append(poll(lambda: begin_stream(hosting, endpoint)))
    assert poll(lambda: invoked(hosting, endpoint)), "four clients that read nothing keep nobody out"
    sizes = {sum(map(len, parts(answer))) for answer in held}
    assert len(sizes) == 1 and sizes.pop() > 10_000_000


def begin_stream(hosting, endpoint: str) -> dict | None:
    """None while the variant's one place is taken."""
    try:
        return open_stream(hosting, endpoint, b"1,2,3,4,5,6\n" * 40_000, Accept=OUTPUTS)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ThrottlingException"
        return None


def invoked(hosting, endpoint: str) -> bool:
    try:
        return bool(hosting.invoke(endpoint, b"1,2,3,4,5,6")["Body"])
    except ClientError:
        return False
