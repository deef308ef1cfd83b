"""The AWS command line as people type it: today's, and one of early 2024 that speaks CloudWatch's query protocol.

Each has an environment of its own with the release pinned; nothing but `espalier env`'s variables says where the server is.
"""

from __future__ import annotations

import datetime
import http.client
import json
import re

import pytest
from harness import jobs, models, programs, small_jobs

RELEASES = {"today": ".venv-awscli", "2024": ".venv-awscli-old"}


class CommandLine:
    """aws(...) gives standard output, `json` reads it."""

    def __init__(self, server, environment: str, folder):
        self.server, self.folder = server, folder
        self.command = [programs.python(environment), "-m", "awscli"]
        self.environment = {"HOME": str(folder), "AWS_PAGER": ""}

    def __call__(self, *words) -> str:
        return programs.run(self.server, [*self.command, *words], environment=self.environment)

    def json(self, *words) -> dict:
        return json.loads(self(*words, "--output", "json"))

    def fails(self, *words) -> str:
        """What it says when it has to fail."""
        done = programs.finish(self.server, [*self.command, *words], environment=self.environment)
        assert done.returncode != 0, done.stdout
        return done.stderr


@pytest.fixture(params=["today"])
def aws(request, server, tmp_path):
    return CommandLine(server, RELEASES[request.param], tmp_path)


both_releases = pytest.mark.parametrize("aws", RELEASES.keys(), indirect=True)


@both_releases
def test_s3(aws, server, clients, unique, tmp_path):
    bucket = f"s3://{unique}"
    assert aws("s3", "mb", bucket).strip() == f"make_bucket: {unique}"
    large = bytes(range(256)) * (40 << 10)  # 10 MiB: several parts
    folder = tmp_path / "tree"
    (folder / "b c").mkdir(parents=True)
    (folder / "a.txt").write_text("hello\n")
    (folder / "b c" / "ü.bin").write_bytes(large)
    aws("s3", "cp", folder / "a.txt", f"{bucket}/one/a.txt")
    assert aws("s3", "cp", f"{bucket}/one/a.txt", "-") == "hello\n"
    assert aws("s3", "sync", folder, f"{bucket}/two").count("upload:") == 2
    assert aws("s3", "sync", folder, f"{bucket}/two") == "", "nothing has changed"
    listed = aws("s3", "ls", bucket, "--recursive", "--summarize")
    assert re.search(rf" {len(large)} two/b c/ü.bin\n", listed) and "Total Objects: 3" in listed
    assert aws("s3", "ls", f"{bucket}/").split() == ["PRE", "one/", "PRE", "two/"]
    aws("s3", "sync", f"{bucket}/two", tmp_path / "back")
    assert (tmp_path / "back" / "b c" / "ü.bin").read_bytes() == large
    aws("s3", "mv", f"{bucket}/one/a.txt", f"{bucket}/three/a.txt")
    link = aws("s3", "presign", f"{bucket}/three/a.txt", "--expires-in", "60").strip()
    connection = http.client.HTTPConnection(*server.host_port, timeout=20)
    connection.request("GET", link.removeprefix(server.endpoint_url))
    assert connection.getresponse().read() == b"hello\n"
    head = aws.json("s3api", "head-object", "--bucket", unique, "--key", "three/a.txt")
    assert head["ContentLength"] == 6 and head["ETag"] == clients.s3.head_object(Bucket=unique, Key="three/a.txt")["ETag"]
    assert "404" in aws.fails("s3", "cp", f"{bucket}/no-such-key", "-")
    assert "NoSuchBucket" in aws.fails("s3", "ls", f"s3://{unique}-none")
    aws("s3", "rm", f"{bucket}/two", "--recursive")
    aws("s3", "rb", bucket, "--force")
    assert unique not in aws("s3", "ls")


