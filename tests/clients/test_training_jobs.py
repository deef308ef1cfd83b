"""Training jobs through today's boto3 and SageMaker SDK 2: states, stops, lists, logs, metrics, errors."""

from __future__ import annotations

import datetime
import time

import boto3
import pytest
import xgboost
from botocore.exceptions import ClientError
from harness import small_jobs
from harness.jobs import ROLE

ARN = "arn:aws:sagemaker:us-east-1:123456789012:training-job/"


@pytest.fixture
def data(clients, bucket):
    """A bucket with five small part files under train/."""
    small_jobs.upload_rows(clients, bucket)
    return bucket


def refused(call, **arguments) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_two_jobs_run_at_once_and_the_waiter_need_not_wait_its_interval(clients, data, unique, tmp_path):
    sagemaker = clients.sagemaker
    # The first lasts until the second has been seen training: neither can have waited for the other.
    sagemaker.create_training_job(**small_jobs.endless(data, f"{unique}-a"))
    sagemaker.create_training_job(**small_jobs.endless(data, f"{unique}-b", instances=2, sharded=True))
    small_jobs.wait_for_stage(clients, f"{unique}-a", "Training")
    small_jobs.wait_for_stage(clients, f"{unique}-b", "Training")
    for job in ("a", "b"):
        sagemaker.stop_training_job(TrainingJobName=f"{unique}-{job}")
    started = time.monotonic()
    for job in ("a", "b"):
        sagemaker.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName=f"{unique}-{job}")
    assert time.monotonic() - started < 60, "the waiter's interval is 120 s"


def test_one_and_two_instances_give_the_same_model_and_stock_xgboost_reads_it(clients, data, unique, tmp_path):
    for name, options in {"one": {}, "two": {"instances": 2, "sharded": True}}.items():
        clients.sagemaker.create_training_job(**small_jobs.request(data, f"{unique}-{name}", **options))
    jobs = {name: small_jobs.wait_for_end(clients, f"{unique}-{name}") for name in ("one", "two")}
    for name, job in jobs.items():
        assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
        assert small_jobs.stages(job) == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
        assert job["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://{data}/out/{unique}-{name}/output/model.tar.gz"
        times = [t["StartTime"] for t in job["SecondaryStatusTransitions"]]
        assert times == sorted(times)
        assert job["TrainingStartTime"] == job["SecondaryStatusTransitions"][1]["StartTime"]
        assert job["TrainingEndTime"] == job["SecondaryStatusTransitions"][-1]["StartTime"]
        assert job["TrainingTimeInSeconds"] >= 1
        assert [m["MetricName"] for m in job["FinalMetricDataList"]] == ["train:error"]
        streams = clients.logs.describe_log_streams(
            logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=f"{unique}-{name}/")["logStreams"]
        assert [s["logStreamName"].rsplit("-", 1)[0] for s in streams] == [
            f"{unique}-{name}/algo-{n + 1}" for n in range(job["ResourceConfig"]["InstanceCount"])]
    assert "2 x ml.m4.10xlarge run here as 2 processes" in jobs["two"]["SecondaryStatusTransitions"][0]["StatusMessage"]
    models = [small_jobs.model_bytes(clients, data, f"{unique}-{name}") for name in ("one", "two")]
    assert models[0] == models[1]
    (tmp_path / "xgboost-model").write_bytes(models[0])
    booster = xgboost.Booster(model_file=tmp_path / "xgboost-model")
    assert booster.num_boosted_rounds() == 3


def test_what_the_request_said_is_echoed(clients, data, unique):
    arguments = small_jobs.request(
        data, unique, uri=f"https://s3-us-east-1.amazonaws.com/{data}/train", Environment={"A": "b"},
        DebugHookConfig={"S3OutputPath": f"s3://{data}/debug", "CollectionConfigurations": []},
        ProfilerConfig={"S3OutputPath": f"s3://{data}/profile", "DisableProfiler": False},
        Tags=[{"Key": "team", "Value": "red"}])
    arguments["OutputDataConfig"]["S3OutputPath"] += "/"
    arn = clients.sagemaker.create_training_job(**arguments)["TrainingJobArn"]
    assert arn == ARN + unique
    job = small_jobs.wait_for_end(clients, unique)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    for member in ("HyperParameters", "RoleArn", "ResourceConfig", "StoppingCondition", "Environment", "DebugHookConfig",
                   "ProfilerConfig"):
        assert job[member] == arguments[member], member
    assert job["OutputDataConfig"] == {"KmsKeyId": "", "S3OutputPath": f"s3://{data}/out/", "CompressionType": "GZIP"}
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://{data}/out/{unique}/output/model.tar.gz"
    assert job["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"].startswith("https://s3-us-east-1.")
    assert "Tags" not in job
    assert clients.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "red"}]
    events = log_lines(clients, f"{unique}/algo-1")
    assert "Espalier: accepted without effect: DebugHookConfig: no tensors are saved." in events


