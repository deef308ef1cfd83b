"""_kfold and _num_cv_round: k models a repeat, what each says of the rows it has not seen, and the images' log lines."""

from __future__ import annotations

import re

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
