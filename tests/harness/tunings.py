"""Tuning jobs on a few rows: requests, and what comes of them."""

from __future__ import annotations

import time

from harness import small_jobs
from harness.clients import Clients
from harness.jobs import ROLE
from harness.models import MODERN_IMAGE

WAIT_SECONDS_MAX = 90.0

ETA = {"Name": "eta", "MinValue": "0.01", "MaxValue": "0.9", "ScalingType": "Logarithmic"}
DEPTH = {"Name": "max_depth", "MinValue": "1", "MaxValue": "6"}
RANGES = {"ContinuousParameterRanges": [ETA], "IntegerParameterRanges": [DEPTH]}
OBJECTIVE = {"Type": "Minimize", "MetricName": "validation:logloss"}


def upload(clients: Clients, bucket: str) -> None:
    small_jobs.upload_rows(clients, bucket, prefix="train", files=2)
    small_jobs.upload_rows(clients, bucket, prefix="validation", files=1, seed=8)


def definition(bucket: str, *, rounds: int = 4, fixed: dict | None = None, **members) -> dict:
    """A TrainingJobDefinition for the rows of upload."""
    def channel(name):
        return {"ChannelName": name, "ContentType": "libsvm", "DataSource": {"S3DataSource": {
            "S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/{name}"}}}

    base = {
        "StaticHyperParameters": {"num_round": str(rounds), "objective": "binary:logistic", **(fixed or {})},
        "AlgorithmSpecification": {"TrainingImage": MODERN_IMAGE, "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "InputDataConfig": [channel("train"), channel("validation")],
        "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }
    return {**base, **members}


def request(bucket: str, name: str, *, strategy: str = "Random", trials: int | None = 4, parallel: int = 2,
            ranges: dict | None = None, objective: dict | None = None, config: dict | None = None, rounds: int = 4,
            fixed: dict | None = None, **members) -> dict:
    """create_hyper_parameter_tuning_job's arguments; `config` adds to its HyperParameterTuningJobConfig."""
    limits = {"MaxParallelTrainingJobs": parallel}
    if trials is not None:
        limits["MaxNumberOfTrainingJobs"] = trials
    base = {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": {
            "Strategy": strategy, "ResourceLimits": limits, "ParameterRanges": RANGES if ranges is None else ranges,
            "HyperParameterTuningJobObjective": objective or OBJECTIVE, **(config or {})},
        "TrainingJobDefinition": definition(bucket, rounds=rounds, fixed=fixed),
    }
    return {**base, **members}


def describe(clients: Clients, name: str) -> dict:
    return clients.sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)


def wait_for_end(clients: Clients, name: str) -> dict:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while (job := describe(clients, name))["HyperParameterTuningJobStatus"] in ("InProgress", "Stopping"):
        assert time.monotonic() < deadline, job
        time.sleep(0.05)
    return job


def run(clients: Clients, arguments: dict) -> dict:
    clients.sagemaker.create_hyper_parameter_tuning_job(**arguments)
    return wait_for_end(clients, arguments["HyperParameterTuningJobName"])


def trials(clients: Clients, name: str, **arguments) -> list[dict]:
    """All trials, page by page."""
    paginator = clients.sagemaker.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job")
    return [row for page in paginator.paginate(HyperParameterTuningJobName=name, **arguments)
            for row in page["TrainingJobSummaries"]]


def values(rows: list[dict]) -> list[dict]:
    return [row["TunedHyperParameters"] for row in rows]
