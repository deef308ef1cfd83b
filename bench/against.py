"""This build against that of another commit, in alternating pairs: `./dev bench --against REF`.

A pair runs both builds, the older first in every other one. A row is lost when the median of the pairs' ratios (time of this
build / time of REF's) is above 1 by more than LOSS_MIN and by more than the spread: half the distance between the ratios'
quartiles. Rows of `espalier train` need a REF that knows --timings, those of prediction one that has espalier-bench.
"""

from __future__ import annotations

import os
import pathlib
import statistics
import subprocess
import tempfile
from collections.abc import Callable

import datasets
import http_load
import machine
from harness import mnist, signing
from harness.server import Server
from rows import prediction, serving
from rows.settings import NOTEBOOK, NOTEBOOK_ROUNDS, Settings, Training

LOSS_MIN = 0.03
PAIRS = 7
PROGRAMS = ("espalier", "espalier-train", "espalier-bench")

Measure = Callable[[Settings], float]  # seconds, or something else that is better when it is less


def build_of(ref: str) -> pathlib.Path:
    """The build folder of that commit: a worktree of its own under .cache/bench, kept for the next comparison."""
    found = subprocess.run(["git", "rev-parse", "--short=12", ref + "^{commit}"], cwd=machine.ROOT, capture_output=True, text=True)
    if found.returncode != 0:
        raise machine.BenchError(f"--against {ref}: there is no such commit")
    folder = machine.CACHE / f"tree-{found.stdout.strip()}"
    if not folder.exists():
        machine.run(["git", "-C", machine.ROOT, "worktree", "add", "--detach", folder, ref])
        (folder / ".venv").symlink_to(machine.ROOT / ".venv")
    print(f"building {ref} in {folder} ...", flush=True)
    if not (folder / "build" / "release" / "build.ninja").exists():
        machine.run(["cmake", "--preset", "release", "-S", folder, "-B", folder / "build" / "release"])
    known = machine.run(["ninja", "-C", folder / "build" / "release", "-t", "targets", "all"]).output
    programs = [name for name in PROGRAMS if f"{name}: phony" in known]
    machine.run(["ninja", "-C", folder / "build" / "release", *programs], seconds_max=3600)
    return folder / "build" / "release"


def _train(stage: str, data: Callable[[Settings], tuple], **options) -> Measure:
    def measure(settings: Settings) -> float:
        path, parameters, rounds = data(settings)
        run = Training(path, parameters, rounds, **options).run(settings.build, settings.work)
        return run.bins_seconds if stage == "bins" else run.seconds[stage]
    return measure


def _digits(settings: Settings) -> tuple:
    return settings.digits() / "train", NOTEBOOK, NOTEBOOK_ROUNDS


def _dense(settings: Settings) -> tuple:
    folder = datasets.dense(20_000 if settings.quick else 1_000_000)
    return folder / "train.csv", {"objective": "binary:logistic", "max_depth": 8, "eta": 0.1}, 20


def _covertype(settings: Settings) -> tuple:
    folder = datasets.covertype(10_000 if settings.quick else 581_000)
    return folder / "train.csv", {"objective": "multi:softmax", "num_class": 7, "max_depth": 6}, 10


def _sparse(settings: Settings) -> tuple:
    folder = datasets.sparse(*((5000, 5000) if settings.quick else (200_000, 50_000)))
    return folder / "train.libsvm", {"objective": "binary:logistic", "max_depth": 6}, 10


def _predict(rounds: int, depth: int) -> Measure:
    def measure(settings: Settings) -> float:
        model = prediction.trained_model(settings, rounds, depth)
        return 1 / prediction.run_ours(settings, "predict", model, "--threads", settings.threads)["rows_per_second"]
    return measure


def _predict_one(settings: Settings) -> float:
    return prediction.run_ours(settings, "predict-one", prediction.trained_model(settings, 10, 5))["p50_us"]


def _invoke(num_rows: int) -> Measure:
    """Microseconds of a request under load."""

    def measure(settings: Settings) -> float:
        os.environ["ESPALIER_BUILD"] = str(settings.build)
        images, labels = mnist.rows("test", num_rows)
        body = mnist.libsvm(images, labels)
        with tempfile.TemporaryDirectory(dir=settings.work) as folder, Server(pathlib.Path(folder)) as server:
            serving.deploy(server, serving.served_model(settings))
            headers = http_load.signed_headers(signing, server, "sagemaker", "POST", serving.TARGET, body,
                                               {"Content-Type": "text/x-libsvm"})
            told = http_load.wrk(server.endpoint_url + serving.TARGET, body, headers, settings.work, 2)
        return 1e6 / told["requests_per_second"]
    return measure


MEASURES: dict[str, Measure] = {
    "load": _train("bins", _digits), "csv": _train("bins", _dense, content_type="csv"),
    "fit": _train("rounds_seconds", _digits), "job": _train("total_seconds", _digits),
    "dense": _train("rounds_seconds", _dense, content_type="csv"),
    "covertype": _train("rounds_seconds", _covertype, content_type="csv"),
    "sparse": _train("rounds_seconds", _sparse), "ranks": _train("total_seconds", _digits, instances=2),
    "predict-100": _predict(10, 5), "predict-1000": _predict(100, 8), "predict-one": _predict_one,
    "invoke-1": _invoke(1), "invoke-100": _invoke(100),
}


def judge(ratios: list[float]) -> tuple[float, float, bool]:
    """Median, spread, and whether it is a loss."""
    median = statistics.median(ratios)
    if len(ratios) > 1:
        quartiles = statistics.quantiles(ratios, n=4, method="inclusive")
        spread = (quartiles[2] - quartiles[0]) / 2
    else:
        spread = 0.0
    return median, spread, median - 1 > max(LOSS_MIN, spread)


def compare(settings: Settings, ref: str, names: list[str], pairs: int) -> int:
    """Number of rows lost."""
    old = Settings(build_of(ref), settings.work, settings.rounds, settings.quick)
    lost = 0
    print(f"{'row':<14} {'this build / ' + ref:>24} {'spread':>8}")
    for name in names:
        ratios = []
        for pair in range(pairs):
            order = [settings, old] if pair % 2 else [old, settings]
            times = {each.build: MEASURES[name](each) for each in order}
            ratios.append(times[settings.build] / times[old.build])
        median, spread, is_loss = judge(ratios)
        lost += is_loss
        print(f"{name:<14} {median:>24.3f} {spread:>8.3f}  {'LOSS' if is_loss else 'ok'}   "
              f"{' '.join(f'{ratio:.3f}' for ratio in ratios)}", flush=True)
    return lost
