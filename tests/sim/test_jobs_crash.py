"""kill -9 of the server while training jobs are in every state; after the restart each job ends, and names stay taken."""

from __future__ import annotations

import os
import signal
import time

import pytest
from botocore.exceptions import ClientError
from harness import small_jobs
from harness.clients import Clients

END_SECONDS_MAX = 60.0


@pytest.fixture
def crashing(server_factory):
    """A server of the test's own with a bucket of small part files."""
    server = server_factory()
    clients = Clients(server)
    clients.s3.create_bucket(Bucket="data")
    small_jobs.upload_rows(clients, "data")
    return server, clients


def kill_and_restart(server) -> None:
    server.kill9()
    server.start()


def test_a_kill_at_many_moments_loses_no_job(crashing):
    """Each round kills the server at another moment of a job's life, Starting to Completed."""
    server, clients = crashing
    names = []
    for moment in range(6):
        name = f"job-{moment}"
        clients.sagemaker.create_training_job(**small_jobs.request("data", name, rounds=60, instances=1 + moment % 2))
        names.append(name)
        time.sleep(0.06 * moment)  # Not a wait for anything: the moment itself is the test's parameter.
        kill_and_restart(server)
    for name in names:
        job = small_jobs.wait_for_end(clients, name)
        assert job["TrainingJobStatus"] == "Completed" or job["FailureReason"].startswith("InternalServerError"), job
        starts = [transition["StartTime"] for transition in job["SecondaryStatusTransitions"]]
        assert starts == sorted(starts)
        with pytest.raises(ClientError) as taken:
            clients.sagemaker.create_training_job(**small_jobs.request("data", name))
        assert taken.value.response["Error"]["Code"] == "ResourceInUse"
    deadline = time.monotonic() + END_SECONDS_MAX
    while list((server.data_dir / "jobs").iterdir()):  # A folder goes just after its job has ended.
        assert time.monotonic() < deadline, "work folders are removed"
        time.sleep(0.02)


def test_a_job_killed_while_training_gives_the_undisturbed_model(crashing):
    server, clients = crashing
    clients.sagemaker.create_training_job(**small_jobs.request("data", "undisturbed", rounds=400))
    small_jobs.wait_for_end(clients, "undisturbed")
    clients.sagemaker.create_training_job(**small_jobs.request("data", "disturbed", rounds=400))
    small_jobs.wait_for_stage(clients, "disturbed", "Training")
    kill_and_restart(server)
    job = small_jobs.wait_for_end(clients, "disturbed")
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert small_jobs.stages(job)[:6] == ["Starting", "Downloading", "Training", "Restarting", "Starting", "Downloading"]
    models = [small_jobs.model_bytes(clients, "data", name) for name in ("undisturbed", "disturbed")]
    assert models[0] == models[1]


@pytest.mark.parametrize("instances", [1, 2])
def test_no_training_process_outlives_a_killed_server(crashing, instances):
    server, clients = crashing
    clients.sagemaker.create_training_job(**small_jobs.endless("data", "long", instances=instances, sharded=True))
    small_jobs.wait_for_stage(clients, "long", "Training")
    server.kill9()
    deadline = time.monotonic() + END_SECONDS_MAX
    while server.children():
        assert time.monotonic() < deadline, [process.cmdline() for process in server.children()]
        time.sleep(0.05)
    server.start()
    small_jobs.wait_for_stage(clients, "long", "Training")
    clients.sagemaker.stop_training_job(TrainingJobName="long")
    assert small_jobs.wait_for_end(clients, "long")["TrainingJobStatus"] == "Stopped"


def test_a_stop_survives_the_kill(crashing):
    server, clients = crashing
    clients.sagemaker.create_training_job(**small_jobs.endless("data", "long"))
    small_jobs.wait_for_stage(clients, "long", "Training")
    clients.sagemaker.stop_training_job(TrainingJobName="long")
    kill_and_restart(server)
    job = small_jobs.wait_for_end(clients, "long")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")


def test_a_job_that_is_there_at_every_crash_is_given_up(crashing):
    server, clients = crashing
    clients.sagemaker.create_training_job(**small_jobs.endless("data", "long"))
    for _ in range(3):
        small_jobs.wait_for_stage(clients, "long", "Training")
        deadline = time.monotonic() + END_SECONDS_MAX
        while not [p for p in server.children() if "espalier-train" in p.name()]:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        kill_and_restart(server)
    job = small_jobs.wait_for_end(clients, "long")
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("InternalServerError: The server ended 3 times while this job was running")


