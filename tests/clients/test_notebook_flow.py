"""The notebook's flow call by call through boto3, on a few thousand rows, each reply looked at."""

from __future__ import annotations

import datetime
import io
import math
import re
import tarfile

import botocore.exceptions
import numpy as np
import pytest
import xgboost
from harness import jobs, mnist
from harness.clients import Clients

TRAIN_ROWS, VALIDATION_ROWS, TEST_ROWS = 3000, 600, 500


@pytest.fixture(scope="module")
def flow(shared_server):
    """Both jobs done, the model of the two-instance job behind an endpoint. Tests below look at what there is."""
    class Flow:
        clients = Clients(shared_server)
        bucket = "notebook-flow"
        single, distributed = "Flow-single", "Flow-distributed"

    s3, sagemaker = Flow.clients.s3, Flow.clients.sagemaker
    Flow.created_bucket = s3.create_bucket(Bucket=Flow.bucket)
    jobs.upload_mnist(Flow.clients, Flow.bucket, train_rows=TRAIN_ROWS, validation_rows=VALIDATION_ROWS)
    Flow.arns, Flow.descriptions = {}, {}
    for name, instances, distribution in ((Flow.single, 1, "FullyReplicated"), (Flow.distributed, 2, "ShardedByS3Key")):
        request = jobs.training_job(Flow.bucket, name, instances=instances, distribution=distribution)
        Flow.arns[name] = sagemaker.create_training_job(**request)["TrainingJobArn"]
    Flow.first_looks = {name: sagemaker.describe_training_job(TrainingJobName=name) for name in Flow.arns}
    for name in Flow.arns:
        sagemaker.get_waiter("training_job_completed_or_stopped").wait(
            TrainingJobName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 90})
        Flow.descriptions[name] = sagemaker.describe_training_job(TrainingJobName=name)
    Flow.artifact = Flow.descriptions[Flow.distributed]["ModelArtifacts"]["S3ModelArtifacts"]
    return Flow


@pytest.fixture(scope="module")
def hosted(flow):
    sagemaker = flow.clients.sagemaker
    flow.model_arn = sagemaker.create_model(
        ModelName="Flow-model", ExecutionRoleArn=jobs.ROLE,
        PrimaryContainer={"Image": jobs.IMAGE, "ModelDataUrl": flow.artifact})["ModelArn"]
    flow.config_arn = sagemaker.create_endpoint_config(EndpointConfigName="Flow-config", ProductionVariants=[{
        "InstanceType": "ml.m4.xlarge", "InitialVariantWeight": 1, "InitialInstanceCount": 1, "ModelName": "Flow-model",
        "VariantName": "AllTraffic"}])["EndpointConfigArn"]
    flow.endpoint_arn = sagemaker.create_endpoint(
        EndpointName="Flow-Endpoint", EndpointConfigName="Flow-config")["EndpointArn"]
    flow.first_endpoint_look = sagemaker.describe_endpoint(EndpointName="Flow-Endpoint")
    return flow


def test_both_jobs_complete(flow):
    for name, description in flow.descriptions.items():
        assert description["TrainingJobStatus"] == "Completed", description.get("FailureReason")
        assert description["SecondaryStatus"] == "Completed"
        assert description["TrainingJobArn"] == flow.arns[name] \
            == f"arn:aws:sagemaker:us-east-1:123456789012:training-job/{name.lower()}"


def test_the_first_look_shows_a_job_under_way_or_done(flow):
    for description in flow.first_looks.values():
        assert description["TrainingJobStatus"] in ("InProgress", "Completed")
        assert description["ModelArtifacts"]["S3ModelArtifacts"].endswith("/output/model.tar.gz")


def test_the_description_repeats_the_request(flow):
    request = jobs.training_job(flow.bucket, flow.distributed, instances=2, distribution="ShardedByS3Key")
    description = flow.descriptions[flow.distributed]
    for member in ("RoleArn", "ResourceConfig", "HyperParameters", "StoppingCondition", "InputDataConfig"):
        expected = request[member]
        if member == "InputDataConfig":
            expected = [{**channel, "RecordWrapperType": "None"} for channel in expected]
        assert description[member] == expected, member
    assert description["OutputDataConfig"] == {
        "KmsKeyId": "", "S3OutputPath": request["OutputDataConfig"]["S3OutputPath"], "CompressionType": "GZIP"}
    algorithm = description["AlgorithmSpecification"]
    assert algorithm["TrainingImage"] == jobs.IMAGE and algorithm["TrainingInputMode"] == "File"


