"""Bayesian tuning against Random on tasks of public shape, and what a tuning job of many trials on one data set costs.

    .venv/bin/python bench/tuning.py [--trials N] [--seeds N] [--only tasks|share] [--share-trials N]

tasks   on each task, tuning jobs of equal trials with both strategies and several seeds; the medians of their best
share   one tuning job on MNIST: trials, fits, and how often the data were parsed and binned

All through the API, against a server of this run. The tasks are scikit-learn's bundled data sets and generators.
"""

from __future__ import annotations

import argparse
import pathlib
import statistics
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "examples")]

import numpy as np
from harness import jobs, mnist, tunings
from harness.clients import Clients
from harness.models import MODERN_IMAGE
from harness.server import Server
from sklearn import datasets

RANGES = {
    "ContinuousParameterRanges": [
        {"Name": "eta", "MinValue": "0.01", "MaxValue": "1", "ScalingType": "Logarithmic"},
        {"Name": "lambda", "MinValue": "0.001", "MaxValue": "100", "ScalingType": "Logarithmic"},
        {"Name": "subsample", "MinValue": "0.4", "MaxValue": "1"},
        {"Name": "colsample_bytree", "MinValue": "0.3", "MaxValue": "1"},
        {"Name": "min_child_weight", "MinValue": "0.1", "MaxValue": "30", "ScalingType": "Logarithmic"},
    ],
    "IntegerParameterRanges": [{"Name": "max_depth", "MinValue": "1", "MaxValue": "10"}],
}


def tasks() -> dict[str, tuple[np.ndarray, np.ndarray, str, str]]:
    """name -> (features, labels, objective, metric)."""
    classes = datasets.make_classification(1500, 20, n_informative=8, n_redundant=4, flip_y=0.05, class_sep=0.8, random_state=3)
    hastie_x, hastie_y = datasets.make_hastie_10_2(1500, random_state=4)
    return {
        "breast cancer": (*datasets.load_breast_cancer(return_X_y=True), "binary:logistic", "logloss"),
        "diabetes": (*datasets.load_diabetes(return_X_y=True), "reg:squarederror", "rmse"),
        "digits": (*datasets.load_digits(return_X_y=True), "multi:softprob", "mlogloss"),
        "friedman 1": (*datasets.make_friedman1(1200, noise=1.0, random_state=1), "reg:squarederror", "rmse"),
        "friedman 3": (*datasets.make_friedman3(1200, noise=0.1, random_state=2), "reg:squarederror", "rmse"),
        "classification": (*classes, "binary:logistic", "logloss"),
        "hastie 10.2": (hastie_x, (hastie_y > 0).astype(int), "binary:logistic", "logloss"),
    }


def upload(clients: Clients, bucket: str, features: np.ndarray, labels: np.ndarray) -> None:
    clients.s3.create_bucket(Bucket=bucket)
    order = np.random.default_rng(0).permutation(len(labels))
    cut = len(labels) * 7 // 10
    for name, rows in (("train", order[:cut]), ("validation", order[cut:])):
        text = "\n".join(",".join(f"{value:.9g}" for value in (labels[row], *features[row])) for row in rows)
        clients.s3.put_object(Bucket=bucket, Key=f"{name}/rows.csv", Body=text.encode())


def best_of(clients: Clients, bucket: str, name: str, strategy: str, seed: int, arguments: argparse.Namespace,
            fixed: dict, metric: str) -> float:
    request = tunings.request(
        bucket, name, strategy=strategy, trials=arguments.trials, parallel=2, ranges=RANGES, rounds=30, fixed=fixed,
        objective={"Type": "Minimize", "MetricName": f"validation:{metric}"}, config={"RandomSeed": seed})
    for channel in request["TrainingJobDefinition"]["InputDataConfig"]:
        channel["ContentType"] = "text/csv"
    tunings.WAIT_SECONDS_MAX = 3600.0
    job = tunings.run(clients, request)
    assert job["HyperParameterTuningJobStatus"] == "Completed", job
    return job["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]


def compare_strategies(clients: Clients, arguments: argparse.Namespace) -> int:
    print(f"{'task':<16}{'metric':<10}{'Random':>10}{'Bayesian':>10}   median best of {arguments.seeds} seeds, "
          f"{arguments.trials} trials each", flush=True)
    wins = 0
    for number, (task, (features, labels, objective, metric)) in enumerate(tasks().items()):
        bucket = f"task-{number}"
        upload(clients, bucket, features, labels)
        fixed = {"objective": objective}
        if objective.startswith("multi:"):
            fixed["num_class"] = str(len(set(labels)))
        medians = {}
        for strategy in ("Random", "Bayesian"):
            found = [best_of(clients, bucket, f"{strategy.lower()}-{number}-{seed}", strategy, seed, arguments, fixed, metric)
                     for seed in range(arguments.seeds)]
            medians[strategy] = statistics.median(found)
        wins += medians["Bayesian"] < medians["Random"]
        print(f"{task:<16}{metric:<10}{medians['Random']:>10.5f}{medians['Bayesian']:>10.5f}", flush=True)
    print(f"Bayesian is better on {wins} of {len(tasks())} tasks")
    return wins


def share_one_load(clients: Clients, arguments: argparse.Namespace) -> None:
    clients.s3.create_bucket(Bucket="digits")
    jobs.upload_mnist(clients, "digits", train_rows=arguments.rows, validation_rows=arguments.rows // 5)
    request = tunings.request(
        "digits", "mnist", trials=arguments.share_trials, parallel=2, ranges=RANGES,
        objective={"Type": "Minimize", "MetricName": "validation:merror"}, config={"RandomSeed": 1})
    request["TrainingJobDefinition"] |= {
        "InputDataConfig": [jobs.channel("digits", "train"), jobs.channel("digits", "validation")],
        "AlgorithmSpecification": {"TrainingImage": MODERN_IMAGE, "TrainingInputMode": "File"},
        "StaticHyperParameters": {"objective": "multi:softmax", "num_class": "10", "num_round": "5"}}
    tunings.WAIT_SECONDS_MAX = 36000.0
    began = time.monotonic()
    job = tunings.run(clients, request)
    seconds = time.monotonic() - began
    assert job["HyperParameterTuningJobStatus"] == "Completed", job
    rows = tunings.trials(clients, "mnist")
    loads = 0
    for row in rows:
        streams = {"logGroupName": "/aws/sagemaker/TrainingJobs", "logStreamNamePrefix": row["TrainingJobName"] + "/"}
        stream = clients.logs.describe_log_streams(**streams)["logStreams"][0]["logStreamName"]
        lines = clients.logs.get_log_events(logGroupName=streams["logGroupName"], logStreamName=stream, startFromHead=True)
        loads += not any("Binned data taken from" in event["message"] for event in lines["events"])
    lasted = [(row["TrainingEndTime"] - row["TrainingStartTime"]).total_seconds() for row in rows]
    print(f"{len(rows)} trials on {arguments.rows} rows of MNIST: {len(rows)} fits, {loads} loads, {seconds:.1f} s in all; "
          f"the first trial took {lasted[0]:.2f} s, the median of the others {statistics.median(lasted[1:]):.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=25)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--share-trials", type=int, default=100)
    parser.add_argument("--rows", type=int, default=50000)
    parser.add_argument("--only", choices=["tasks", "share"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="espalier-tuning-") as folder, Server(pathlib.Path(folder) / "data") as server:
        clients = Clients(server)
        if arguments.only != "share":
            compare_strategies(clients, arguments)
        if arguments.only != "tasks":
            share_one_load(clients, arguments)


if __name__ == "__main__":
    main()
