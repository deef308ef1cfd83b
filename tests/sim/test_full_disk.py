"""The disk fills up under running jobs: each ends with a reason, the server goes on reading and deleting, and once there
is room again everything works without a restart."""

from __future__ import annotations

import re

import pytest
from botocore.exceptions import ClientError
from harness import models, small_disk, small_jobs, transforms, tunings
from harness.clients import Clients
from harness.polling import poll

# The file system's sentence, or the database's.
NO_ROOM = re.compile("No space left|database or disk is full")
MENDING = "The disk of the server's data directory is full. Free some space there"


@pytest.fixture
def cramped(server_factory, tmp_path):
    """(server, clients, disk): 48 MB with rows, a model and an endpoint."""
    data_dir = tmp_path / "data"
    server = server_factory(data_dir=data_dir, wrapper=small_disk.wrapper(data_dir, "48m"))
    clients = Clients(server)
    clients.s3.create_bucket(Bucket="data")
    tunings.upload(clients, "data")
    clients.s3.put_object(Bucket="data", Key="small", Body=b"kept")
    return server, clients, small_disk.Disk(server)


def make_model(clients) -> None:
    archive = models.archive({"xgboost-model": models.model_bytes(models.booster(), "json")})
    clients.s3.put_object(Bucket="data", Key="model.tar.gz", Body=archive)
    clients.sagemaker.create_model(ModelName="m", ExecutionRoleArn=models.ROLE, PrimaryContainer={
        "Image": models.MODERN_IMAGE, "ModelDataUrl": "s3://data/model.tar.gz"})


def check_the_server_goes_on(server, clients) -> None:
    """While the disk is full."""
    assert clients.s3.get_object(Bucket="data", Key="small")["Body"].read() == b"kept"
    with pytest.raises(ClientError) as refused:
        clients.s3.put_object(Bucket="data", Key="large", Body=bytes(1 << 20))
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] >= 500
    clients.sagemaker.list_training_jobs()
    server.check_alive()


def check_all_is_well_again(server, clients, disk) -> None:
    disk.empty()
    clients.s3.put_object(Bucket="data", Key="large", Body=bytes(1 << 20))
    clients.sagemaker.create_training_job(**small_jobs.request("data", "afterwards"))
    assert small_jobs.wait_for_end(clients, "afterwards")["TrainingJobStatus"] == "Completed"
    for what in ("jobs", "transforms"):
        folder = disk.folder / what
        assert poll(lambda: not list(folder.iterdir()) if folder.exists() else True), list(folder.iterdir())
    assert poll(lambda: not server.children())


def test_a_training_job(cramped):
    """It goes on without its checkpoints; what it cannot do is to store its model."""
    server, clients, disk = cramped
    clients.sagemaker.create_training_job(**small_jobs.endless("data", "long", CheckpointConfig={"S3Uri": "s3://data/ckpt"}))
    small_jobs.wait_for_stage(clients, "long", "Training")
    small_jobs.wait_for_trainer(server)
    disk.fill()
    check_the_server_goes_on(server, clients)
    clients.sagemaker.stop_training_job(TrainingJobName="long")
    job = small_jobs.wait_for_end(clients, "long")
    assert job["TrainingJobStatus"] in ("Failed", "Stopped")
    if job["TrainingJobStatus"] == "Failed":
        assert NO_ROOM.search(job["FailureReason"]) and MENDING in job["FailureReason"], job["FailureReason"]
    check_all_is_well_again(server, clients, disk)


