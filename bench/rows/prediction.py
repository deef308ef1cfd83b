"""Prediction without a socket: batches, single rows, TreeSHAP. All but LightGBM apply the same stock XGBoost model."""

from __future__ import annotations

import json
import pathlib

import machine
import numpy as np
import xgboost
from contest import Contest
from results import RowResult
from rows.settings import NOTEBOOK, Settings

NAMES = {"xgboost": "XGBoost 3.2", "lightgbm": "LightGBM 4.7", "onedal": "oneDAL 2026.2", "treelite": "Treelite 4.8 GTIL",
         "tl2cgen": "TL2cgen 1.0 (compiled)"}


def trained_model(settings: Settings, rounds: int, depth: int) -> pathlib.Path:
    """A model of stock XGBoost on the digits, made once; `rounds` x 10 trees."""
    folder = settings.digits()
    path = folder / f"stock-{rounds}x{depth}.json"
    if not path.exists():
        print(f"    training the model of {rounds * 10} trees ...", flush=True)
        matrix = xgboost.QuantileDMatrix(np.load(folder / "train_x.npy"), np.load(folder / "train_y.npy"))
        parameters = {**NOTEBOOK, "max_depth": depth, "tree_method": "hist", "nthread": settings.threads}
        xgboost.train(parameters, matrix, rounds).save_model(path)
    return path


def _peer_arguments(settings: Settings, model: pathlib.Path, rounds: int, depth: int) -> dict:
    folder = settings.digits()
    return {"model": model, "rows": folder / "test_x.npy", "settings": {**NOTEBOOK, "max_depth": depth}, "rounds": rounds,
            "train": folder / "train"}


def run_ours(settings: Settings, command: str, model: pathlib.Path, *flags: object) -> dict:
    cost = machine.run([settings.program("espalier-bench"), command, "--model", model, "--rows",
                        settings.digits() / "test_x.npy", "--output", settings.work / "ours.f32", *flags])
    return json.loads(cost.output.strip().rsplit("\n", 1)[-1])


def _batch(settings: Settings, row: str, rounds: int, depth: int, peers: tuple[str, ...]) -> RowResult:
    model = trained_model(settings, rounds, depth)
    arguments = _peer_arguments(settings, model, rounds, depth)

    def ours():
        told = run_ours(settings, "predict", model, "--threads", settings.threads)
        return told["rows_per_second"], told

    def peer(name: str):
        def measure():
            told = machine.run_peer("predict", name, **arguments)
            return told["rows_per_second"], told
        return measure

    contest = Contest(("ours", ours), [(NAMES[name], peer(name)) for name in peers], False).run(settings.rounds)
    title = f"predict 10,000 x 784: {rounds * 10:,} trees of depth {depth}"
    result = RowResult(row, title, "rows/s", False, contest.ours, contest.peers)
    fastest = result.fastest_peer()
    result.add_goal(">= 2.5x the fastest", result.times_better(fastest) if fastest else None, 2.5)
    rows = np.load(settings.digits() / "test_x.npy")
    stock = xgboost.Booster(model_file=str(model)).predict(xgboost.DMatrix(rows))
    if not np.array_equal(stock, np.fromfile(settings.work / "ours.f32", np.float32)):
        result.wrong.append("our predictions are not stock XGBoost's")
    for name in ("onedal", "treelite", "tl2cgen"):
        classes = contest.told.get(NAMES[name], {}).get("classes")
        if classes is not None and np.mean(np.array(classes) != stock[: len(classes)]) > 0.01:
            result.notes.append(f"{NAMES[name]} does not give stock's classes")
    return result


def predict_100(settings: Settings) -> RowResult:
    return _batch(settings, "predict-100", 10, 5, tuple(NAMES))


def predict_1000(settings: Settings) -> RowResult:
    peers = tuple(name for name in NAMES if name != "tl2cgen")  # Compiling 1,000 trees of depth 8 takes many minutes.
    return _batch(settings, "predict-1000", 10 if settings.quick else 100, 8, peers)


def predict_one(settings: Settings) -> RowResult:
    model = trained_model(settings, 10, 5)
    arguments = _peer_arguments(settings, model, 10, 5)

    def ours():
        told = run_ours(settings, "predict-one", model)
        return told["p50_us"], told

    def peer(name: str):
        def measure():
            told = machine.run_peer("predict-one", name, **arguments)
            return told["p50_us"], told
        return measure

    names = ("xgboost", "lightgbm", "onedal", "tl2cgen")
    contest = Contest(("ours", ours), [(NAMES[name], peer(name)) for name in names], True).run(settings.rounds)
    result = RowResult("predict-one", "predict one row of 784 in process, 100 trees, median", "us", True, contest.ours, contest.peers)
    for series in [contest.ours, *contest.peers]:
        if series.name in contest.told:
            series.note = f"99 %: {contest.told[series.name]['p99_us']:.1f} us" + ("" if series is contest.ours else ", through Python")
    result.add_goal("p50 <= 2 us", result.ours_best(), 2.0, "us", at_least=False)
    return result


def shap(settings: Settings) -> RowResult:
    rounds, count = (1, 100) if settings.quick else (100, 1000)
    model = trained_model(settings, rounds, 8)
    arguments = _peer_arguments(settings, model, rounds, 8)
    answer = settings.work / "stock-contributions.npy"

    def ours():
        told = run_ours(settings, "contributions", model, "--threads", settings.threads, "--count", count)
        return told["rows_per_second"], told

    def peer(name: str, output: pathlib.Path):
        def measure():
            told = machine.run_peer("shap", name, count=count, output=output, **arguments)
            return told["rows_per_second"], told
        return measure

    peers = [(NAMES["xgboost"], peer("xgboost", answer)),
             (NAMES["lightgbm"], peer("lightgbm", settings.work / "lightgbm-contributions.npy"))]
    contest = Contest(("ours", ours), peers, False).run(settings.rounds)
    title = f"TreeSHAP contributions, {count:,} rows x 784, {rounds * 10:,} trees of depth 8"
    result = RowResult("shap", title, "rows/s", False, contest.ours, contest.peers)
    result.add_goal(">= 3x XGBoost", result.against("XGBoost"), 3)
    stock = np.load(answer).ravel()
    if not np.allclose(stock, np.fromfile(settings.work / "ours.f32", np.float32), rtol=0, atol=1e-5 * max(1.0, float(np.abs(stock).max()))):
        result.wrong.append("our contributions are not stock XGBoost's within 1e-5")
    return result


ROWS = {"predict-100": predict_100, "predict-1000": predict_1000, "predict-one": predict_one, "shap": shap}
