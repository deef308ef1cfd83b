"""Training jobs on a few rows, for tests of the control plane: fast ones, and ones that last until they are stopped."""

from __future__ import annotations

import io
import random
import tarfile
import time

import psutil
from harness.clients import Clients
from harness.jobs import IMAGE, ROLE

WAIT_SECONDS_MAX = 60.0


def upload_rows(clients: Clients, bucket: str, *, prefix: str = "train", files: int = 5, rows: int = 40, columns: int = 8,
                seed: int = 7) -> None:
    """<bucket>/<prefix>/part-0..: binary rows whose label depends on the first column."""
    numbers = random.Random(seed)
    for file in range(files):
        lines = []
        for _ in range(rows):
            values = [numbers.random() for _ in range(columns)]
            label = int(values[0] + 0.2 * numbers.random() > 0.6)
            lines.append(f"{label} " + " ".join(f"{column + 1}:{value:.4f}" for column, value in enumerate(values)))
        clients.s3.put_object(Bucket=bucket, Key=f"{prefix}/part-{file}", Body="\n".join(lines).encode() + b"\n")


def request(bucket: str, name: str, *, rounds: int = 3, instances: int = 1, sharded: bool = False, image: str = IMAGE,
            uri: str | None = None, max_runtime_seconds: int = 3600, **members) -> dict:
    """create_training_job's arguments for the rows of upload_rows; `members` replace whole members."""
    base = {
        "TrainingJobName": name, "RoleArn": ROLE,
        "AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File"},
        "HyperParameters": {"num_round": str(rounds), "objective": "binary:logistic", "max_depth": "3"},
        "InputDataConfig": [{
            "ChannelName": "train", "ContentType": "libsvm",
            "DataSource": {"S3DataSource": {
                "S3DataType": "S3Prefix", "S3Uri": uri or f"s3://{bucket}/train",
                "S3DataDistributionType": "ShardedByS3Key" if sharded else "FullyReplicated"}}}],
        "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/out"},
        "ResourceConfig": {"InstanceType": "ml.m4.10xlarge", "InstanceCount": instances, "VolumeSizeInGB": 5},
        "StoppingCondition": {"MaxRuntimeInSeconds": max_runtime_seconds},
    }
    return {**base, **members}


def endless(bucket: str, name: str, **options) -> dict:
    """A job of more rounds than any test waits for; each takes long enough to keep the log short."""
    arguments = request(bucket, name, **options)
    arguments["HyperParameters"] = {
        "num_round": "100000000", "objective": "multi:softprob", "num_class": "40", "max_depth": "8", "min_child_weight": "0",
        "silent": "1",
    }
    return arguments


def secondary_status(clients: Clients, name: str) -> str:
    """By ListTrainingJobs, which is never held."""
    rows = clients.sagemaker.list_training_jobs(NameContains=name)["TrainingJobSummaries"]
    return next(row["SecondaryStatus"] for row in rows if row["TrainingJobName"] == name)


def wait_for_stage(clients: Clients, name: str, *stages: str) -> str:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while (now := secondary_status(clients, name)) not in stages:
        assert now not in ("Completed", "Failed", "Stopped", "MaxRuntimeExceeded"), f"{name} ended {now}, awaited {stages}"
        assert time.monotonic() < deadline, f"{name} is {now}, awaited {stages}"
        time.sleep(0.02)
    return now


def wait_for_end(clients: Clients, name: str) -> dict:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while (job := clients.sagemaker.describe_training_job(TrainingJobName=name))["TrainingJobStatus"] in (
            "InProgress", "Stopping"):
        assert time.monotonic() < deadline, f"{name} is still {job['SecondaryStatus']}"
        time.sleep(0.02)
    return job


def stages(job: dict) -> list[str]:
    return [transition["Status"] for transition in job["SecondaryStatusTransitions"]]


def model_bytes(clients: Clients, bucket: str, name: str) -> bytes:
    """The file xgboost-model out of the job's artifact, which must hold nothing else."""
    archive = clients.s3.get_object(Bucket=bucket, Key=f"out/{name}/output/model.tar.gz")["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        assert members.getnames() == ["xgboost-model"]
        return members.extractfile("xgboost-model").read()


def wait_for_trainer(server, number: int = 1, *, but_not=()) -> int:
    """The process id of the trainer of instance `number`, none of `but_not`."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while True:
        for process in server.children():
            try:
                command = process.cmdline()
            except psutil.Error:
                continue
            if process.pid not in but_not and command and command[0].endswith("espalier-train") and any(
                    argument.endswith(f"/algo-{number}") for argument in command):
                return process.pid
        assert time.monotonic() < deadline, f"the trainer of algo-{number} does not appear"
        time.sleep(0.01)
