"""kill -9 of the server while tuning and transform jobs are in every state: each goes on or ends, none is left hanging."""

from __future__ import annotations

import signal
import time

import pytest
from harness import models, small_jobs, transforms, tunings
from harness.clients import Clients

WAIT_SECONDS_MAX = 60.0


@pytest.fixture
def crashing(server_factory):
    """A server of the test's own with rows to tune on and a model to transform with."""
    server = server_factory()
    clients = Clients(server)
    clients.s3.create_bucket(Bucket="data")
    tunings.upload(clients, "data")
    archive = models.archive({"xgboost-model": models.model_bytes(models.booster(), "json")})
    clients.s3.put_object(Bucket="data", Key="model.tar.gz", Body=archive)
    clients.sagemaker.create_model(ModelName="m", ExecutionRoleArn=models.ROLE, PrimaryContainer={
        "Image": models.MODERN_IMAGE, "ModelDataUrl": "s3://data/model.tar.gz"})
    return server, clients


def kill_and_restart(server) -> None:
    server.kill9()
    server.start()


def wait_for_running_trial(clients, name: str) -> str:
    """The name of a trial that is training."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while True:
        for row in tunings.trials(clients, name):
            if small_jobs.secondary_status(clients, row["TrainingJobName"]) == "Training":
                return row["TrainingJobName"]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_killed_tuning_job_runs_the_trials_of_an_undisturbed_one(crashing):
    server, clients = crashing
    settings = {"strategy": "Bayesian", "trials": 7, "parallel": 2, "rounds": 40, "config": {"RandomSeed": 3}}
    tunings.run(clients, tunings.request("data", "undisturbed", **settings))
    clients.sagemaker.create_hyper_parameter_tuning_job(**tunings.request("data", "disturbed", **settings))
    for moment in (0.1, 0.3):  # Not a wait for anything: the moment itself is the test's parameter.
        time.sleep(moment)
        kill_and_restart(server)  # Twice: a trial that is there at the third end of a server is given up.
    job = tunings.wait_for_end(clients, "disturbed")
    assert job["HyperParameterTuningJobStatus"] == "Completed", job
    rows = {name: tunings.trials(clients, name) for name in ("undisturbed", "disturbed")}
    assert tunings.values(rows["disturbed"]) == tunings.values(rows["undisturbed"])
    metrics = [[row["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for row in rows[name]]
               for name in ("undisturbed", "disturbed")]
    assert metrics[0] == metrics[1]


def test_a_stop_of_a_tuning_job_survives_the_kill(crashing):
    server, clients = crashing
    clients.sagemaker.create_hyper_parameter_tuning_job(**tunings.request(
        "data", "long", trials=9, parallel=2, rounds=100000000))
    wait_for_running_trial(clients, "long")
    clients.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="long")
    kill_and_restart(server)
    job = tunings.wait_for_end(clients, "long")
    assert job["HyperParameterTuningJobStatus"] == "Stopped"
    assert job["TrainingJobStatusCounters"]["InProgress"] == 0
    assert {row["TrainingJobStatus"] for row in tunings.trials(clients, "long")} == {"Stopped"}


def test_a_killed_trial_goes_on(crashing):
    """The training process dies, not the server: the trial is taken up from its checkpoint, like any training job."""
    server, clients = crashing
    clients.sagemaker.create_hyper_parameter_tuning_job(**tunings.request("data", "some", trials=3, parallel=1, rounds=3000))
    victim = wait_for_running_trial(clients, "some")
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not (processes := [p for p in server.children() if p.name() == "espalier-train"]):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    processes[0].kill()
    job = tunings.wait_for_end(clients, "some")
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert job["TrainingJobStatusCounters"]["Completed"] == 3
    trial = clients.sagemaker.describe_training_job(TrainingJobName=victim)
    assert "Restarting" in [transition["Status"] for transition in trial["SecondaryStatusTransitions"]]


def test_a_killed_transform_starts_again_and_gives_the_same_output(crashing):
    server, clients = crashing
    lines = "\n".join(",".join(str((row * column) % 7) for column in range(1, 7)) for row in range(60000)) + "\n"
    clients.s3.put_object(Bucket="data", Key="in/rows.csv", Body=lines.encode())
    clients.s3.put_object(Bucket="data", Key="in/more.csv", Body=lines.encode())
    undisturbed = transforms.run(clients, transforms.request("data", "undisturbed", "m"))
    assert undisturbed["TransformJobStatus"] == "Completed", undisturbed.get("FailureReason")
    for moment in range(4):
        name = f"disturbed-{moment}"
        clients.sagemaker.create_transform_job(**transforms.request("data", name, "m", BatchStrategy="SingleRecord"))
        time.sleep(0.1 * moment)  # The moment is the test's parameter.
        kill_and_restart(server)
        job = transforms.wait_for_end(clients, name)
        assert job["TransformJobStatus"] == "Completed", job.get("FailureReason")
        assert transforms.outputs(clients, "data", name) == transforms.outputs(clients, "data", "undisturbed")
    assert not list((server.data_dir / "transforms").iterdir()), "work folders are removed"


def test_a_stop_of_a_transform_survives_the_kill(crashing):
    server, clients = crashing
    lines = "1,2,3,4,5,6\n" * 400000
    clients.s3.put_object(Bucket="data", Key="in/rows.csv", Body=lines.encode())
    clients.sagemaker.create_transform_job(**transforms.request("data", "long", "m", BatchStrategy="SingleRecord"))
    clients.sagemaker.stop_transform_job(TransformJobName="long")
    kill_and_restart(server)
    assert transforms.wait_for_end(clients, "long")["TransformJobStatus"] == "Stopped"
    assert transforms.outputs(clients, "data", "long") == {}
    assert not server.children()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_a_transform_process_that_is_lost_is_started_again(crashing, number):
    server, clients = crashing
    clients.s3.put_object(Bucket="data", Key="in/rows.csv", Body=b"1,2,3,4,5,6\n" * 400_000)
    clients.sagemaker.create_transform_job(**transforms.request("data", "some", "m", BatchStrategy="SingleRecord"))
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not (processes := [p for p in server.children() if p.name().startswith("espalier-transf")]):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    processes[0].send_signal(number)
    job = transforms.wait_for_end(clients, "some")
    assert job["TransformJobStatus"] == "Completed", job.get("FailureReason")
    assert len(transforms.outputs(clients, "data", "some")["rows.csv.out"].splitlines()) == 400_000
    how = "ended by signal 9" if number == signal.SIGKILL else "was stopped for 10 s"
    assert any(f"Espalier: The transform {how}" in line for line in transforms.log_lines(clients, "some"))