def log_lines(clients, prefix: str) -> list[str]:
    stream = clients.logs.describe_log_streams(
        logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=prefix)["logStreams"][0]["logStreamName"]
    return [event["message"] for event in clients.logs.get_log_events(
        logGroupName="/aws/sagemaker/TrainingJobs", logStreamName=stream, startFromHead=True)["events"]]


def test_output_without_compression(clients, data, unique):
    clients.sagemaker.create_training_job(**small_jobs.request(
        data, unique, OutputDataConfig={"S3OutputPath": f"s3://{data}/out", "CompressionType": "NONE"}))
    job = small_jobs.wait_for_end(clients, unique)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://{data}/out/{unique}/output/model/"
    assert clients.s3.head_object(Bucket=data, Key=f"out/{unique}/output/model/xgboost-model")["ContentLength"] > 100


@pytest.mark.parametrize("instances", [1, 2])
def test_a_stop_while_training_keeps_the_model_so_far(clients, data, unique, tmp_path, instances):
    clients.sagemaker.create_training_job(**small_jobs.endless(data, unique, instances=instances, sharded=True))
    small_jobs.wait_for_stage(clients, unique, "Training")
    deadline = time.monotonic() + 30
    while not any("train-merror" in line for line in log_lines(clients, f"{unique}/algo-1")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    clients.sagemaker.stop_training_job(TrainingJobName=unique)
    clients.sagemaker.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName=unique)
    job = clients.sagemaker.describe_training_job(TrainingJobName=unique)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert small_jobs.stages(job) == ["Starting", "Downloading", "Training", "Stopping", "Stopped"]
    assert job["SecondaryStatusTransitions"][-1]["StatusMessage"] == "Training job stopped"
    (tmp_path / "xgboost-model").write_bytes(small_jobs.model_bytes(clients, data, unique))
    assert xgboost.Booster(model_file=tmp_path / "xgboost-model").num_boosted_rounds() >= 1
    assert refused(clients.sagemaker.stop_training_job, TrainingJobName=unique) == (
        "ValidationException", "The request was rejected because the training job is in status Stopped.")


def test_stops_at_any_moment_end_the_job(clients, data, unique):
    """From Starting on: the moments are spread over the life of a short job."""
    ends = set()
    for moment in range(8):
        name = f"{unique}-{moment}"
        clients.sagemaker.create_training_job(**small_jobs.request(data, name, rounds=200))
        time.sleep(moment * 0.04)  # Not a wait for anything: the moment itself is the test's parameter.
        try:
            clients.sagemaker.stop_training_job(TrainingJobName=name)
        except ClientError as error:
            assert error.response["Error"]["Message"] == (
                "The request was rejected because the training job is in status Completed.")
        job = small_jobs.wait_for_end(clients, name)
        assert job["TrainingJobStatus"] in ("Stopped", "Completed"), job.get("FailureReason")
        assert job["SecondaryStatusTransitions"][-1]["EndTime"] == job["SecondaryStatusTransitions"][-1]["StartTime"]
        ends.add(job["TrainingJobStatus"])
    assert "Stopped" in ends


