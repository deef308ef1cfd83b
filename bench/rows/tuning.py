"""Hyperparameter tuning through the API: how good the search is, and what many trials over one data set cost."""

from __future__ import annotations

import statistics
import time

import numpy as np
from harness import jobs, tunings
from harness.clients import Clients
from harness.models import MODERN_IMAGE
from harness.server import Server
from results import RowResult, Series
from rows.settings import Settings
from sklearn import datasets

TRIALS, SEEDS = 25, 5
SHARE_TRIALS, SHARE_ROWS = 100, 50_000
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
    """name -> (features, labels, objective, metric): scikit-learn's bundled data sets and generators."""
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


class PatientClients(Clients):
    """A run of an hour must not end with one answer that a busy machine gave late."""

    def client(self, service: str, *, attempts: int = 5, **more):
        return super().client(service, attempts=attempts, **more)


def upload(clients: Clients, bucket: str, features: np.ndarray, labels: np.ndarray) -> None:
    clients.s3.create_bucket(Bucket=bucket)
    order = np.random.default_rng(0).permutation(len(labels))
    cut = len(labels) * 7 // 10
    for name, rows in (("train", order[:cut]), ("validation", order[cut:])):
        text = "\n".join(",".join(f"{value:.9g}" for value in (labels[row], *features[row])) for row in rows)
        clients.s3.put_object(Bucket=bucket, Key=f"{name}/rows.csv", Body=text.encode())


def best_of(clients: Clients, bucket: str, strategy: str, seed: int, trials: int, fixed: dict, metric: str) -> float:
    """The best value of the metric that a tuning job of so many trials finds."""
    request = tunings.request(
        bucket, f"{bucket}-{strategy.lower()}-{seed}", strategy=strategy, trials=trials, parallel=2, ranges=RANGES, rounds=30,
        fixed=fixed, objective={"Type": "Minimize", "MetricName": f"validation:{metric}"}, config={"RandomSeed": seed})
    for channel in request["TrainingJobDefinition"]["InputDataConfig"]:
        channel["ContentType"] = "text/csv"
    tunings.WAIT_SECONDS_MAX = 3600.0
    job = tunings.run(clients, request)
    assert job["HyperParameterTuningJobStatus"] == "Completed", job
    return job["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]


def search(settings: Settings) -> RowResult:
    """Tuning jobs of equal trials with both strategies and several seeds on each task: the medians of their best."""
    trials, seeds = (4, 1) if settings.quick else (TRIALS, SEEDS)
    chosen = dict(list(tasks().items())[:1]) if settings.quick else tasks()
    ratios, notes = [], []
    with Server(settings.work / "data") as server:
        clients = PatientClients(server)
        for number, (task, (features, labels, objective, metric)) in enumerate(chosen.items()):
            bucket = f"task-{number}"
            upload(clients, bucket, features, labels)
            fixed = {"objective": objective}
            if objective.startswith("multi:"):
                fixed["num_class"] = str(len(set(labels)))
            random, bayesian = (statistics.median(best_of(clients, bucket, strategy, seed, trials, fixed, metric)
                                                  for seed in range(seeds)) for strategy in ("Random", "Bayesian"))
            ratios.append(bayesian / random)
            notes.append(f"{task}, {metric}: Random {random:.5f}, Bayesian {bayesian:.5f}")
            print("  " + notes[-1], flush=True)
    result = RowResult(
        "tuning", f"tuning, {trials} trials, median best of {seeds} seeds: geometric mean over {len(chosen)} tasks", "of Random's best",
        True, ours=Series("Bayesian", [statistics.geometric_mean(ratios)]), peers=[Series("Random", [1.0])], notes=notes)
    result.add_goal("Bayesian better than Random on at least 5 tasks", sum(ratio < 1 for ratio in ratios), 5, "tasks")
    return result


def share(settings: Settings) -> RowResult:
    """One tuning job of many trials over one data set: every trial is a fit, the data are parsed and binned once."""
    trials, rows = (4, 2000) if settings.quick else (SHARE_TRIALS, SHARE_ROWS)
    with Server(settings.work / "data") as server:
        clients = PatientClients(server)
        clients.s3.create_bucket(Bucket="digits")
        jobs.upload_mnist(clients, "digits", train_rows=rows, validation_rows=rows // 5)
        request = tunings.request("digits", "mnist", trials=trials, parallel=2, ranges=RANGES,
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
        found = tunings.trials(clients, "mnist")
        loads = sum(not _took_bins(clients, row["TrainingJobName"]) for row in found)
    lasted = [(row["TrainingEndTime"] - row["TrainingStartTime"]).total_seconds() for row in found]
    result = RowResult("tuning-share", f"tuning on MNIST, {rows:,} rows, {trials} trials, 5 rounds each: all", "s", True,
                       ours=Series("ours", [seconds], f"{len(found)} fits, {loads} load"),
                       notes=[f"the first trial took {lasted[0]:.2f} s, the median of the others {statistics.median(lasted[1:]):.2f} s"])
    result.add_goal("the data are loaded once", loads, 1, "load", at_least=False)
    return result


def _took_bins(clients: Clients, trial: str) -> bool:
    """Whether its log says that the bins were there."""
    group = "/aws/sagemaker/TrainingJobs"
    stream = clients.logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=trial + "/")["logStreams"][0]
    events = clients.logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)["events"]
    return any("Binned data taken from" in event["message"] for event in events)


ROWS = {"tuning": search, "tuning-share": share}
