"""Too many requests at once: 429 and a time to come again, never a wait without end."""

import concurrent.futures
import time

from botocore.exceptions import ClientError
from harness import models
from harness.clients import Clients


def test_what_is_more_than_the_instances_take_is_refused_at_once(server_factory, tmp_path, unique):
    (tmp_path / "config.toml").write_text("[runtime]\nrunning_per_instance = 1\nwaiting_per_instance = 0\n")
    clients = Clients(server_factory(flags=("--config", str(tmp_path / "config.toml"))))
    clients.s3.create_bucket(Bucket=unique)
    hosting = models.Hosting(clients, unique, unique)
    endpoint = hosting.serve(models.constant_archive(1.0))
    body = b"1,2,3,4,5,6\n" * 100_000
    runtime = clients.client("sagemaker-runtime", max_pool_connections=8)

    def invoke(_) -> str:
        try:
            answer = runtime.invoke_endpoint(EndpointName=endpoint, Body=body, ContentType="text/csv")
            return f"{len(answer['Body'].read().split(b','))} rows"
        except ClientError as error:
            answer = error.response["ResponseMetadata"]
            assert answer["HTTPStatusCode"] == 429
            assert int(answer["HTTPHeaders"]["retry-after"]) >= 1 and int(answer["HTTPHeaders"]["x-amz-retry-after"]) >= 1
            return error.response["Error"]["Code"]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(invoke, range(64)))
    assert set(answers) == {"100000 rows", "ThrottlingException"}
    assert invoke(0) == "100000 rows"
    (point,) = clients.cloudwatch.get_metric_data(
        StartTime=time.time() - 3600, EndTime=time.time() + 60, MetricDataQueries=[{"Id": "q", "MetricStat": {
            "Metric": {"Namespace": "AWS/SageMaker", "MetricName": "Invocation4XXErrors", "Dimensions": [
                {"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "AllTraffic"}]},
            "Period": 86400, "Stat": "Sum"}}])["MetricDataResults"]
    assert sum(point["Values"]) == answers.count("ThrottlingException")


def test_those_who_wait_are_answered(server_factory, tmp_path, unique):
    (tmp_path / "config.toml").write_text("[runtime]\nrunning_per_instance = 1\nwaiting_per_instance = 100\n")
    clients = Clients(server_factory(flags=("--config", str(tmp_path / "config.toml"))))
    clients.s3.create_bucket(Bucket=unique)
    hosting = models.Hosting(clients, unique, unique)
    endpoint = hosting.serve(models.constant_archive(1.0))
    runtime = clients.client("sagemaker-runtime", max_pool_connections=16)

    def invoke(_) -> bytes:
        return runtime.invoke_endpoint(EndpointName=endpoint, Body=b"1,2", ContentType="text/csv")["Body"].read()

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert set(pool.map(invoke, range(400))) == {b"1.0"}
