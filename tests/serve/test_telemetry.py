"""Traces from the API through a job to its ranks, logs that a request is found in, and the series of /metrics."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import urllib.request

import pytest
from botocore.exceptions import ClientError
from harness import models, small_jobs, transforms, tunings
from harness.clients import Clients
from harness.collector import Collector
from harness.polling import poll
from harness.server import program

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"


@pytest.fixture
def collector():
    made = Collector()
    yield made
    made.close()
    assert not made.problems, made.problems


def traced(clients: Clients, service: str, *, flags: str = "01", state: str = "vendor=1"):
    """A client whose requests belong to TRACE."""
    client = clients.session.client(service, endpoint_url=clients.server.endpoint_url)

    def add(request, **_) -> None:
        request.headers["traceparent"] = f"00-{TRACE}-{CALLER}-{flags}"
        request.headers["tracestate"] = state

    client.meta.events.register("before-sign", add)
    return client


def start(server_factory, tmp_path, endpoint: str, more: str = "") -> Clients:
    (tmp_path / "config.toml").write_text(f'[telemetry]\notlp_endpoint = "{endpoint}"\n{more}')
    clients = Clients(server_factory(flags=("--config", str(tmp_path / "config.toml"))))
    clients.s3.create_bucket(Bucket="data")
    return clients


def metrics(server) -> dict[str, float]:
    """{series: value} of /metrics, each line held against the format."""
    with urllib.request.urlopen(f"{server.endpoint_url}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    series = {}
    for line in lines:
        if line.startswith("#"):
            assert re.fullmatch(r"# (HELP \w+ .+|TYPE \w+ (counter|gauge|histogram))", line), line
            continue
        found = re.fullmatch(r'(\w+(?:\{(?:\w+="(?:[^"\\\n]|\\["\\n])*",?)*\})?) (\S+)', line)
        assert found, line
        assert found[1] not in series, "each series once"
        series[found[1]] = float(found[2])
    return series


def test_a_request_is_a_span_of_its_callers_trace(server_factory, tmp_path, collector):
    clients = start(server_factory, tmp_path, collector.endpoint)
    endpoint = models.Hosting(clients, "data", "t").serve(models.constant_archive(1.0))
    answer = traced(clients, "sagemaker-runtime").invoke_endpoint(EndpointName=endpoint, Body=b"1,2", ContentType="text/csv")
    assert poll(lambda: len(collector.trace(TRACE)) == 2)
    request, invocation = sorted(collector.trace(TRACE).values(), key=lambda span: span["begin"])
    assert (request["name"], request["kind"], request["parentSpanId"]) == ("InvokeEndpoint", 2, CALLER)
    assert request["traceState"] == "vendor=1"
    assert request["attributes"]["http.response.status_code"] == 200
    assert request["attributes"]["aws.request_id"] == answer["ResponseMetadata"]["RequestId"]
    assert invocation["parentSpanId"] == request["spanId"] and invocation["name"] == "invocation"
    assert invocation["attributes"]["aws.sagemaker.endpoint"] == endpoint
    assert request["begin"] <= invocation["begin"] <= invocation["end"] <= request["end"]
    # Requests that belong to no trace begin one of their own.
    (created,) = (span for span in collector.spans if span["name"] == "SageMaker.CreateEndpoint")
    assert "parentSpanId" not in created and created["traceId"] != TRACE
    assert any(span["name"] == "S3 PUT" for span in collector.spans)
    with pytest.raises(ClientError):
        traced(clients, "sagemaker-runtime").invoke_endpoint(EndpointName=endpoint, Body=b"1,2,3,4,5,6,7,8,9",
                                                              ContentType="text/csv")
    assert poll(lambda: len(collector.trace(TRACE)) == 4)
    (failed,) = (span for span in collector.trace(TRACE).values() if span["status"].get("code") == 2)
    assert failed["name"] == "invocation" and "the model answered 4" in failed["status"]["message"]


def test_a_caller_who_does_not_sample_is_heard(server_factory, tmp_path, collector):
    clients = start(server_factory, tmp_path, collector.endpoint)
    traced(clients, "sagemaker", flags="00").list_models()
    traced(clients, "sagemaker").list_endpoints()
    assert poll(lambda: collector.trace(TRACE))
    assert [span["name"] for span in collector.trace(TRACE).values()] == ["SageMaker.ListEndpoints"]


def test_an_asynchronous_invocation_stays_in_its_trace(server_factory, tmp_path, collector):
    clients = start(server_factory, tmp_path, collector.endpoint)
    hosting = models.Hosting(clients, "data", "t")
    model = hosting.model("m", models.constant_archive(4.0))
    endpoint = hosting.endpoint("e", hosting.config("c", {"v": (model, 1)}, AsyncInferenceConfig={
        "OutputConfig": {"S3OutputPath": "s3://data/out"}}))
    traced(clients, "sagemaker-runtime").invoke_endpoint_async(EndpointName=endpoint, Body=b"1,2", ContentType="text/csv")
    assert poll(lambda: len(collector.trace(TRACE)) == 2)
    spans = {span["name"]: span for span in collector.trace(TRACE).values()}
    assert spans["asynchronous invocation"]["parentSpanId"] == spans["InvokeEndpointAsync"]["spanId"]
    assert spans["asynchronous invocation"]["kind"] == 5


def paths(spans: dict[str, dict]) -> list[str]:
    """Each span of TRACE as the names from the caller's request down to it."""
    def path(span: dict) -> str:
        parent = spans.get(span["parentSpanId"])
        assert parent is not None or span["parentSpanId"] == CALLER, span
        return (path(parent) + " > " if parent else "") + span["name"]

    return sorted(path(span) for span in spans.values())