def test_the_times_of_a_job_fit_together(flow):
    for description in flow.descriptions.values():
        transitions = description["SecondaryStatusTransitions"]
        assert [t["Status"] for t in transitions] == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
        assert all(t["StatusMessage"] for t in transitions)
        for earlier, later in zip(transitions, transitions[1:]):
            assert earlier["EndTime"] == later["StartTime"] and earlier["StartTime"] <= earlier["EndTime"]
        assert description["CreationTime"] <= description["TrainingStartTime"] == transitions[1]["StartTime"]
        assert description["TrainingEndTime"] == transitions[3]["EndTime"] <= description["LastModifiedTime"]
        seconds = (description["TrainingEndTime"] - description["TrainingStartTime"]).total_seconds()
        assert description["TrainingTimeInSeconds"] == max(1, math.ceil(seconds))
        age = datetime.datetime.now(datetime.timezone.utc) - description["CreationTime"]
        assert datetime.timedelta(0) <= age < datetime.timedelta(minutes=5)


def test_both_jobs_ran_at_the_same_time(flow):
    spans = [(d["CreationTime"], d["TrainingEndTime"]) for d in flow.descriptions.values()]
    starts = [d["TrainingStartTime"] for d in flow.descriptions.values()]
    assert max(starts) < min(end for _, end in spans), "the second job started only when the first had ended"


def test_metrics_are_the_ones_of_the_log(flow):
    logs = flow.clients.logs
    for name, description in flow.descriptions.items():
        instances = description["ResourceConfig"]["InstanceCount"]
        streams = logs.describe_log_streams(
            logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=f"{name}/", orderBy="LogStreamName",
            limit=instances)
        assert "nextToken" not in streams
        names = [stream["logStreamName"] for stream in streams["logStreams"]]
        assert [re.fullmatch(rf"{name}/algo-(\d)-\d+", n).group(1) for n in names] == [str(i + 1) for i in range(instances)]
        events = logs.get_log_events(
            logGroupName="/aws/sagemaker/TrainingJobs", logStreamName=names[0], startFromHead=True)["events"]
        lines = [e["message"] for e in events]
        rounds = [m for line in lines if (m := re.search(
            r"\[(\d+)\]#011train-merror:([0-9.e-]+)#011validation-merror:([0-9.e-]+)", line))]
        assert [int(m.group(1)) for m in rounds] == list(range(10)), lines
        final = {m["MetricName"]: m["Value"] for m in description["FinalMetricDataList"]}
        assert final["train:merror"] == pytest.approx(float(rounds[-1].group(2)), abs=1e-6)
        assert final["validation:merror"] == pytest.approx(float(rounds[-1].group(3)), abs=1e-6)
        assert final["train:merror"] < 0.12 and final["validation:merror"] < 0.25


def read_model(flow, description) -> bytes:
    uri = description["ModelArtifacts"]["S3ModelArtifacts"]
    prefix = f"https://s3-us-east-1.amazonaws.com/{flow.bucket}/"
    assert uri == f"{prefix}mnist/out/{description['TrainingJobName']}/output/model.tar.gz"
    archive = io.BytesIO()
    flow.clients.s3.download_fileobj(flow.bucket, uri.removeprefix(prefix), archive)
    archive.seek(0)
    with tarfile.open(fileobj=archive, mode="r:gz") as members:
        assert members.getnames() == ["xgboost-model"]
        return members.extractfile("xgboost-model").read()


def test_two_instances_learn_the_same_trees_as_one(flow):
    """The shards together hold the rows of the single job in the same order: sums are exact, so the files are equal."""
    single, distributed = (read_model(flow, d) for d in flow.descriptions.values())
    assert single == distributed


def test_stock_xgboost_reads_the_model_and_agrees_with_the_endpoint(hosted):
    booster = xgboost.Booster()
    booster.load_model(bytearray(read_model(hosted, hosted.descriptions[hosted.distributed])))
    images, labels = mnist.rows("test", TEST_ROWS)
    # 1-based text: column 0 is absent, so the matrix that stock XGBoost sees has a missing first column.
    matrix = xgboost.DMatrix(np.hstack([np.full((TEST_ROWS, 1), np.nan, np.float32), images]))
    expected = booster.predict(matrix)
    found = []
    for start in range(0, TEST_ROWS, 100):
        rows = slice(start, start + 100)
        answer = hosted.clients.sagemaker_runtime.invoke_endpoint(
            EndpointName="Flow-Endpoint", ContentType="text/x-libsvm", Body=mnist.libsvm(images[rows], labels[rows]))
        assert answer["ContentType"] == "text/csv; charset=utf-8"
        assert answer["InvokedProductionVariant"] == "AllTraffic"
        found += [float(number) for number in answer["Body"].read().decode().split(",")]
    assert found == expected.tolist()
    assert np.mean(np.array(found) != labels) < 0.25


def test_one_record_gives_one_number(hosted):
    images, labels = mnist.rows("test", 1)
    for content_type in ("text/x-libsvm", "text/libsvm"):
        answer = hosted.clients.sagemaker_runtime.invoke_endpoint(
            EndpointName="Flow-Endpoint", ContentType=content_type, Body=mnist.libsvm(images, labels))
        assert re.fullmatch(rb"\d\.0", answer["Body"].read())