def test_a_queued_job_stops_at_once(server_factory, unique):
    from harness.clients import Clients

    clients = Clients(server_factory())
    clients.s3.create_bucket(Bucket=unique)
    small_jobs.upload_rows(clients, unique, files=1)
    names = []
    # One more than there are slots is Starting for as long as the others last.
    while not names or small_jobs.secondary_status(clients, names[-1]) != "Starting" or len(names) < 3:
        names.append(f"j{len(names)}")
        clients.sagemaker.create_training_job(**small_jobs.endless(unique, names[-1]))
        assert len(names) <= 70
        if len(names) >= 3:
            small_jobs.wait_for_stage(clients, names[0], "Training")
            time.sleep(0.2)  # A job that has a slot leaves Starting in milliseconds.
    clients.sagemaker.stop_training_job(TrainingJobName=names[-1])
    job = small_jobs.wait_for_end(clients, names[-1])
    assert small_jobs.stages(job) == ["Starting", "Stopping", "Stopped"]
    assert "TrainingStartTime" not in job and "TrainingTimeInSeconds" not in job


def test_max_runtime_stops_the_job(clients, data, unique):
    clients.sagemaker.create_training_job(**small_jobs.endless(data, unique, max_runtime_seconds=2))
    job = small_jobs.wait_for_end(clients, unique)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert 2 <= (job["TrainingEndTime"] - job["TrainingStartTime"]).total_seconds() < 2 + 5, "at most 5 s late"
    assert small_jobs.model_bytes(clients, data, unique)


def test_lists_filter_sort_and_page(clients, data, unique):
    sagemaker = clients.sagemaker
    names = [f"{unique}-{letter}" for letter in "bac"]
    for name in names:
        sagemaker.create_training_job(**small_jobs.request(data, name, rounds=1))
        small_jobs.wait_for_end(clients, name)

    def listed(**query):
        pages = sagemaker.get_paginator("list_training_jobs").paginate(NameContains=unique.upper(), **query)
        return [row["TrainingJobName"] for page in pages for row in page["TrainingJobSummaries"]]

    assert listed() == names
    assert listed(SortOrder="Descending") == names[::-1]
    assert listed(SortBy="Name") == sorted(names)
    assert listed(SortBy="Name", SortOrder="Descending", MaxResults=1) == sorted(names, reverse=True)
    assert listed(StatusEquals="Failed") == []
    assert sorted(listed(StatusEquals="Completed", SortBy="Status", MaxResults=2)) == sorted(names)
    created = sagemaker.describe_training_job(TrainingJobName=names[1])["CreationTime"]
    millisecond = datetime.timedelta(milliseconds=1)
    assert listed(CreationTimeAfter=created) == names[2:]
    assert listed(CreationTimeBefore=created + millisecond) == names[:2]
    assert listed(LastModifiedTimeAfter=created + datetime.timedelta(hours=1)) == []
    page = sagemaker.list_training_jobs(NameContains=unique, MaxResults=1)
    assert set(page["TrainingJobSummaries"][0]) == {
        "TrainingJobName", "TrainingJobArn", "CreationTime", "TrainingEndTime", "LastModifiedTime", "TrainingJobStatus",
        "SecondaryStatus"}
    code, text = refused(sagemaker.list_training_jobs, NameContains="other", NextToken=page["NextToken"])
    assert code == "ValidationException" and "NextToken" in text