def test_an_orderly_stop_takes_the_instances_along_and_the_job_goes_on_later(crashing):
    server, clients = crashing
    clients.sagemaker.create_training_job(**small_jobs.endless("data", "long", instances=2, sharded=True))
    small_jobs.wait_for_stage(clients, "long", "Training")
    server.restart()  # Fails when a process is left behind.
    small_jobs.wait_for_stage(clients, "long", "Training")
    clients.sagemaker.stop_training_job(TrainingJobName="long")
    assert small_jobs.wait_for_end(clients, "long")["TrainingJobStatus"] == "Stopped"


def test_a_rank_that_dies_again_and_again_ends_the_job_with_its_name(crashing):
    server, clients = crashing
    clients.sagemaker.create_training_job(**small_jobs.endless("data", "long", instances=2, sharded=True))
    small_jobs.wait_for_stage(clients, "long", "Training")
    streams = {"logGroupName": "/aws/sagemaker/TrainingJobs", "logStreamNamePrefix": "long/algo-1"}
    deadline = time.monotonic() + END_SECONDS_MAX
    killed: set[int] = set()
    for _ in range(3):
        rank = small_jobs.wait_for_trainer(server, 2, but_not=killed)
        seen = None
        while True:  # Once rounds are being trained, both ranks have long been joined.
            stream = clients.logs.describe_log_streams(**streams)["logStreams"][0]["logStreamName"]
            lines = clients.logs.get_log_events(logGroupName=streams["logGroupName"], logStreamName=stream,
                                                startFromHead=False)
            rounds = [event["message"] for event in lines["events"] if "train-merror" in event["message"]]
            if rounds and seen is not None and rounds[-1] != seen:
                break
            seen = rounds[-1] if rounds else ""
            assert time.monotonic() < deadline
            time.sleep(0.05)
        killed.add(rank)
        os.kill(rank, signal.SIGKILL)
    job = small_jobs.wait_for_end(clients, "long")
    assert job["TrainingJobStatus"] == "Failed"
    assert small_jobs.stages(job).count("Restarting") == 2
    assert "algo-2" in job["FailureReason"] and "signal 9" in job["FailureReason"], job["FailureReason"]


@pytest.mark.parametrize("instances", [1, 2])
def test_a_killed_trainer_goes_on_and_gives_the_undisturbed_model(crashing, instances):
    """The server lives, a training process is killed: the job restarts at its checkpoint and S3 has the checkpoints."""
    server, clients = crashing
    clients.sagemaker.create_training_job(**small_jobs.request("data", "undisturbed", rounds=2000))
    small_jobs.wait_for_end(clients, "undisturbed")
    clients.sagemaker.create_training_job(**small_jobs.request(
        "data", "disturbed", rounds=2000, instances=instances, sharded=instances > 1,
        CheckpointConfig={"S3Uri": "s3://data/checkpoints"}))
    small_jobs.wait_for_stage(clients, "disturbed", "Training")
    trainer = small_jobs.wait_for_trainer(server, instances)
    os.kill(trainer, signal.SIGKILL)
    job = small_jobs.wait_for_end(clients, "disturbed")
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert "Restarting" in small_jobs.stages(job)
    assert small_jobs.model_bytes(clients, "data", "disturbed") == small_jobs.model_bytes(clients, "data", "undisturbed")
    keys = [entry["Key"] for entry in clients.s3.list_objects_v2(Bucket="data", Prefix="checkpoints/")["Contents"]]
    assert "checkpoints/xgboost-checkpoint.1999" in keys


@pytest.mark.parametrize("instances", [1, 2])
def test_a_stopped_trainer_is_noticed_in_seconds_and_the_job_goes_on(crashing, instances):
    """Also one that has the machine to itself: nobody waits for it but the platform."""
    server, clients = crashing
    clients.sagemaker.create_training_job(**small_jobs.request("data", "undisturbed", rounds=2000, instances=instances))
    small_jobs.wait_for_end(clients, "undisturbed")
    clients.sagemaker.create_training_job(**small_jobs.request("data", "disturbed", rounds=2000, instances=instances))
    os.kill(small_jobs.wait_for_trainer(server, instances), signal.SIGSTOP)
    job = small_jobs.wait_for_end(clients, "disturbed")
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    told = [entry["StatusMessage"] for entry in job["SecondaryStatusTransitions"] if entry["Status"] == "Restarting"]
    assert len(told) == 1 and told[0].startswith(f"algo-{instances} was stopped for 10 s."), told
    is_same = small_jobs.model_bytes(clients, "data", "disturbed") == small_jobs.model_bytes(clients, "data", "undisturbed")
    assert is_same  # Not the bytes themselves: telling where megabytes differ takes minutes.
