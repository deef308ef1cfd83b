"""Loading, fitting and the whole job: `espalier train` and the peers, in turn."""

from __future__ import annotations

import dataclasses
import pathlib

import datasets
import machine
import numpy as np
import xgboost
from contest import Contest
from results import RowResult
from rows.settings import NOTEBOOK, NOTEBOOK_ROUNDS, Settings, Training, joined, size_of

PEERS = {"xgboost": "XGBoost 3.2 hist", "lightgbm": "LightGBM 4.7", "lightgbm-quantized": "LightGBM 4.7 quantized",
         "catboost": "CatBoost 1.2", "onedal": "oneDAL 2026.2"}
PEER_SECONDS_MAX = 180.0


def judge(model: pathlib.Path, folder: pathlib.Path, first_column: int = 0) -> dict:
    """The quality of a model of ours on the test rows, judged by stock XGBoost, which so shows that it reads our file.
    `first_column` is 1 for text whose feature indices begin at 1."""
    if (folder / "test_x.npy").exists():
        features = np.load(folder / "test_x.npy")
        if first_column:
            features = np.hstack([np.full((len(features), 1), np.nan, np.float32), features])
    else:
        import scipy.sparse

        features = scipy.sparse.load_npz(folder / "test_x.npz")
    labels = np.load(folder / "test_y.npy")
    booster = xgboost.Booster(model_file=str(model))
    matrix = xgboost.DMatrix(features[:, : booster.num_features()])  # Text ends at the last column that any training row has.
    scores = booster.predict(matrix, output_margin=True, validate_features=False)
    if scores.ndim > 1:
        return {"error": float(np.mean(scores.argmax(axis=1) != labels))}
    from sklearn.metrics import roc_auc_score

    return {"auc": float(roc_auc_score(labels, scores))}


def _gb_per_second(num_bytes: int, seconds: float) -> float:
    return num_bytes / seconds / 1e9


def load(settings: Settings) -> RowResult:
    folder = settings.digits()
    num_bytes, one_file = size_of(folder / "train"), joined(folder) / "train.libsvm"

    def ours(threads: int):
        def measure():
            run = Training(folder / "train", NOTEBOOK, 1, threads=threads).run(settings.build, settings.work)
            return _gb_per_second(num_bytes, run.bins_seconds), run.seconds
        return measure

    def peer(name: str):
        def measure():
            told = machine.run_peer("load", name, folder=folder / "train", joined=one_file)
            return _gb_per_second(num_bytes, told["seconds"]), told
        return measure

    one_core = Contest(("ours, one thread", ours(1)), [], False)
    contest = Contest(("ours", ours(settings.threads)), [(PEERS[name], peer(name)) for name in ("xgboost", "lightgbm")], False)
    contest.run(settings.rounds)
    one_core.run(settings.rounds)
    result = RowResult("load", f"load {num_bytes / 1e6:.0f} MB of libsvm (the notebook's) to bins", "GB/s", False, contest.ours,
                       contest.peers)
    result.add_goal(">= 2.5 GB/s", result.ours_best(), 2.5, "GB/s")
    result.add_goal(">= 1.5 GB/s on one core", one_core.ours.best(False), 1.5, "GB/s")
    if contest.told[PEERS["xgboost"]]["rows"] != len(np.load(folder / "train_y.npy")):
        result.wrong.append("XGBoost did not read all rows")
    return result


def csv(settings: Settings) -> RowResult:
    folder = datasets.dense(20_000 if settings.quick else 1_000_000)
    path = folder / "train.csv"
    num_bytes = path.stat().st_size

    def ours():
        run = Training(path, {"objective": "binary:logistic", "max_depth": 2}, 1, "csv").run(settings.build, settings.work)
        return _gb_per_second(num_bytes, run.bins_seconds), run.seconds

    def peer(name: str):
        def measure():
            told = machine.run_peer("csv", name, path=path)
            return _gb_per_second(num_bytes, told["seconds"]), told
        return measure

    contest = Contest(("ours", ours), [(PEERS[name], peer(name)) for name in ("xgboost", "lightgbm")], False).run(settings.rounds)
    result = RowResult("csv", f"CSV of 1M x 28 ({num_bytes / 1e6:.0f} MB) to bins", "GB/s", False, contest.ours, contest.peers)
    result.add_goal(">= 1 GB/s on two cores", result.ours_best(), 1.0, "GB/s")
    return result


