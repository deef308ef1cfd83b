"""CloudWatch Logs through boto3: groups and streams of one's own, filters over streams, what endpoints say."""

import time

import pytest
from botocore.exceptions import ClientError
from harness import models
from harness.polling import poll


def code_of(call, **request) -> str:
    with pytest.raises(ClientError) as caught:
        call(**request)
    return caught.value.response["Error"]["Code"]


def test_events_that_were_put_are_found_over_streams(clients, unique):
    logs = clients.logs
    group = f"/test/{unique}"
    assert code_of(logs.create_log_stream, logGroupName=group, logStreamName="a") == "ResourceNotFoundException"
    logs.create_log_group(logGroupName=group)
    assert code_of(logs.create_log_group, logGroupName=group) == "ResourceAlreadyExistsException"
    (found,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert found["logGroupName"] == group and not logs.describe_log_streams(logGroupName=group)["logStreams"]
    now = int(time.time() * 1000)
    for stream in ("a", "b"):
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[
            {"timestamp": now - 1000 + 10 * i + ord(stream), "message": f"{stream} {i} {'ERROR disk' if i % 3 == 0 else 'fine'}"}
            for i in range(50)])
    assert code_of(logs.create_log_stream, logGroupName=group, logStreamName="a") == "ResourceAlreadyExistsException"

    def messages(**request) -> list[str]:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, PaginationConfig={"PageSize": 7}, **request)
        return [event["message"] for page in pages for event in page["events"]]

    everything = messages()
    assert len(everything) == 100 and everything[:4] == ["a 0 ERROR disk", "b 0 ERROR disk", "a 1 fine", "b 1 fine"]
    assert messages(filterPattern="ERROR -b") == [f"a {i} ERROR disk" for i in range(0, 50, 3)]
    assert messages(filterPattern='"0 ERROR"', logStreamNames=["b"]) == ["b 0 ERROR disk", "b 30 ERROR disk"]
    assert messages(filterPattern="?49 ?48", logStreamNamePrefix="a") == ["a 48 ERROR disk", "a 49 fine"]
    last = now - 1000 + 490 + ord("a")
    assert messages(startTime=last) == ["a 49 fine", "b 49 fine"]
    assert messages(endTime=now - 1000 + ord("b")) == ["a 0 ERROR disk", "b 0 ERROR disk"]
    assert code_of(logs.filter_log_events, logGroupName=group, filterPattern="{ $.a = 1 }") == "InvalidParameterException"
    assert code_of(logs.filter_log_events, logGroupName=group, nextToken="x") == "InvalidParameterException"
    old = logs.put_log_events(logGroupName=group, logStreamName="a", logEvents=[
        {"timestamp": now - 15 * 86_400_000, "message": "old"}, {"timestamp": now, "message": "new"}])
    assert old["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1}
    assert len(messages()) == 101
    backwards = [{"timestamp": now, "message": "x"}, {"timestamp": now - 1, "message": "y"}]
    assert code_of(logs.put_log_events, logGroupName=group, logStreamName="a", logEvents=backwards) == "InvalidParameterException"


def test_an_endpoint_says_that_it_is_in_service(clients, bucket, unique):
    """SDK 2's deploy(endpoint_logging=True) waits for this log group, for ever."""
    hosting = models.Hosting(clients, bucket, unique)
    endpoint = hosting.serve(models.constant_archive(1.0))
    group = f"/aws/sagemaker/Endpoints/{endpoint}"
    assert poll(lambda: clients.logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"])
    (event,) = clients.logs.filter_log_events(logGroupName=group, logStreamNamePrefix="AllTraffic/")["events"]
    assert event["message"].startswith("In service: s3://")


def test_an_endpoint_says_what_its_model_refused(clients, bucket, unique):
    hosting = models.Hosting(clients, bucket, unique)
    endpoint = hosting.serve(models.constant_archive(1.0))
    with pytest.raises(ClientError):
        hosting.invoke(endpoint, b"1,x")
    group = f"/aws/sagemaker/Endpoints/{endpoint}"
    (event,) = poll(lambda: clients.logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"] and clients.logs.filter_log_events(
        logGroupName=group, filterPattern="invocations 415")["events"])
    assert event["logStreamName"].startswith("AllTraffic/") and "csv" in event["message"]