def wait_for_span(collector, name: str, number: int = 1) -> dict[str, dict]:
    assert poll(lambda: [span["name"] for span in collector.trace(TRACE).values()].count(name) >= number)
    return collector.trace(TRACE)


def test_a_job_of_two_instances_is_one_tree(server_factory, tmp_path, collector):
    clients = start(server_factory, tmp_path, collector.endpoint)
    small_jobs.upload_rows(clients, "data")
    traced(clients, "sagemaker").create_training_job(**small_jobs.request("data", "job", instances=2, sharded=True))
    assert small_jobs.wait_for_end(clients, "job")["TrainingJobStatus"] == "Completed"
    assert poll(lambda: any(span["name"] == "training job" for span in collector.trace(TRACE).values()))
    spans = collector.trace(TRACE)
    job = "SageMaker.CreateTrainingJob > training job"
    expected = [job, *(f"{job} > {state}" for state in ("Starting", "Downloading", "Training", "Uploading"))]
    for host in ("algo-1", "algo-2"):
        instance = f"{job} > Training > instance {host}"
        expected += [instance, *(f"{instance} > {stage}" for stage in ("load", "rounds", "save"))]
    assert paths(spans) == sorted(["SageMaker.CreateTrainingJob", *expected])
    (whole,) = (span for span in spans.values() if span["name"] == "training job")
    assert whole["attributes"]["aws.sagemaker.training_job"] == "job"
    (training,) = (span for span in spans.values() if span["name"] == "Training")
    for span in spans.values():
        if span["name"].startswith("instance"):
            # States are known to the millisecond.
            assert training["begin"] <= span["begin"] and span["end"] <= training["end"] + 1_000_000