def fit_contest(settings: Settings, folder: pathlib.Path, training: Training, peers: list[str], evaluates: bool) -> Contest:
    """Seconds of the rounds; loading and binning are told apart by everyone. Where the peers evaluate nothing, ours, which
    evaluates its training rows in any case as SageMaker does, takes the metric that costs least."""
    ours_settings = training.settings
    if not evaluates:
        ours_settings = {**ours_settings, "eval_metric": "merror" if "num_class" in ours_settings else "error"}

    def ours():
        run = dataclasses.replace(training, settings=ours_settings).run(settings.build, settings.work)
        return run.seconds["rounds_seconds"], {**run.seconds, "load_seconds": run.bins_seconds}

    def peer(name: str):
        def measure():
            told = machine.run_peer("fit", name, folder=folder, settings=training.settings, rounds=training.rounds,
                                    evaluates=evaluates, seconds_max=PEER_SECONDS_MAX)
            return told["seconds"], told
        return measure

    return Contest(("ours", ours), [(PEERS[name], peer(name)) for name in peers], True).run(settings.rounds)


def fit_result(row: str, title: str, contest: Contest, quality: dict, measure: str) -> RowResult:
    result = RowResult(row, title, "s", True, contest.ours, contest.peers)
    contest.told["ours"].update(quality)
    for series in [contest.ours, *contest.peers]:
        told = contest.told.get(series.name, {})
        if measure in told:
            text = f"test error {100 * told[measure]:.2f} %" if measure == "error" else f"AUC {told[measure]:.5f}"
            series.note = f"{text}, loading {told['load_seconds']:.2f} s"
    return result


def check_quality(result: RowResult, contest: Contest, measure: str, slack: float) -> None:
    """Ours no worse than XGBoost's, by more than `slack`."""
    ours, stock = contest.told["ours"][measure], contest.told.get(PEERS["xgboost"], {}).get(measure)
    if stock is None:
        return result.wrong.append("XGBoost gave no model to compare with")
    worse = ours - stock if measure == "error" else stock - ours
    if worse > slack:
        result.wrong.append(f"{measure} {ours:.5f} is worse than XGBoost's {stock:.5f} by more than {slack}")


def fit(settings: Settings) -> RowResult:
    folder = settings.digits()
    training = Training(folder / "train", NOTEBOOK, NOTEBOOK_ROUNDS, validation=folder / "validation", threads=settings.threads)
    contest = fit_contest(settings, folder, training, list(PEERS), evaluates=True)
    quality = judge(settings.work / "ours.json", folder, first_column=1)
    result = fit_result("fit", "fit the notebook's job (50,000 x 784, 100 trees, evaluated each round)", contest, quality, "error")
    result.add_goal(">= 10x XGBoost", result.against("XGBoost"), 10)
    result.add_goal(">= 2.5x LightGBM quantized", result.against("LightGBM 4.7 quantized"), 2.5)
    check_quality(result, contest, "error", 0.02 if settings.quick else 0.0)
    return result


def job(settings: Settings) -> RowResult:
    folder = settings.digits()
    one_file = joined(folder)
    training = Training(folder / "train", NOTEBOOK, NOTEBOOK_ROUNDS, validation=folder / "validation", threads=settings.threads)

    def ours():
        run = training.run(settings.build, settings.work)
        return run.cost.seconds, {"peak_bytes": run.seconds["peak_memory_bytes"]}

    def peer(name: str):
        def measure():
            told = machine.run_peer("job", name, folder=folder, joined=one_file, settings=NOTEBOOK, rounds=NOTEBOOK_ROUNDS,
                                    model=settings.work / f"{name}.model")
            return told["process_seconds"], told
        return measure

    names = ("xgboost", "lightgbm", "lightgbm-quantized")
    contest = Contest(("ours", ours), [(PEERS[name], peer(name)) for name in names], True).run(settings.rounds)
    result = RowResult("job", "whole job: parse train and validation, fit, save", "s", True, contest.ours, contest.peers)
    for series in [contest.ours, *contest.peers]:
        if series.name in contest.told:
            series.note = f"peak {contest.told[series.name]['peak_bytes'] / 1e6:.0f} MB"
    result.add_goal(">= 10x XGBoost", result.against("XGBoost"), 10)
    result.add_goal("<= 300 MB peak", contest.told["ours"]["peak_bytes"] / 1e6, 300, "MB", at_least=False)
    error = judge(settings.work / "ours.json", folder, first_column=1)["error"]
    if error > (0.2 if settings.quick else 0.0784):
        result.wrong.append(f"test error {error} is above XGBoost's")
    return result


