"""_kfold and _num_cv_round: k models a repeat, what each says of the rows it has not seen, and the images' log lines."""

from __future__ import annotations

import os
import re
import subprocess

import numpy as np
import pytest
import xgboost
from harness import training


def rows(count: int, seed: int):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(count, 4)).astype(np.float32)
    return values, values @ np.array([1.0, -2.0, 0.5, 0.0]) + rng.normal(0, 0.5, count)


def run(root, hyperparameters, train, validation=None, **where):
    channels = {"train": {"a": training.libsvm(*train)}}
    if validation is not None:
        channels["validation"] = {"a": training.libsvm(*validation)}
    return training.run(training.write_root(root, hyperparameters, channels, **where))


def boosters(finished, count: int) -> list[xgboost.Booster]:
    folder = finished.root / "model"
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"xgboost-model-{i}" for i in range(count))
    return [xgboost.Booster(model_file=str((folder / f"xgboost-model-{i}").rename(finished.root / f"{i}.ubj")))
            for i in range(count)]


def test_regression(tmp_path):
    values, signal = rows(103, 1)
    hyperparameters = {"num_round": "4", "max_depth": "2", "_kfold": "4", "_num_cv_round": "2", "eval_metric": "rmse,mae"}
    finished = run(tmp_path / "job", hyperparameters, (values[:80], signal[:80]), (values[80:], signal[80:]))
    assert finished.code == 0, finished.log
    table = np.loadtxt(finished.root / "output/data/predictions.csv", delimiter=",")
    assert table.shape == (103, 2)
    np.testing.assert_allclose(table[:, 0], signal.astype(np.float32), atol=1e-6)
    said = np.array([booster.predict(xgboost.DMatrix(values)) for booster in boosters(finished, 8)])
    # Each row's number is the mean of one model of each repeat: the one that has not seen it.
    for row in range(103):
        pairs = (said[:4, row][:, None] + said[4:, row][None, :]) / 2
        assert np.abs(pairs - table[row, 1]).min() < 1e-5
    lines = finished.log.splitlines()
    assert any(line.endswith("INFO] Run 2-round of 4-fold cross validation with 103 rows") for line in lines)
    assert [line.split("fold ")[1] for line in lines if "Train cross validation fold" in line] == list("1234") * 2
    assert any(line.endswith("INFO] The metrics of round 2 cross validation") for line in lines)
    overall = next(i for i, line in enumerate(lines) if "The overall metrics of 2-round cross validation" in line)
    assert re.fullmatch(r"\[4\]\ttrain-mae:\S+\ttrain-rmse:\S+\tvalidation-mae:\S+\tvalidation-rmse:\S+", lines[overall + 1])
    shown = float(re.search(r"train-rmse:(\S+)", lines[overall + 1])[1])
    errors = [np.sqrt(np.mean((s[:80] - signal[:80]) ** 2)) for s in said]
    assert shown == pytest.approx(np.mean(errors), abs=2e-5)


@pytest.mark.parametrize("objective", ["binary:logistic", "multi:softmax"])
def test_classes_are_spread_evenly(tmp_path, objective):
    values, signal = rows(120, 2)
    multi = objective.startswith("multi")
    labels = np.digitize(signal, np.quantile(signal, [0.2, 0.5])) if multi else (signal > 1.5).astype(int)
    hyperparameters = {"num_round": "3", "objective": objective, "_kfold": "5", **({"num_class": "3"} if multi else {})}
    finished = run(tmp_path / "job", hyperparameters, (values, labels))
    assert finished.code == 0, finished.log
    table = np.loadtxt(finished.root / "output/data/predictions.csv", delimiter=",")
    assert table.shape == (120, 3)
    np.testing.assert_array_equal(table[:, 0], labels)
    assert set(table[:, 2]) <= set(range(3 if multi else 2)) and 0 < table[:, 1].min() and table[:, 1].max() < 1
    assert np.mean(table[:, 2] == labels) > 0.6
    assert not re.search("overall", finished.log)
    again = run(tmp_path / "again", hyperparameters, (values, labels))
    assert (again.root / "output/data/predictions.csv").read_bytes() == (
        finished.root / "output/data/predictions.csv").read_bytes()


@pytest.mark.parametrize("hyperparameters, count, text", [
    ({"_kfold": "9"}, 5, "Cannot have number of splits n_splits=9 greater than the number of samples: n_samples=5."),
    ({"_kfold": "4", "objective": "binary:logistic"}, 6,
     "n_splits=4 cannot be greater than the number of members in each class."),
    ({"_kfold": "1"}, 5, "Hyperparameter _kfold: 1 is not in [2, +inf)"),
])
def test_what_cannot_be_is_told(tmp_path, hyperparameters, count, text):
    values, _ = rows(count, 3)
    finished = run(tmp_path / "job", {"num_round": "2"} | hyperparameters, (values, np.arange(count) % 2))
    assert finished.code == 1 and text in finished.failure, finished.failure


