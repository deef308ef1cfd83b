"""The disk fills up under running jobs: each ends with a reason, the server goes on reading and deleting, and once there
is room again everything works without a restart."""

from __future__ import annotations

import re

import pytest
from botocore.exceptions import ClientError
from harness import small_disk, small_jobs, tunings
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