def _tabular(settings: Settings, row: str, title: str, folder: pathlib.Path, training: Training, peers: list[str]):
    contest = fit_contest(settings, folder, training, peers, evaluates=False)
    quality = judge(settings.work / "ours.json", folder)
    measure = next(iter(quality))
    return fit_result(row, title, contest, quality, measure), contest, measure


def _add_fastest_goal(result: RowResult, wanted: float) -> None:
    fastest = result.fastest_peer()
    result.add_goal(f">= {wanted}x the fastest", result.times_better(fastest) if fastest else None, wanted)


def _mean_auc(settings: Settings, folder: pathlib.Path, training: Training, contest: Contest) -> None:
    """The AUC of one model moves by 0.001 with anything; so ours and XGBoost's become means over three numbers of bins."""
    ours, stock = [contest.told["ours"]["auc"]], [contest.told[PEERS["xgboost"]]["auc"]]
    for max_bin in (254, 255):
        varied = Training(training.train, {**training.settings, "max_bin": max_bin}, training.rounds, training.content_type)
        varied.run(settings.build, settings.work)
        ours.append(judge(settings.work / "ours.json", folder)["auc"])
        told = machine.run_peer("fit", "xgboost", folder=folder, settings=varied.settings, rounds=varied.rounds, evaluates=False,
                                seconds_max=PEER_SECONDS_MAX)
        stock.append(told["auc"])
    contest.told["ours"]["auc"], contest.told[PEERS["xgboost"]]["auc"] = float(np.mean(ours)), float(np.mean(stock))


def dense(settings: Settings) -> RowResult:
    folder = datasets.dense(20_000 if settings.quick else 1_000_000)
    parameters = {"objective": "binary:logistic", "max_depth": 8, "eta": 0.1}
    training = Training(folder / "train.csv", parameters, 20 if settings.quick else 100, "csv", threads=settings.threads)
    result, contest, measure = _tabular(settings, "dense", "dense binary, 1M x 28, 100 rounds, depth 8", folder, training, list(PEERS))
    if PEERS["xgboost"] in contest.told:
        _mean_auc(settings, folder, training, contest)
    _add_fastest_goal(result, 1.5)
    check_quality(result, contest, measure, 0.02 if settings.quick else 0.0005)
    return result


def covertype(settings: Settings) -> RowResult:
    folder = datasets.covertype(10_000 if settings.quick else 581_000)
    parameters = {"objective": "multi:softmax", "num_class": 7, "max_depth": 6, "eta": 0.3}
    training = Training(folder / "train.csv", parameters, 10 if settings.quick else 50, "csv", threads=settings.threads)
    result, contest, measure = _tabular(settings, "covertype", "581,000 x 54, 7 classes, 50 rounds, depth 6", folder, training, list(PEERS))
    _add_fastest_goal(result, 2)
    check_quality(result, contest, measure, 0.02 if settings.quick else 0.002)
    return result


def sparse(settings: Settings) -> RowResult:
    folder = datasets.sparse(*((5000, 5000) if settings.quick else (200_000, 50_000)))
    parameters = {"objective": "binary:logistic", "max_depth": 6, "eta": 0.3}
    training = Training(folder / "train.libsvm", parameters, 10 if settings.quick else 50, threads=settings.threads)
    peers = ["xgboost", "lightgbm", "lightgbm-quantized", "catboost"]
    title = "sparse 200,000 x 50,000, 0.1 % filled, 50 rounds, depth 6"
    result, contest, measure = _tabular(settings, "sparse", title, folder, training, peers)
    _add_fastest_goal(result, 2)
    check_quality(result, contest, measure, 0.02 if settings.quick else 0.002)
    return result


ROWS = {"load": load, "csv": csv, "fit": fit, "job": job, "dense": dense, "covertype": covertype, "sparse": sparse}