def test_a_job_a_model_and_an_endpoint(aws, clients, bucket, unique, tmp_path):
    small_jobs.upload_rows(clients, bucket)
    request = small_jobs.request(bucket, unique, rounds=4)
    made = aws.json("sagemaker", "create-training-job", "--cli-input-json", json.dumps(request))
    assert made["TrainingJobArn"].endswith(f":training-job/{unique}")
    aws("sagemaker", "wait", "training-job-completed-or-stopped", "--training-job-name", unique)
    job = aws.json("sagemaker", "describe-training-job", "--training-job-name", unique)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Completed", "Completed")
    names = aws("sagemaker", "list-training-jobs", "--name-contains", unique, "--query",
                "TrainingJobSummaries[].TrainingJobName", "--output", "text")
    assert names.strip() == unique

    group = "/aws/sagemaker/TrainingJobs"
    streams = aws.json("logs", "describe-log-streams", "--log-group-name", group, "--log-stream-name-prefix", f"{unique}/")
    (stream,) = streams["logStreams"]
    events = aws.json("logs", "get-log-events", "--log-group-name", group, "--log-stream-name", stream["logStreamName"],
                      "--start-from-head")["events"]
    assert any("[3]#011train-error:" in event["message"] for event in events)
    found = aws.json("logs", "filter-log-events", "--log-group-name", group, "--log-stream-name-prefix", f"{unique}/",
                     "--filter-pattern", '"[3]"')["events"]
    assert found and all("[3]" in event["message"] for event in found)

    container = json.dumps({"Image": jobs.IMAGE, "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"]})
    aws("sagemaker", "create-model", "--model-name", unique, "--execution-role-arn", models.ROLE, "--primary-container",
        container)
    aws("sagemaker", "create-endpoint-config", "--endpoint-config-name", unique, "--production-variants",
        f"VariantName=a,ModelName={unique},InitialInstanceCount=1,InstanceType=ml.m5.large")
    aws("sagemaker", "create-endpoint", "--endpoint-name", unique, "--endpoint-config-name", unique)
    aws("sagemaker", "wait", "endpoint-in-service", "--endpoint-name", unique)
    (tmp_path / "rows.csv").write_text("0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8\n")
    invoked = aws.json("sagemaker-runtime", "invoke-endpoint", "--endpoint-name", unique, "--content-type", "text/csv",
                       "--body", f"fileb://{tmp_path}/rows.csv", tmp_path / "out.txt")
    assert invoked["InvokedProductionVariant"] == "a" and 0 <= float((tmp_path / "out.txt").read_text()) <= 1
    refused = aws.fails("sagemaker-runtime", "invoke-endpoint", "--endpoint-name", f"{unique}-none", "--body", "x", "/dev/null")
    assert "ValidationError" in refused and f"Endpoint {unique}-none of account" in refused
    aws("sagemaker", "delete-endpoint", "--endpoint-name", unique)
    aws("sagemaker", "wait", "endpoint-deleted", "--endpoint-name", unique)


def test_log_groups(aws, unique):
    group = ("--log-group-name", f"/cli/{unique}")
    aws("logs", "create-log-group", *group)
    aws("logs", "create-log-stream", *group, "--log-stream-name", "s")
    aws("logs", "put-retention-policy", *group, "--retention-in-days", "14")
    (described,) = aws.json("logs", "describe-log-groups", "--log-group-name-prefix", group[1])["logGroups"]
    assert described["retentionInDays"] == 14
    aws("logs", "delete-retention-policy", *group)
    aws("logs", "delete-log-stream", *group, "--log-stream-name", "s")
    assert "ResourceNotFoundException" in aws.fails("logs", "delete-log-stream", *group, "--log-stream-name", "s")
    aws("logs", "delete-log-group", *group)
    assert aws.json("logs", "describe-log-groups", "--log-group-name-prefix", group[1])["logGroups"] == []


