"""kill -9 of the server in every state that a training job, a tuning job, a transform job or an endpoint's update can be
in and has not ended in: each ends, with the result or the reason that state promises, and no process, folder or
shared memory is left.

That the server died in the wanted state is read from its database between the kill and the restart. A state that lasts
milliseconds may be missed, although the looking begins before the request that leads to it; then the next job tries again.
"""

from __future__ import annotations

import os
import pathlib
import signal
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import HTTPClientError
from harness import models, small_jobs, transforms, tunings
from harness.clients import Clients
from harness.polling import poll
from harness.recorder import RECORDER

WAIT_SECONDS_MAX = 60.0
ATTEMPTS = 200
ROUNDS = 40


class Ledger:
    """The server's database, read from outside."""

    def __init__(self, server):
        self.path = server.data_dir / "espalier.db"

    def value(self, query: str, *arguments):
        connection = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=10)
        try:
            row = connection.execute(query, arguments).fetchone()
            return row[0] if row else None
        finally:
            connection.close()

    def wait_for(self, query: str, *arguments, wanted: set) -> None:
        """Returns at the first look that finds one of the wanted values; looks as often as it can."""
        connection = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=10)
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        try:
            while (row := connection.execute(query, arguments).fetchone()) is None or row[0] not in wanted:
                assert time.monotonic() < deadline, f"{row} is none of {wanted}"
        finally:
            connection.close()


class Crashing:
    """A server of the test's own that has rows, a model and what undisturbed jobs made of them."""

    def __init__(self, server):
        self.server = server
        self.ledger = Ledger(server)
        self.clients = Clients(server)
        self.clients.s3.create_bucket(Bucket="data")
        self.number = 0

    def name(self) -> str:
        self.number += 1
        return f"job-{self.number}"

    def kill_in(self, query: str, name: str, state: str, ended: set, *, ask: Callable[[], object] = lambda: None) -> bool:
        """Kills the server as soon as `query` says `state`, and restarts it. False when it was too late.

        `ask` is the request that leads to the state. Its answer comes later than the state does and may be lost with the
        server, so another thread waits for it.
        """
        with RECORDER.ignoring(), ThreadPoolExecutor(1) as asking:
            answer = asking.submit(ask)
            self.ledger.wait_for(query, name, wanted={state} | ended)
            self.server.kill9()
        if (error := answer.exception()) is not None and not isinstance(error, HTTPClientError):
            raise error
        died_in = self.ledger.value(query, name)
        self.server.start()
        return died_in == state

    def check_nothing_is_left(self) -> None:
        """Of jobs that have ended."""
        tokens = [row for table in ("training_jobs", "transform_jobs") for row in self.tokens(table)]
        for what in ("jobs", "transforms"):
            folder = self.server.data_dir / what
            assert poll(lambda: not list(folder.iterdir()) if folder.exists() else True), list(folder.iterdir())
        assert poll(lambda: not self.server.children()), self.server.children()
        assert not [token for token in tokens if pathlib.Path(f"/dev/shm/espalier-{token}").exists()]

    def tokens(self, table: str) -> list[str]:
        connection = sqlite3.connect(f"file:{self.ledger.path}?mode=ro", uri=True, timeout=10)
        try:
            return [row[0] for row in connection.execute(f"SELECT process_token FROM {table}") if row[0]]
        finally:
            connection.close()


@pytest.fixture
def crashing(server_factory):
    return Crashing(server_factory())


# -- training jobs ------------------------------------------------------------------------------------------------------

STAGE = "SELECT stage FROM training_jobs WHERE name = ?"
ENDED_STAGES = {"Completed", "Failed", "Stopped", "MaxRuntimeExceeded"}


@pytest.mark.parametrize("stage, instances", [("Starting", 1), ("Downloading", 2), ("Training", 1), ("Training", 2), ("Uploading", 1)])
def test_a_training_job_that_dies_in_any_stage_gives_the_undisturbed_model(crashing, stage, instances):
    clients = crashing.clients
    small_jobs.upload_rows(clients, "data")
    clients.sagemaker.create_training_job(**small_jobs.request("data", "undisturbed", rounds=ROUNDS, instances=instances))
    small_jobs.wait_for_end(clients, "undisturbed")
    for _ in range(ATTEMPTS):
        name = crashing.name()
        request = small_jobs.request("data", name, rounds=ROUNDS, instances=instances)
        hit = crashing.kill_in(STAGE, name, stage, ENDED_STAGES, ask=lambda: clients.sagemaker.create_training_job(**request))
        job = small_jobs.wait_for_end(clients, name)
        assert job["TrainingJobStatus"] == "Completed", (stage, job.get("FailureReason"))
        assert small_jobs.model_bytes(clients, "data", name) == small_jobs.model_bytes(clients, "data", "undisturbed")
        points = [point["Value"] for point in job["FinalMetricDataList"]]
        assert points and len(points) == len({point["MetricName"] for point in job["FinalMetricDataList"]})
        if hit:
            break
    else:
        pytest.fail(f"the server never died in {stage}")
    crashing.check_nothing_is_left()