def test_the_endpoint_is_in_service_at_the_first_look(hosted):
    look = hosted.first_endpoint_look
    assert look["EndpointStatus"] == "InService"
    assert look["EndpointName"] == "Flow-Endpoint" and look["EndpointConfigName"] == "Flow-config"
    assert look["EndpointArn"] == hosted.endpoint_arn == "arn:aws:sagemaker:us-east-1:123456789012:endpoint/flow-endpoint"
    (variant,) = look["ProductionVariants"]
    assert variant["VariantName"] == "AllTraffic" and variant["CurrentWeight"] == variant["DesiredWeight"] == 1.0
    assert variant["CurrentInstanceCount"] == variant["DesiredInstanceCount"] == 1
    assert variant["DeployedImages"][0]["SpecifiedImage"] == jobs.IMAGE


def test_model_and_configuration_describe_themselves(hosted):
    sagemaker = hosted.clients.sagemaker
    model = sagemaker.describe_model(ModelName="Flow-model")
    assert model["ModelArn"] == hosted.model_arn and model["ExecutionRoleArn"] == jobs.ROLE
    assert model["PrimaryContainer"]["Image"] == jobs.IMAGE and model["PrimaryContainer"]["ModelDataUrl"] == hosted.artifact
    config = sagemaker.describe_endpoint_config(EndpointConfigName="Flow-config")
    assert config["EndpointConfigArn"] == hosted.config_arn
    assert config["ProductionVariants"][0]["InitialVariantWeight"] == 1.0
    assert "Flow-model" in [m["ModelName"] for m in sagemaker.list_models()["Models"]]
    assert "Flow-config" in [c["EndpointConfigName"] for c in sagemaker.list_endpoint_configs()["EndpointConfigs"]]
    assert "Flow-Endpoint" in [e["EndpointName"] for e in sagemaker.list_endpoints()["Endpoints"]]
    assert {hosted.single, hosted.distributed} <= {
        j["TrainingJobName"] for j in sagemaker.list_training_jobs(MaxResults=100)["TrainingJobSummaries"]}


def test_names_are_taken(hosted):
    sagemaker = hosted.clients.sagemaker
    with pytest.raises(botocore.exceptions.ClientError, match="already exists") as failed:
        sagemaker.create_training_job(**jobs.training_job(hosted.bucket, hosted.single))
    assert failed.value.response["Error"]["Code"] == "ResourceInUse"
    with pytest.raises(botocore.exceptions.ClientError, match="Cannot create already existing endpoint"):
        sagemaker.create_endpoint(EndpointName="Flow-Endpoint", EndpointConfigName="Flow-config")


def test_unhappy_lines_are_told_as_the_container_tells_them(hosted):
    runtime = hosted.clients.sagemaker_runtime
    with pytest.raises(runtime.exceptions.ModelError) as failed:
        runtime.invoke_endpoint(EndpointName="Flow-Endpoint", ContentType="text/x-libsvm", Body=b"5 1:0.5 2:zero")
    assert failed.value.response["OriginalStatusCode"] in (400, 415)
    with pytest.raises(runtime.exceptions.ModelError) as failed:
        runtime.invoke_endpoint(EndpointName="Flow-Endpoint", ContentType="image/png", Body=b"x")
    assert failed.value.response["OriginalStatusCode"] == 415
    with pytest.raises(botocore.exceptions.ClientError, match="Endpoint nobody of account 123456789012 not found"):
        runtime.invoke_endpoint(EndpointName="nobody", ContentType="text/csv", Body=b"1")


def test_clean_up(hosted):
    """Last in the file: deletes in the order in which SDK 1 and 2 do it, the configuration first."""
    sagemaker = hosted.clients.sagemaker
    sagemaker.delete_endpoint_config(EndpointConfigName="Flow-config")
    assert hosted.clients.sagemaker_runtime.invoke_endpoint(
        EndpointName="Flow-Endpoint", ContentType="text/csv", Body=",".join(["0"] * 785).encode())["Body"].read()
    sagemaker.delete_endpoint(EndpointName="Flow-Endpoint")
    sagemaker.get_waiter("endpoint_deleted").wait(EndpointName="Flow-Endpoint", WaiterConfig={"Delay": 1, "MaxAttempts": 5})
    sagemaker.delete_model(ModelName="Flow-model")
    for call, text in (
        (lambda: sagemaker.describe_endpoint(EndpointName="Flow-Endpoint"), 'Could not find endpoint "'),
        (lambda: sagemaker.describe_endpoint_config(EndpointConfigName="Flow-config"),
         'Could not find endpoint configuration "'),
        (lambda: sagemaker.describe_model(ModelName="Flow-model"), 'Could not find model "'),
    ):
        with pytest.raises(botocore.exceptions.ClientError) as failed:
            call()
        error = failed.value.response["Error"]
        assert error["Code"] == "ValidationException" and error["Message"].startswith(text)