@both_releases
def test_cloudwatch(aws, unique):
    now = datetime.datetime.now(datetime.timezone.utc).replace(second=0, microsecond=0)
    times = [(now + datetime.timedelta(minutes=shift)).isoformat().replace("+00:00", "Z") for shift in (-2, -1, 1)]
    for value in ("1.5", "2.5"):
        aws("cloudwatch", "put-metric-data", "--namespace", unique, "--metric-name", "m", "--value", value, "--unit", "Count",
            "--timestamp", times[1], "--dimensions", "d=v & w")
    window = ("--start-time", times[0], "--end-time", times[2])
    statistics = aws.json("cloudwatch", "get-metric-statistics", "--namespace", unique, "--metric-name", "m", *window, "--period",
                          "60", "--statistics", "Sum", "Maximum", "--dimensions", "Name=d,Value=v & w")
    (point,) = statistics["Datapoints"]
    assert (point["Sum"], point["Maximum"], point["Unit"]) == (4.0, 2.5, "Count")
    moment = now - datetime.timedelta(minutes=1)  # Of JSON it prints the number, of XML the text.
    assert point["Timestamp"] in (moment.timestamp(), moment.strftime("%Y-%m-%dT%H:%M:%S.000Z"))
    query = [{"Id": "q", "MetricStat": {"Metric": {"Namespace": unique, "MetricName": "m", "Dimensions": [
        {"Name": "d", "Value": "v & w"}]}, "Period": 60, "Stat": "p50"}}]
    (result,) = aws.json("cloudwatch", "get-metric-data", "--metric-data-queries", json.dumps(query), *window)["MetricDataResults"]
    assert (result["Id"], result["StatusCode"], len(result["Values"])) == ("q", "Complete", 1)
    query = [{**query[0], "ReturnData": False}, {"Id": "e", "Expression": "100 * q", "Label": "<per cent>"}]
    (result,) = aws.json("cloudwatch", "get-metric-data", "--metric-data-queries", json.dumps(query), *window)["MetricDataResults"]
    assert (result["Label"], result["Values"]) == ("<per cent>", [150.0])
    (metric,) = aws.json("cloudwatch", "list-metrics", "--namespace", unique)["Metrics"]
    assert metric["Dimensions"] == [{"Name": "d", "Value": "v & w"}]

    alarm = ("--alarm-name", f"{unique}-high")
    aws("cloudwatch", "put-metric-alarm", *alarm, "--namespace", unique, "--metric-name", "m", "--statistic", "Sum", "--period", "60",
        "--evaluation-periods", "1", "--threshold", "3", "--comparison-operator", "GreaterThanThreshold", "--dimensions",
        "Name=d,Value=v & w")
    aws("cloudwatch", "set-alarm-state", *alarm, "--state-value", "ALARM", "--state-reason", "a <test>")
    (described,) = aws.json("cloudwatch", "describe-alarms", "--alarm-names", f"{unique}-high")["MetricAlarms"]
    assert (described["StateValue"], described["StateReason"], described["Threshold"]) == ("ALARM", "a <test>", 3.0)
    history = aws.json("cloudwatch", "describe-alarm-history", *alarm)["AlarmHistoryItems"]
    assert "StateUpdate" in {item["HistoryItemType"] for item in history}
    refused = aws.fails("cloudwatch", "get-metric-statistics", "--namespace", unique, "--metric-name", "m", *window, "--period", "61",
                        "--statistics", "Sum")
    assert "InvalidParameterValue" in refused and "Period" in refused
    aws("cloudwatch", "delete-alarms", "--alarm-names", f"{unique}-high")
    assert aws.json("cloudwatch", "describe-alarms", "--alarm-names", f"{unique}-high")["MetricAlarms"] == []


def test_the_old_release_speaks_the_query_protocol(server, tmp_path, unique):
    """Otherwise the tests above would say nothing of it."""
    old = CommandLine(server, RELEASES["2024"], tmp_path)
    command = [*old.command, "cloudwatch", "list-metrics", "--namespace", unique, "--debug"]
    assert "'Action': 'ListMetrics'" in programs.finish(server, command, environment=old.environment).stderr


def test_application_auto_scaling(aws, clients, bucket, unique):
    hosting = models.Hosting(clients, bucket, unique)
    endpoint = hosting.endpoint("e", hosting.config("c", {"a": (hosting.model("m", models.constant_archive(1.0)), 1)}))
    resource = ("--service-namespace", "sagemaker", "--resource-id", f"endpoint/{endpoint}/variant/a", "--scalable-dimension",
                "sagemaker:variant:DesiredInstanceCount")
    aws("application-autoscaling", "register-scalable-target", *resource, "--min-capacity", "1", "--max-capacity", "3")
    (target,) = aws.json("application-autoscaling", "describe-scalable-targets", "--service-namespace", "sagemaker",
                         "--resource-ids", f"endpoint/{endpoint}/variant/a")["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 3)
    policy = {"TargetValue": 70.0, "PredefinedMetricSpecification": {
        "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}}
    aws("application-autoscaling", "put-scaling-policy", *resource, "--policy-name", "p", "--policy-type", "TargetTrackingScaling",
        "--target-tracking-scaling-policy-configuration", json.dumps(policy))
    aws("application-autoscaling", "deregister-scalable-target", *resource)