def test_a_training_job_that_dies_between_two_launches_goes_on(crashing):
    """Restarting: the trainer was killed, the server dies before the next one runs."""
    clients = crashing.clients
    small_jobs.upload_rows(clients, "data")
    for _ in range(ATTEMPTS):
        name = crashing.name()
        clients.sagemaker.create_training_job(**small_jobs.request("data", name, rounds=2000))
        small_jobs.wait_for_stage(clients, name, "Training")
        trainer = small_jobs.wait_for_trainer(crashing.server)
        hit = crashing.kill_in(STAGE, name, "Restarting", ENDED_STAGES | {"Uploading"},
                               ask=lambda: os.kill(trainer, signal.SIGKILL))
        assert small_jobs.wait_for_end(clients, name)["TrainingJobStatus"] == "Completed"
        if hit:
            break
    else:
        pytest.fail("the server never died in Restarting")
    crashing.check_nothing_is_left()


@pytest.mark.parametrize("cause", ["stop", "max runtime"])
def test_a_training_job_that_dies_while_stopping_is_stopped(crashing, cause):
    clients = crashing.clients
    small_jobs.upload_rows(clients, "data")
    wanted = {"stop": ("Stopped", "Stopped"), "max runtime": ("Stopped", "MaxRuntimeExceeded")}[cause]
    for _ in range(ATTEMPTS):
        name = crashing.name()
        seconds = 3600 if cause == "stop" else 1
        clients.sagemaker.create_training_job(**small_jobs.endless("data", name, max_runtime_seconds=seconds))

        def stop() -> None:
            if cause == "stop":
                small_jobs.wait_for_stage(clients, name, "Training")
                clients.sagemaker.stop_training_job(TrainingJobName=name)

        hit = crashing.kill_in(STAGE, name, "Stopping", ENDED_STAGES, ask=stop)
        job = small_jobs.wait_for_end(clients, name)
        assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == wanted, job.get("FailureReason")
        if hit:
            break
    else:
        pytest.fail("the server never died in Stopping")
    crashing.check_nothing_is_left()


# -- tuning jobs --------------------------------------------------------------------------------------------------------

TUNING_STATUS = "SELECT status FROM tuning_jobs WHERE name = ?"
TRIALS = "SELECT count(*) > 0 FROM tuning_trials t JOIN tuning_jobs j ON t.tuning_id = j.id WHERE j.name = ?"


@pytest.mark.parametrize("moment", ["before the first trial", "with a trial under way"])
def test_a_tuning_job_that_dies_in_progress_is_completed(crashing, moment):
    clients = crashing.clients
    tunings.upload(clients, "data")
    query, state = (TUNING_STATUS, "InProgress") if moment == "before the first trial" else (TRIALS, 1)
    name = crashing.name()
    request = tunings.request("data", name, trials=3, parallel=2)
    assert crashing.kill_in(query, name, state, set(), ask=lambda: clients.sagemaker.create_hyper_parameter_tuning_job(**request))
    job = tunings.wait_for_end(clients, name)
    assert job["HyperParameterTuningJobStatus"] == "Completed", job.get("FailureReason")
    assert job["TrainingJobStatusCounters"]["Completed"] == 3 and job["BestTrainingJob"]
    assert {row["TrainingJobStatus"] for row in tunings.trials(clients, name)} == {"Completed"}
    crashing.check_nothing_is_left()


def test_a_tuning_job_that_dies_while_stopping_is_stopped_with_its_trials(crashing):
    clients = crashing.clients
    tunings.upload(clients, "data")
    name = crashing.name()
    clients.sagemaker.create_hyper_parameter_tuning_job(**tunings.request("data", name, trials=9, rounds=100000000))
    crashing.ledger.wait_for(TRIALS, name, wanted={1})
    assert crashing.kill_in(
        TUNING_STATUS, name, "Stopping", {"Stopped"},
        ask=lambda: clients.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name))
    job = tunings.wait_for_end(clients, name)
    assert job["HyperParameterTuningJobStatus"] == "Stopped"
    assert {row["TrainingJobStatus"] for row in tunings.trials(clients, name)} <= {"Stopped"}
    crashing.check_nothing_is_left()


# -- transform jobs -----------------------------------------------------------------------------------------------------

TRANSFORM_STATUS = "SELECT status FROM transform_jobs WHERE name = ?"
TRANSFORM_RUNS = "SELECT CASE WHEN status = 'InProgress' AND num_launches > 0 THEN 1 ELSE status END FROM transform_jobs WHERE name = ?"
ENDED = {"Completed", "Failed", "Stopped"}