def test_errors_have_the_documented_codes_and_texts(clients, data, unique):
    sagemaker = clients.sagemaker
    create = sagemaker.create_training_job
    assert refused(sagemaker.describe_training_job, TrainingJobName=unique) == (
        "ValidationException", "Requested resource not found.")
    assert refused(sagemaker.stop_training_job, TrainingJobName=unique) == (
        "ValidationException", "Requested resource not found.")
    create(**small_jobs.request(data, unique, rounds=1))
    assert refused(create, **small_jobs.request(data, unique)) == (
        "ResourceInUse", "Training job names must be unique within an AWS account and region, and a training job with "
        f"this name already exists ({ARN}{unique})")
    assert refused(create, **small_jobs.request(data, f"{unique}-x", uri=f"s3://{data}/nothing")) == (
        "ValidationException",
        f'No S3 objects found under S3 URL "s3://{data}/nothing" given in input data source. Please ensure that the bucket '
        'exists in the selected region (us-east-1), that objects exist under that S3 prefix, and that the role '
        f'"{ROLE}" has "s3:ListBucket" permissions on bucket "{data}".')
    code, text = refused(create, **small_jobs.request(data, f"{unique}-x", instances=65))
    assert code == "ResourceLimitExceeded" and "ml.m4.10xlarge for training job usage" in text
    small_jobs.wait_for_end(clients, unique)


@pytest.mark.parametrize("change, text", [
    ({"AlgorithmSpecification": {"TrainingImage": "123456789012.dkr.ecr.us-east-1.amazonaws.com/mine:1",
                                 "TrainingInputMode": "File"}}, "Supported are the built-in XGBoost images"),
    ({"AlgorithmSpecification": {"AlgorithmName": "market", "TrainingInputMode": "File"}}, "there is no marketplace here"),
    ({"AlgorithmSpecification": {"TrainingImage": "xgboost:1", "TrainingInputMode": "Pipe"}}, "Pipe input mode"),
    ({"AlgorithmSpecification": {"TrainingImage": "xgboost:1", "TrainingInputMode": "File",
                                 "MetricDefinitions": [{"Name": "m", "Regex": "x"}]}},
     "You can't override the metric definitions for Amazon SageMaker algorithms."),
    ({"HyperParameters": {"sagemaker_program": '"train.py"', "num_round": "1"}}, "Script mode is not supported"),
    ({"StoppingCondition": {"MaxRuntimeInSeconds": 10, "MaxWaitTimeInSeconds": 5}, "EnableManagedSpotTraining": True},
     "Invalid MaxWaitTimeInSeconds"),
    ({"EnableManagedSpotTraining": True}, "Invalid MaxWaitTimeInSeconds. It must be present"),
    ({"ResourceConfig": {"InstanceType": "ml.m4.xlarge", "InstanceCount": 0, "VolumeSizeInGB": 1}}, "at least 1"),
    ({"OutputDataConfig": {"S3OutputPath": "s3://Not_A_Bucket/x"}}, "no valid bucket name"),
])
def test_what_this_server_cannot_run_is_refused_at_create(clients, data, unique, change, text):
    code, message = refused(clients.sagemaker.create_training_job, **small_jobs.request(data, unique, **change))
    assert code == "ValidationException" and text in message, message


def test_manifests_and_twin_channels_are_refused(clients, data, unique):
    arguments = small_jobs.request(data, unique)
    arguments["InputDataConfig"] = arguments["InputDataConfig"] * 2
    assert "two channels called 'train'" in refused(clients.sagemaker.create_training_job, **arguments)[1]
    arguments = small_jobs.request(data, unique)
    arguments["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3DataType"] = "ManifestFile"
    assert "S3DataType ManifestFile is not supported" in refused(clients.sagemaker.create_training_job, **arguments)[1]


def test_regions_keep_their_own_jobs(clients, data, unique):
    clients.sagemaker.create_training_job(**small_jobs.request(data, unique, rounds=1))
    there = clients.client("sagemaker", region="eu-central-1")
    assert refused(there.describe_training_job, TrainingJobName=unique)[1] == "Requested resource not found."
    assert there.create_training_job(**small_jobs.request(data, unique, rounds=1))["TrainingJobArn"] == (
        f"arn:aws:sagemaker:eu-central-1:123456789012:training-job/{unique}")
    small_jobs.wait_for_end(clients, unique)


