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
NO_ROOM = re.compile("No space left|disk is full")


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
    disk.empty()
    disk.fill(leave=1 << 20)  # Rows of the database fit, models do not: the last tenth is kept from bodies.
    clients.sagemaker.stop_training_job(TrainingJobName="long")
    job = small_jobs.wait_for_end(clients, "long")
    assert job["TrainingJobStatus"] in ("Failed", "Stopped")
    if job["TrainingJobStatus"] == "Failed":
        assert NO_ROOM.search(job["FailureReason"]), job["FailureReason"]
    check_all_is_well_again(server, clients, disk)


def test_a_tuning_job(cramped):
    server, clients, disk = cramped
    clients.sagemaker.create_hyper_parameter_tuning_job(**tunings.request(
        "data", "some", trials=30, parallel=2, rounds=60))
    assert poll(lambda: tunings.trials(clients, "some"))
    disk.fill(leave=1 << 20)
    check_the_server_goes_on(server, clients)
    job = tunings.wait_for_end(clients, "some")
    assert job["HyperParameterTuningJobStatus"] in ("Failed", "Completed"), job
    failed = [row for row in tunings.trials(clients, "some") if row["TrainingJobStatus"] == "Failed"]
    assert failed and all(NO_ROOM.search(row["FailureReason"]) for row in failed), failed[0]["FailureReason"]
    check_all_is_well_again(server, clients, disk)


def test_a_transform_job(cramped):
    server, clients, disk = cramped
    archive = models.archive({"xgboost-model": models.model_bytes(models.booster(), "json")})
    clients.s3.put_object(Bucket="data", Key="model.tar.gz", Body=archive)
    clients.sagemaker.create_model(ModelName="m", ExecutionRoleArn=models.ROLE, PrimaryContainer={
        "Image": models.MODERN_IMAGE, "ModelDataUrl": "s3://data/model.tar.gz"})
    clients.s3.put_object(Bucket="data", Key="in/rows.csv", Body=b"1,2,3,4,5,6\n" * 600_000)
    disk.fill(leave=6 << 20)  # Its output would take more.
    clients.sagemaker.create_transform_job(**transforms.request("data", "large", "m"))
    job = transforms.wait_for_end(clients, "large")
    assert job["TransformJobStatus"] == "Failed"
    assert NO_ROOM.search(job["FailureReason"]), job["FailureReason"]
    assert transforms.outputs(clients, "data", "large") == {}
    check_the_server_goes_on(server, clients)
    check_all_is_well_again(server, clients, disk)