def test_a_tuning_job_its_trials_and_their_ranks_are_one_tree(server_factory, tmp_path, collector):
    """Also when the server is killed on the way: ids follow from rows."""
    clients = start(server_factory, tmp_path, collector.endpoint)
    tunings.upload(clients, "data")
    # A trial lasts longer than the second that spans are gathered for, so the kill comes before the last one ends.
    traced(clients, "sagemaker").create_hyper_parameter_tuning_job(
        **tunings.request("data", "tuned", trials=3, parallel=1, rounds=20000))
    wait_for_span(collector, "training job")
    assert tunings.describe(clients, "tuned")["HyperParameterTuningJobStatus"] == "InProgress"
    clients.server.kill9()
    clients.server.start()
    job = tunings.wait_for_end(clients, "tuned")
    assert job["HyperParameterTuningJobStatus"] == "Completed", job
    spans = wait_for_span(collector, "tuning job")
    found = set(paths(spans))
    tuning = "SageMaker.CreateHyperParameterTuningJob > tuning job"
    instance = f"{tuning} > training job > Training > instance algo-1"
    assert found >= {tuning, f"{tuning} > training job", f"{tuning} > training job > Starting", instance,
                     *(f"{instance} > {stage}" for stage in ("load", "rounds", "save"))}, found
    trials = [span for span in spans.values() if span["name"] == "training job"]
    names = sorted(row["TrainingJobName"] for row in tunings.trials(clients, "tuned"))
    told = {span["attributes"]["aws.sagemaker.training_job"] for span in trials}
    # The second may have ended, and been on its way to the collector, when the server was killed.
    assert {names[0], names[2]} <= told <= set(names)
    assert {span["attributes"]["aws.sagemaker.tuning_job"] for span in trials} == {"tuned"}
    (whole,) = (span for span in spans.values() if span["name"] == "tuning job")
    assert whole["attributes"] == {"aws.sagemaker.tuning_job": "tuned", "aws.sagemaker.tuning_job_status": "Completed"}
    assert all(whole["begin"] <= span["begin"] for span in trials)


def test_a_transform_job_and_its_instance_are_one_tree(server_factory, tmp_path, collector):
    clients = start(server_factory, tmp_path, collector.endpoint)
    models.Hosting(clients, "data", "t").model("m", models.constant_archive(4.0))
    clients.s3.put_object(Bucket="data", Key="in/rows.csv", Body=b"1,2\n3,4\n")
    clients.s3.put_object(Bucket="data", Key="bad/rows.csv", Body=b"1,x\n")
    (model,) = (row["ModelName"] for row in clients.sagemaker.list_models()["Models"])
    client = traced(clients, "sagemaker")
    client.create_transform_job(**transforms.request("data", "good", model))
    assert transforms.wait_for_end(clients, "good")["TransformJobStatus"] == "Completed"
    job = "SageMaker.CreateTransformJob > transform job"
    tree = [job, f"{job} > instance", f"{job} > instance > load", f"{job} > instance > predict"]
    assert paths(wait_for_span(collector, "transform job")) == sorted(["SageMaker.CreateTransformJob", *tree])
    client.create_transform_job(**transforms.request("data", "failing", model, prefix="bad/"))
    reason = transforms.wait_for_end(clients, "failing")["FailureReason"]
    spans = wait_for_span(collector, "transform job", 2).values()
    (failed,) = (span for span in spans if span["attributes"].get("aws.sagemaker.transform_job") == "failing")
    assert failed["status"] == {"code": 2, "message": reason}
    assert failed["attributes"]["aws.sagemaker.transform_job_status"] == "Failed"
    assert [span["status"]["code"] for span in spans if span["parentSpanId"] == failed["spanId"]] == [2]