HOSTS = ("algo-1", "algo-2")


def outputs(root, count: int):
    folder = root / "model"
    return ([(folder / f"xgboost-model-{i}").read_bytes() for i in range(count)],
            (root / "output/data/predictions.csv").read_bytes())


def run_ranks(roots) -> str:
    done = subprocess.run(training.mpirun(roots, threads=1), capture_output=True, text=True, check=False,
                          timeout=training.TRAIN_SECONDS_MAX, env={**os.environ, **training.MPI_ENVIRONMENT})
    return done.stdout + done.stderr


@pytest.mark.parametrize("hyperparameters", [
    {"subsample": "0.7", "_num_cv_round": "2"},
    {"objective": "multi:softprob", "num_class": "3", "subsample": "0.8"},
], ids=["numbers", "classes"])
def test_two_instances_cross_validate_as_one(tmp_path, hyperparameters):
    """Folds are drawn by the rows' places in the job: models, predictions and metrics do not depend on the shards."""
    values, signal = rows(150, 4)
    if "num_class" in hyperparameters:
        signal = np.digitize(signal, np.quantile(signal, [0.3, 0.6]))
    parts = {name: training.libsvm(values[i * 40:][:40], signal[i * 40:][:40]) for i, name in enumerate("abc")}
    checks = {name: training.libsvm(values[120 + i * 15:][:15], signal[120 + i * 15:][:15]) for i, name in enumerate("xy")}
    hyperparameters = {"num_round": "3", "max_depth": "3", "_kfold": "3", **hyperparameters}
    count = 3 * int(hyperparameters.get("_num_cv_round", "1"))
    alone = training.run(training.write_root(tmp_path / "alone", hyperparameters, {"train": parts, "validation": checks}))
    assert alone.code == 0, alone.log
    shares = [({"a": parts["a"], "c": parts["c"]}, {"y": checks["y"]}), ({"b": parts["b"]}, {"x": checks["x"]})]
    roots = [training.write_root(tmp_path / host, hyperparameters, {"train": train, "validation": check}, hosts=HOSTS,
                                 host=host) for host, (train, check) in zip(HOSTS, shares)]
    log = run_ranks(roots)
    assert outputs(roots[0], count) == outputs(tmp_path / "alone", count)
    assert not (roots[1] / "model").exists() or not any((roots[1] / "model").iterdir())
    assert [line for line in log.splitlines() if line.startswith("[") and "\t" in line] == [
        line for line in alone.log.splitlines() if line.startswith("[") and "\t" in line]


def test_a_bad_label_ends_the_cross_validation_of_both_instances(tmp_path):
    values, signal = rows(20, 5)
    hyperparameters = {"num_round": "2", "_kfold": "2", "objective": "binary:logistic"}
    labels = (signal > 0).astype(int)
    roots = [training.write_root(tmp_path / host, hyperparameters, {"train": {host: training.libsvm(values, labels + bad)}},
                                 hosts=HOSTS, host=host) for host, bad in zip(HOSTS, (0, 5))]
    run_ranks(roots)
    for root in roots:
        assert "is out of range: the label must be in [0,1]" in (root / "output/failure").read_text()
        assert "(on algo-2)" in (root / "output/failure").read_text()


def test_every_training_goes_on_from_the_model_of_the_channel(tmp_path):
    values, signal = rows(90, 6)
    matrix = xgboost.DMatrix(values, signal, nthread=1)
    start = xgboost.train({"max_depth": 2, "nthread": 1}, matrix, 2)
    hyperparameters = {"num_round": "3", "max_depth": "2", "_kfold": "3"}
    root = training.write_root(tmp_path / "job", hyperparameters, {
        "train": {"a": training.libsvm(values, signal)}, "model": {"xgboost-model": bytes(start.save_raw("ubj"))}})
    finished = training.run(root)
    assert finished.code == 0, finished.log
    models = boosters(finished, 3)
    assert [model.num_boosted_rounds() for model in models] == [5, 5, 5]
    for model in models:
        np.testing.assert_allclose(model[:2].predict(matrix), start.predict(matrix), rtol=1e-6)
    assert len({model.predict(matrix).tobytes() for model in models}) == 3


def test_ranking_is_refused_as_xgboost_cannot_slice_queries(tmp_path):
    values, signal = rows(20, 7)
    root = training.write_root(tmp_path / "job", {"num_round": "2", "_kfold": "2", "objective": "rank:ndcg"}, {
        "train": {"a": training.libsvm(values, (signal > 0).astype(int), queries=np.arange(20) // 5)}})
    finished = training.run(root)
    assert finished.code == 1 and "XGBoost cannot slice such data either" in finished.failure
    matrix = xgboost.DMatrix(values, signal > 0, group=[5, 5, 5, 5])
    with pytest.raises(xgboost.core.XGBoostError, match="group"):
        matrix.slice([0, 1, 2])