def test_sdk_2_reads_logs_and_analytics(server, clients, data, unique, monkeypatch, capsys):
    for name, value in server.client_environment().items():
        monkeypatch.setenv(name, value)
    import sagemaker
    from sagemaker.analytics import TrainingJobAnalytics

    session = sagemaker.Session(boto_session=boto3.Session(), default_bucket=data)
    clients.sagemaker.create_training_job(**small_jobs.request(data, unique, rounds=3, instances=2, sharded=True))
    session.logs_for_job(unique, wait=True, poll=1)
    printed = capsys.readouterr().out
    assert "[2]#011train-error:" in printed
    assert "Training job completed" in printed or "Completed" in printed
    frame = TrainingJobAnalytics(unique, metric_names=["train:error"], sagemaker_session=session).dataframe()
    assert list(frame["metric_name"]) == ["train:error"], "three rounds in seconds are one point"
    assert 0 <= frame["value"][0] <= 1
    assert session.describe_training_job(unique)["TrainingJobStatus"] == "Completed"


def test_log_paging_gives_every_event_once(clients, data, unique):
    clients.sagemaker.create_training_job(**small_jobs.request(data, unique, rounds=30))
    small_jobs.wait_for_end(clients, unique)
    whole = log_lines(clients, f"{unique}/algo-1")
    stream = clients.logs.describe_log_streams(
        logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=f"{unique}/")["logStreams"][0]["logStreamName"]
    where = {"logGroupName": "/aws/sagemaker/TrainingJobs", "logStreamName": stream}

    def read(direction: str, **first) -> list[str]:
        page, lines = clients.logs.get_log_events(**where, limit=7, **first), []
        while page["events"]:
            texts = [event["message"] for event in page["events"]]
            lines = lines + texts if direction == "Forward" else texts + lines
            page = clients.logs.get_log_events(**where, limit=7, nextToken=page[f"next{direction}Token"])
        return lines

    assert len(whole) >= 30
    assert read("Forward", startFromHead=True) == whole
    assert read("Backward") == whole
    events = clients.logs.get_log_events(**where, startFromHead=True)["events"]
    last = events[-1]["timestamp"]
    tail = clients.logs.get_log_events(**where, startFromHead=True, startTime=last)["events"]
    assert tail == [event for event in events if event["timestamp"] >= last], "startTime is inclusive"
    assert clients.logs.get_log_events(**where, startFromHead=True, endTime=events[0]["timestamp"])["events"] == []


def test_pipe_and_fast_file_give_the_model_of_files(clients, unique):
    """The same CSV in the three input modes, in two objects of which the first lacks its last line end."""
    data = f"{unique}-data"
    clients.s3.create_bucket(Bucket=data)
    for key, text in {"train/a": "1,5,2\n0,1,7\n1,4,3", "train/b": "0,2,9\n1,6,1\n" * 20}.items():
        clients.s3.put_object(Bucket=data, Key=key, Body=text.encode())
    models = []
    for mode in ("File", "FastFile", "Pipe"):
        request = small_jobs.request(data, f"{unique}-{mode}", image=small_jobs.IMAGE.replace("xgboost:1", "sagemaker-xgboost:1.7-1"))
        request["HyperParameters"] = {"objective": "binary:logistic", "num_round": "2", "min_child_weight": "0"}
        request["AlgorithmSpecification"]["TrainingInputMode"] = mode
        for channel in request["InputDataConfig"]:
            channel["ContentType"] = "text/csv"
        clients.sagemaker.create_training_job(**request)
        job = small_jobs.wait_for_end(clients, f"{unique}-{mode}")
        assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
        assert job["AlgorithmSpecification"]["TrainingInputMode"] == mode
        models.append(small_jobs.model_bytes(clients, data, f"{unique}-{mode}"))
    assert models[0] == models[1] == models[2]