@pytest.fixture
def transforming(crashing):
    clients = crashing.clients
    archive = models.archive({"xgboost-model": models.model_bytes(models.booster(), "json")})
    clients.s3.put_object(Bucket="data", Key="model.tar.gz", Body=archive)
    clients.sagemaker.create_model(ModelName="m", ExecutionRoleArn=models.ROLE, PrimaryContainer={
        "Image": models.MODERN_IMAGE, "ModelDataUrl": "s3://data/model.tar.gz"})
    lines = "".join(",".join(str((row * column) % 7) for column in range(1, 7)) + "\n" for row in range(30000))
    clients.s3.put_object(Bucket="data", Key="in/rows.csv", Body=lines.encode())
    return crashing


@pytest.mark.parametrize("moment", ["before its process", "with its process"])
def test_a_transform_job_that_dies_in_progress_gives_the_undisturbed_output(transforming, moment):
    clients = transforming.clients
    transforms.run(clients, transforms.request("data", "undisturbed", "m"))
    query, state = (TRANSFORM_STATUS, "InProgress") if moment == "before its process" else (TRANSFORM_RUNS, 1)
    for _ in range(ATTEMPTS):
        name = transforming.name()
        request = transforms.request("data", name, "m", BatchStrategy="SingleRecord")
        hit = transforming.kill_in(query, name, state, ENDED, ask=lambda: clients.sagemaker.create_transform_job(**request))
        job = transforms.wait_for_end(clients, name)
        assert job["TransformJobStatus"] == "Completed", job.get("FailureReason")
        assert transforms.outputs(clients, "data", name) == transforms.outputs(clients, "data", "undisturbed")
        if hit:
            break
    else:
        pytest.fail(f"the server never died {moment}")
    transforming.check_nothing_is_left()


def test_a_transform_job_that_dies_while_stopping_is_stopped(transforming):
    clients = transforming.clients
    for _ in range(ATTEMPTS):
        name = transforming.name()
        clients.sagemaker.create_transform_job(**transforms.request("data", name, "m", BatchStrategy="SingleRecord"))
        transforming.ledger.wait_for(TRANSFORM_RUNS, name, wanted={1} | ENDED)
        hit = transforming.kill_in(TRANSFORM_STATUS, name, "Stopping", ENDED,
                                   ask=lambda: clients.sagemaker.stop_transform_job(TransformJobName=name))
        assert transforms.wait_for_end(clients, name)["TransformJobStatus"] == "Stopped"
        if hit:
            break
    else:
        pytest.fail("the server never died in Stopping")
    transforming.check_nothing_is_left()


# -- endpoint updates ---------------------------------------------------------------------------------------------------

ENDPOINT_STATUS = "SELECT status FROM endpoints WHERE name = ?"
PERCENT = {"Type": "CAPACITY_PERCENT", "Value": 50}


def blue_green(routing: dict) -> dict:
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": {"WaitIntervalInSeconds": 1, **routing},
                                      "TerminationWaitInSeconds": 1}}


@pytest.mark.parametrize("deployment", [
    None, blue_green({"Type": "ALL_AT_ONCE"}), blue_green({"Type": "CANARY", "CanarySize": PERCENT}),
    blue_green({"Type": "LINEAR", "LinearStepSize": PERCENT}),
    {"RollingUpdatePolicy": {"MaximumBatchSize": PERCENT, "WaitIntervalInSeconds": 1}},
], ids=["plain", "all at once", "canary", "linear", "rolling"])
def test_an_update_that_dies_at_any_step_reaches_the_new_configuration(crashing, deployment):
    hosting = models.Hosting(crashing.clients, "data", "h")
    old, new = (hosting.model(f"m{value}", models.constant_archive(value)) for value in (1, 2))
    first, following = hosting.config("c1", {"a": (old, 1)}), hosting.config("c2", {"a": (new, 1)})
    endpoint = hosting.endpoint("e", first)
    sagemaker = crashing.clients.sagemaker
    sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=following,
                              **({"DeploymentConfig": deployment} if deployment else {}))
    for pause in (0.0, 0.7, 0.7):  # The moment is the parameter: the steps last a second each.
        time.sleep(pause)
        crashing.server.kill9()
        assert crashing.ledger.value(ENDPOINT_STATUS, endpoint) in {"Updating", "InService"}
        crashing.server.start()
    described = poll(lambda: (now := sagemaker.describe_endpoint(EndpointName=endpoint))["EndpointStatus"] == "InService" and now)
    assert described["EndpointConfigName"] == following and "PendingDeploymentSummary" not in described
    assert {hosting.invoke(endpoint, b"1,2")["Body"] for _ in range(20)} == {b"2.0"}