def test_a_collector_that_is_away_costs_nothing_but_traces(server_factory, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"
    clients = start(server_factory, tmp_path, endpoint)
    for _ in range(20):
        clients.sagemaker.list_models()
    assert poll(lambda: metrics(clients.server)["espalier_spans_dropped_total"] > 0)
    assert metrics(clients.server)["espalier_spans_exported_total"] == 0
    assert "traces are dropped: the collector does not take them" in clients.server.log()


def test_a_collector_that_never_answers_blocks_nobody(server_factory, tmp_path):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        clients = start(server_factory, tmp_path, f"http://127.0.0.1:{silent.getsockname()[1]}")
        for _ in range(200):
            clients.sagemaker.list_models()
        clients.server.stop()


def test_the_environment_names_a_collector_too(server_factory, collector):
    clients = Clients(server_factory(environment={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint + "/"}))
    clients.sagemaker.list_models()
    assert poll(lambda: [span for span in collector.spans if span["name"] == "SageMaker.ListModels"])


def test_nothing_is_traced_without_a_collector(server_factory):
    clients = Clients(server_factory())
    traced(clients, "sagemaker").list_models()
    assert not [series for series in metrics(clients.server) if series.startswith("espalier_spans")]


@pytest.mark.parametrize("endpoint", ["https://127.0.0.1:4318", "127.0.0.1:4318", "http://", "http://host:0", "http://a b"])
def test_an_endpoint_that_is_none_ends_the_start(tmp_path, endpoint):
    (tmp_path / "config.toml").write_text(f'[telemetry]\notlp_endpoint = "{endpoint}"\n')
    done = subprocess.run([program("espalier"), "serve", "--listen", "127.0.0.1:0", "--data", tmp_path / "d", "--config",
                           tmp_path / "config.toml"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert f"the endpoint for traces: '{endpoint}' is not of the form http://HOST[:PORT][/PATH]" in done.stderr


def test_each_request_can_be_found_in_the_log(server_factory, tmp_path, collector):
    clients = start(server_factory, tmp_path, collector.endpoint, more="[log]\nrequests = true\n")
    answer = traced(clients, "sagemaker").list_models()
    request_id = answer["ResponseMetadata"]["RequestId"]

    def lines() -> list[dict]:
        parsed = [json.loads(line) for line in clients.server.log().splitlines() if line.startswith("{")]
        return [line for line in parsed if line.get("request_id") == request_id]

    assert poll(lines)
    (line,) = lines()
    assert line["message"] == "request answered" and line["operation"] == "SageMaker.ListModels" and line["status"] == 200
    assert line["trace_id"] == TRACE and line["level"] == "info" and re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])


def test_a_failure_of_the_server_is_logged_with_the_clients_request_id(server_factory):
    server = server_factory()
    clients = Clients(server)
    clients.s3.create_bucket(Bucket="data")
    clients.s3.put_object(Bucket="data", Key="k", Body=b"x" * 100)
    (blob,) = (path for path in (server.data_dir / "objects" / "blobs").rglob("*") if path.is_file())
    blob.write_bytes(b"y" * 100)
    with pytest.raises(ClientError) as caught:
        clients.s3.get_object(Bucket="data", Key="k")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    request_id = caught.value.response["ResponseMetadata"]["RequestId"]
    wanted = {"request failed", "an object is damaged on disk"}

    def lines() -> list[dict]:
        return [json.loads(line) for line in server.log().splitlines() if request_id in line]

    assert poll(lambda: {line["message"] for line in lines()} >= wanted)  # They are not written at once.
    assert {line["operation"] for line in lines()} == {"S3 GET"}


def test_metrics_of_variants_and_jobs(server_factory):
    server = server_factory()
    clients = Clients(server)
    clients.s3.create_bucket(Bucket="data")
    hosting = models.Hosting(clients, "data", "t")
    endpoint = hosting.serve(models.constant_archive(1.0))
    for _ in range(3):
        hosting.invoke(endpoint, b"1,2")
    with pytest.raises(ClientError):
        hosting.invoke(endpoint, b"1,2,3,4,5,6,7,8,9")
    small_jobs.upload_rows(clients, "data")
    clients.sagemaker.create_training_job(**small_jobs.request("data", "job"))
    small_jobs.wait_for_end(clients, "job")
    labels = f'account="123456789012",region="us-east-1",endpoint="{endpoint}",variant="AllTraffic"'

    def count(status: str) -> float:
        return metrics(server).get(f'espalier_invocations_total{{{labels},status="{status}"}}', 0)

    assert poll(lambda: count("2xx") == 3)
    series = metrics(server)
    assert (count("4xx"), count("5xx")) == (1, 0)
    assert series[f"espalier_model_latency_seconds_count{{{labels}}}"] == 4
    assert series[f'espalier_model_latency_seconds_bucket{{{labels},le="+Inf"}}'] == 4
    assert series[f"espalier_model_latency_seconds_sum{{{labels}}}"] > 0
    buckets = [value for name, value in series.items() if name.startswith("espalier_model_latency_seconds_bucket")]
    assert buckets == sorted(buckets), "each bucket holds the ones before"
    assert series['espalier_jobs{kind="training",status="Completed"}'] == 1