def test_a_tuning_job(cramped):
    """Each trial that cannot store its model fails for that, and so does the tuning job when none succeeded."""
    server, clients, disk = cramped
    clients.sagemaker.create_hyper_parameter_tuning_job(**tunings.request(
        "data", "some", trials=30, parallel=2, rounds=60))
    assert poll(lambda: tunings.trials(clients, "some"))
    disk.fill()
    check_the_server_goes_on(server, clients)
    job = tunings.wait_for_end(clients, "some")
    assert job["HyperParameterTuningJobStatus"] in ("Failed", "Completed"), job
    trials = tunings.trials(clients, "some")
    failed = [row["FailureReason"] for row in trials if row["TrainingJobStatus"] == "Failed"]
    assert failed and all(NO_ROOM.search(reason) and MENDING in reason for reason in failed), failed
    assert not [row for row in trials if row["TrainingJobStatus"] in ("InProgress", "Stopping")], "all are accounted for"
    counts = job["TrainingJobStatusCounters"]
    assert counts["InProgress"] == 0 and counts["NonRetryableError"] + counts["RetryableError"] == len(failed)
    check_all_is_well_again(server, clients, disk)


def test_a_tuning_job_is_stopped(cramped):
    server, clients, disk = cramped
    clients.sagemaker.create_hyper_parameter_tuning_job(**tunings.request(
        "data", "some", trials=30, parallel=2, rounds=100_000))
    assert poll(lambda: tunings.trials(clients, "some"))
    small_jobs.wait_for_trainer(server)
    disk.fill()
    clients.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="some")
    assert tunings.wait_for_end(clients, "some")["HyperParameterTuningJobStatus"] == "Stopped"
    check_all_is_well_again(server, clients, disk)


def test_a_transform_job(cramped):
    """Its own output takes the last byte."""
    server, clients, disk = cramped
    make_model(clients)
    clients.s3.put_object(Bucket="data", Key="in/rows.csv", Body=b"1,2,3,4,5,6\n" * 400_000)
    disk.fill(leave=3 << 20)  # Its output would take more.
    clients.sagemaker.create_transform_job(**transforms.request("data", "large", "m"))
    job = transforms.wait_for_end(clients, "large")
    assert job["TransformJobStatus"] == "Failed"
    assert NO_ROOM.search(job["FailureReason"]) and MENDING in job["FailureReason"], job["FailureReason"]
    assert transforms.outputs(clients, "data", "large") == {}
    disk.fill()
    check_the_server_goes_on(server, clients)
    check_all_is_well_again(server, clients, disk)


def test_endpoints_objects_and_deletes(cramped):
    """With nothing left for anybody: what takes rows alone goes on, what takes more is refused, deletes make room."""
    server, clients, disk = cramped
    make_model(clients)
    sm = clients.sagemaker
    for name in ("one", "two"):
        sm.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[
            {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}])
    sm.create_endpoint(EndpointName="before", EndpointConfigName="one")
    sm.get_waiter("endpoint_in_service").wait(EndpointName="before", WaiterConfig={"Delay": 1})
    clients.s3.put_object(Bucket="data", Key="ballast", Body=bytes(2 << 20))
    disk.fill()

    sm.update_endpoint(EndpointName="before", EndpointConfigName="two")
    sm.create_endpoint(EndpointName="after", EndpointConfigName="one")
    for name in ("before", "after"):
        assert poll(lambda: sm.describe_endpoint(EndpointName=name)["EndpointStatus"] in ("InService", "Failed"))
        endpoint = sm.describe_endpoint(EndpointName=name)
        assert endpoint["EndpointStatus"] == "InService" or NO_ROOM.search(endpoint["FailureReason"]), endpoint
    assert sm.describe_endpoint(EndpointName="before")["EndpointStatus"] == "InService"
    clients.sagemaker_runtime.invoke_endpoint(EndpointName="before", Body=b"1,2,3,4,5,6", ContentType="text/csv")
    check_the_server_goes_on(server, clients)
    for number in range(200):  # Rows that come and go do not use the room up.
        sm.add_tags(ResourceArn=sm.describe_endpoint(EndpointName="before")["EndpointArn"],
                    Tags=[{"Key": "k", "Value": f"{number}" * 50}])
    clients.s3.delete_object(Bucket="data", Key="ballast")
    assert poll(lambda: disk.free_bytes() >= 2 << 20)
    sm.delete_endpoint(EndpointName="after")
    check_all_is_well_again(server, clients, disk)
