"""survival:aft with bounds of the time per row (`espalier train --label-upper-bounds`) against stock xgboost 3.2."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
import xgboost
from harness import training
from harness.parity import assert_same_paths, make_data
from harness.server import program

ROUNDS = 5


def survival(rows: int, seed: int):
    """(values, lower, upper): events, rows censored on the right, on the left, and within intervals."""
    rng = np.random.default_rng(seed)
    values, signal = make_data("missing", rows, seed)
    time = np.exp(0.3 * signal + rng.normal(0, 0.4, rows))
    lower, upper = time.copy(), time.copy()
    kind = rng.integers(0, 4, rows)
    upper[kind == 1] = np.inf
    lower[kind == 2] = 0
    lower[kind == 3] *= 0.7
    upper[kind == 3] *= 1.4
    return values, lower.astype(np.float32), upper.astype(np.float32)


def files(folder, name: str, values, lower, upper) -> tuple[str, str]:
    (folder / name).write_text(training.libsvm(values, lower))
    (folder / f"{name}.upper").write_text("".join(f"{float(bound)!r}\n" for bound in upper))
    return str(folder / name), str(folder / f"{name}.upper")


def espalier_train(folder, words, **parameters):
    model = folder / "model.ubj"
    pairs = [f"{name}={value}" for name, value in {"num_round": ROUNDS, "objective": "survival:aft", **parameters}.items()]
    done = subprocess.run([str(program("espalier")), "train", "--model", str(model), *words, *pairs],
                          capture_output=True, text=True, timeout=60)
    return done, model


@pytest.mark.parametrize("distribution", ["normal", "logistic", "extreme"])
def test_bounds_give_stocks_trees_and_metrics(tmp_path, distribution):
    parameters = {"aft_loss_distribution": distribution, "aft_loss_distribution_scale": 1.2, "max_depth": 3}
    train, check = survival(500, 1), survival(200, 2)
    matrices = []
    for values, lower, upper in (train, check):
        matrices.append(xgboost.DMatrix(values, label_lower_bound=lower, label_upper_bound=upper, nthread=1))
    metrics = ["aft-nloglik", "interval-regression-accuracy"]
    history: dict = {}
    stock = xgboost.train({"objective": "survival:aft", "nthread": 1, "eval_metric": metrics, **parameters}, matrices[0],
                          ROUNDS, evals=list(zip(matrices, ("train", "validation"))), evals_result=history,
                          verbose_eval=False)
    rows, bounds = files(tmp_path, "train", *train)
    check_rows, check_bounds = files(tmp_path, "validation", *check)
    done, model = espalier_train(tmp_path, ["--train", rows, "--label-upper-bounds", bounds, "--validation", check_rows,
                                            "--validation-label-upper-bounds", check_bounds],
                                 eval_metric=",".join(metrics), **parameters)
    assert done.returncode == 0, done.stderr
    ours = xgboost.Booster(model_file=str(model))
    assert_same_paths(ours, stock)
    np.testing.assert_allclose(ours.predict(matrices[1]), stock.predict(matrices[1]), rtol=1e-5)
    told = training.Finished(tmp_path, 0, done.stdout).metrics
    for name, of_metric in history.items():
        for metric, rounds in of_metric.items():
            np.testing.assert_allclose([r[f"{name}-{metric}"] for r in told], rounds, rtol=1e-4, atol=1.1e-5)


def test_signed_labels_are_events_and_right_censored_rows(tmp_path):
    values, lower, upper = survival(300, 3)
    keep = (lower > 0) & ((lower == upper) | np.isinf(upper))
    values, lower, upper = values[keep], lower[keep], upper[keep]
    (tmp_path / "signed").write_text(training.libsvm(values, np.where(np.isinf(upper), -lower, lower)))
    done, model = espalier_train(tmp_path, ["--train", str(tmp_path / "signed")])
    assert done.returncode == 0, done.stderr
    signed = model.read_bytes()
    rows, bounds = files(tmp_path, "bounded", values, lower, upper)
    done, model = espalier_train(tmp_path, ["--train", rows, "--label-upper-bounds", bounds])
    assert model.read_bytes() == signed


@pytest.mark.parametrize(("bounds", "more", "text"), [
    ("3\nx\n", {}, "line 2: 'x' is no time"),
    ("3\n", {}, "has fewer lines than there are rows of data (2)"),
    ("3\n4\n5\n", {}, "has more lines than there are rows of data (2)"),
    ("3\n1\n", {}, "line 2: the time of row 2 would lie between 2 and 1"),
    ("3\n4\n", {"objective": "reg:squarederror"}, "--label-upper-bounds belong to objective survival:aft"),
])
def test_bounds_that_cannot_be_are_refused(tmp_path, bounds, more, text):
    (tmp_path / "rows").write_text("1 0:1\n2 0:3\n")
    (tmp_path / "upper").write_text(bounds)
    done, _ = espalier_train(tmp_path, ["--train", str(tmp_path / "rows"), "--label-upper-bounds",
                                        str(tmp_path / "upper")], **more)
    assert done.returncode == 1
    assert text in done.stderr
