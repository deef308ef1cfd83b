"""Training here and with stock xgboost 3.2 on the same data and parameters, and how models are compared."""

from __future__ import annotations

import json

import numpy as np
import xgboost

from harness import training
from harness.model_match import document, tree_difference

ROUNDS = 6


def labels_of(kind: str, signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    noisy = signal + rng.normal(0, 0.5, len(signal))
    if kind.startswith("multi"):
        return np.digitize(noisy, np.quantile(noisy, [0.2, 0.5, 0.8])).astype(np.float32)
    if "logistic" in kind:
        return (noisy > np.median(noisy)).astype(np.float32)
    if kind.startswith("count"):
        return np.floor(np.exp(0.5 * noisy)).astype(np.float32)
    return noisy.astype(np.float32)


def make_data(shape: str, rows: int, seed: int):
    """(values with NaN for missing, signal). Shapes are those that trip split finders up."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 40, (rows, 7)).astype(np.float32)
    if shape == "missing":
        values[rng.random(values.shape) < 0.3] = np.nan
    elif shape == "sparse":
        values[rng.random(values.shape) < 0.9] = np.nan
    elif shape == "zeros":
        values[rng.random(values.shape) < 0.8] = 0
    elif shape == "duplicates":
        values = np.repeat(values[: rows // 8], 8, axis=0)
        values[:, 3] = values[:, 1]
    elif shape == "constant":
        values[:, 0] = 4
        values[:, 2] = np.where(rng.random(rows) < 0.5, -2, np.nan)
        values[:, 5] = np.nan
    elif shape == "continuous":
        values = rng.normal(0, 3, values.shape).astype(np.float32)
    elif shape == "negative":
        values = values - 20
        values[rng.random(values.shape) < 0.1] = np.nan
    filled = np.nan_to_num(values, nan=-1.0)
    signal = 0.08 * filled[:, 1] - 0.05 * filled[:, 3] + 0.6 * (filled[:, 4] > 10) + 0.02 * filled[:, 6]
    return values, signal


def train_both(tmp_path, objective: str, shape: str, rows: int, parameters: dict, *, weighted=False, rounds=ROUNDS,
               image: str = training.MODERN_IMAGE, stock_only: dict | None = None):
    """stock_only: parameters that stock gets in addition, or instead."""
    rng = np.random.default_rng(3)
    values, signal = make_data(shape, rows + max(200, rows // 2), 7)
    labels = labels_of(objective, signal, rng)
    weights = rng.choice(np.array([0.5, 1.0, 2.25, 3.0], dtype=np.float32), len(labels)) if weighted else None
    parameters = {"objective": objective, **parameters}
    if objective.startswith("multi"):
        parameters["num_class"] = 4
    channels = {}
    matrices = []
    for name, part in (("train", slice(0, rows)), ("validation", slice(rows, None))):
        part_weights = None if weights is None else weights[part]
        channels[name] = {"part": training.libsvm(values[part], labels[part], part_weights)}
        matrices.append(xgboost.DMatrix(values[part], labels[part], weight=part_weights, nthread=1))
    hyperparameters = {key: str(value) for key, value in parameters.items()} | {"num_round": str(rounds)}
    ours = training.run(training.write_root(tmp_path / "job", hyperparameters, channels), image_uri=image)
    assert ours.code == 0, ours.log
    history: dict = {}
    metric = parameters.get("eval_metric")
    stock_parameters = {"tree_method": "hist", **parameters, "nthread": 1, "verbosity": 0, **(stock_only or {})}
    if metric:
        stock_parameters["eval_metric"] = metric.split(",")
    stock = xgboost.train(stock_parameters, matrices[0], rounds, evals=list(zip(matrices, ("train", "validation"))),
                          evals_result=history, verbose_eval=False)
    return ours, stock, history, matrices


def assert_same_model(ours: xgboost.Booster, stock: xgboost.Booster) -> None:
    mine, theirs = document(ours), document(stock)
    mine_base = json.loads(mine["learner_model_param"]["base_score"])
    theirs_base = json.loads(theirs["learner_model_param"]["base_score"])
    np.testing.assert_allclose(mine_base, theirs_base, rtol=1e-5, atol=1e-6)
    assert mine["learner_model_param"]["num_feature"] == theirs["learner_model_param"]["num_feature"]
    mine_trees = mine["gradient_booster"]["model"]["trees"]
    theirs_trees = theirs["gradient_booster"]["model"]["trees"]
    assert len(mine_trees) == len(theirs_trees)
    for number, (a, b) in enumerate(zip(mine_trees, theirs_trees)):
        for member in ("left_children", "right_children", "parents", "split_indices", "default_left"):
            assert a[member] == b[member], f"tree {number}: {member}"
        inner = np.array(a["left_children"]) >= 0
        conditions = np.array(a["split_conditions"]), np.array(b["split_conditions"])
        np.testing.assert_array_equal(conditions[0][inner], conditions[1][inner], err_msg=f"tree {number}: thresholds")
        np.testing.assert_allclose(conditions[0], conditions[1], rtol=1e-5, atol=1e-6, err_msg=f"tree {number}: leaves")
        np.testing.assert_allclose(a["sum_hessian"], b["sum_hessian"], rtol=1e-4)
        np.testing.assert_allclose(a["base_weights"], b["base_weights"], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(a["loss_changes"], b["loss_changes"], rtol=1e-3, atol=1e-3)


def assert_same_paths(ours: xgboost.Booster, stock: xgboost.Booster) -> None:
    """Same trees, however their nodes are numbered."""
    assert not (difference := tree_difference(ours, stock)), difference
