"""CloudWatch Logs through boto3: groups and streams of one's own, filters over streams, deletes and retention, what
endpoints say."""

import time

import pytest
from botocore.exceptions import ClientError
from harness import models, small_jobs
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


DAY = 86_400_000


def put_lines(logs, group: str, stream: str, *times: int) -> dict:
    return logs.put_log_events(logGroupName=group, logStreamName=stream,
                               logEvents=[{"timestamp": each, "message": f"at {each}"} for each in times])


def found_lines(logs, group: str, **request) -> list[str]:
    return [event["message"] for event in logs.filter_log_events(logGroupName=group, **request)["events"]]


def test_groups_and_streams_are_deleted(clients, unique):
    logs = clients.logs
    group, now = f"/test/{unique}", int(time.time() * 1000)
    for call, request in ((logs.delete_log_group, {}), (logs.delete_log_stream, {"logStreamName": "a"}),
                          (logs.put_retention_policy, {"retentionInDays": 1}), (logs.delete_retention_policy, {})):
        assert code_of(call, logGroupName=group, **request) == "ResourceNotFoundException"
    logs.create_log_group(logGroupName=group)
    assert code_of(logs.delete_log_stream, logGroupName=group, logStreamName="a") == "ResourceNotFoundException"
    for stream in ("a", "b"):
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        put_lines(logs, group, stream, now, now + 1)
    token = logs.get_log_events(logGroupName=group, logStreamName="a", startFromHead=True)["nextForwardToken"]
    logs.delete_log_stream(logGroupName=group, logStreamName="a")
    assert [each["logStreamName"] for each in logs.describe_log_streams(logGroupName=group)["logStreams"]] == ["b"]
    assert len(found_lines(logs, group)) == 2
    with pytest.raises(ClientError, match="log stream does not exist"):
        put_lines(logs, group, "a", now)
    with pytest.raises(ClientError, match="log stream does not exist"):
        logs.get_log_events(logGroupName=group, logStreamName="a", nextToken=token)
    logs.create_log_stream(logGroupName=group, logStreamName="a")
    assert logs.get_log_events(logGroupName=group, logStreamName="a", startFromHead=True)["events"] == []
    logs.put_retention_policy(logGroupName=group, retentionInDays=30)
    logs.delete_log_group(logGroupName=group)
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"] == []
    assert code_of(logs.filter_log_events, logGroupName=group) == "ResourceNotFoundException"
    logs.create_log_group(logGroupName=group)
    (made,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert "retentionInDays" not in made and made["creationTime"] >= now and found_lines(logs, group) == []


def test_retention_expires_events(clients, unique):
    logs = clients.logs
    group, now = f"/test/{unique}", int(time.time() * 1000)
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="a")
    old, young = now - 5 * DAY, now - DAY
    put_lines(logs, group, "a", old, old + 1, young, now)
    with pytest.raises(ClientError, match="enum value set: .*3653") as caught:
        logs.put_retention_policy(logGroupName=group, retentionInDays=2)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterException"

    logs.put_retention_policy(logGroupName=group, retentionInDays=3)
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["retentionInDays"] == 3
    kept = [f"at {young}", f"at {now}"]
    assert found_lines(logs, group) == found_lines(logs, group, startTime=old) == kept
    assert found_lines(logs, group, endTime=old + 1) == []
    read = logs.get_log_events(logGroupName=group, logStreamName="a", startFromHead=True)
    assert [event["message"] for event in read["events"]] == kept
    assert logs.get_log_events(logGroupName=group, logStreamName="a", nextToken=read["nextBackwardToken"])["events"] == []
    put = put_lines(logs, group, "a", now - 20 * DAY, now - 4 * DAY, now)
    assert put["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1, "expiredLogEventEndIndex": 2}
    assert found_lines(logs, group) == [*kept, f"at {now}"]

    logs.delete_retention_policy(logGroupName=group)
    (described,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert "retentionInDays" not in described


def test_the_stream_of_a_running_job_comes_back_with_its_next_line(server, clients, bucket, unique):
    """In a region of the test's own, whose group of training jobs nobody else reads."""
    sagemaker, logs = (clients.client(name, region="eu-north-1") for name in ("sagemaker", "logs"))
    small_jobs.upload_rows(clients, bucket)
    group = {"logGroupName": "/aws/sagemaker/TrainingJobs"}
    sagemaker.create_training_job(**small_jobs.endless(bucket, unique))

    def lines() -> list[str]:
        try:
            return found_lines(logs, group["logGroupName"], logStreamNamePrefix=f"{unique}/")
        except logs.exceptions.ResourceNotFoundException:
            return []

    try:
        assert poll(lambda: [line for line in lines() if line.startswith("[0]")])
        logs.put_retention_policy(**group, retentionInDays=7)
        logs.delete_log_group(**group)
        later = poll(lines)
        assert later and not any(line.startswith("[0]") for line in later)
        (described,) = logs.describe_log_groups(logGroupNamePrefix=group["logGroupName"])["logGroups"]
        assert "retentionInDays" not in described
    finally:
        sagemaker.stop_training_job(TrainingJobName=unique)
        poll(lambda: sagemaker.describe_training_job(TrainingJobName=unique)["TrainingJobStatus"] == "Stopped")
