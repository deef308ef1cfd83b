"""The engine against stock xgboost 3.2 on the same data and parameters: same trees, leaves, metrics and predictions."""

from __future__ import annotations

import numpy as np
import pytest
import xgboost
from harness.parity import ROUNDS, assert_same_model, train_both


CASES = [
    ("reg:squarederror", "plain", {}),
    ("reg:squarederror", "missing", {"max_depth": 4, "eta": 0.2}),
    ("reg:squarederror", "sparse", {"min_child_weight": 3}),
    ("reg:squarederror", "duplicates", {"gamma": 2}),
    ("reg:squarederror", "constant", {"lambda": 3, "alpha": 1.5}),
    ("reg:squarederror", "negative", {"grow_policy": "lossguide", "max_leaves": 9, "max_depth": 0}),
    ("reg:squarederror", "continuous", {"max_bin": 80, "eval_metric": "rmse,mae"}),
    ("reg:squarederror", "zeros", {"base_score": 2.5, "max_leaves": 6}),
    ("binary:logistic", "missing", {}),
    ("binary:logistic", "zeros", {"scale_pos_weight": 2.5, "eval_metric": "logloss,error,auc"}),
    ("binary:logistic", "sparse", {"min_child_weight": 0, "lambda": 0.1, "eval_metric": "error@0.3,rmse"}),
    ("binary:logistic", "plain", {"max_delta_step": 0.4, "alpha": 0.3}),
    ("binary:logistic", "continuous", {"grow_policy": "lossguide", "max_leaves": 12}),
    ("reg:logistic", "negative", {"max_depth": 3, "base_score": 0.3}),
    ("multi:softmax", "zeros", {"max_depth": 5, "gamma": 4, "min_child_weight": 6, "eta": 0.2}),
    ("multi:softprob", "missing", {"eval_metric": "merror,mlogloss", "grow_policy": "lossguide", "max_leaves": 5}),
    ("multi:softprob", "constant", {"max_depth": 2}),
]


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize(("objective", "shape", "parameters"), CASES,
                         ids=[f"{o.split(':')[1]}-{s}-{'-'.join(p) or 'defaults'}" for o, s, p in CASES])
def test_small_data_gives_stocks_trees(tmp_path, objective, shape, parameters, weighted):
    ours, stock, history, matrices = train_both(tmp_path, objective, shape, 600, parameters, weighted=weighted)
    booster = xgboost.Booster(model_file=str(ours.model.rename(tmp_path / "model.ubj")))
    assert_same_model(booster, stock)
    for round_index, metrics in enumerate(ours.metrics):
        for name, value in metrics.items():
            data, metric = name.split("-", 1)
            assert value == pytest.approx(history[data][metric][round_index], abs=2e-5), name
    assert len(ours.metrics) == ROUNDS
    np.testing.assert_allclose(booster.predict(matrices[1]), stock.predict(matrices[1]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("objective", ["reg:squarederror", "binary:logistic", "multi:softprob"])
def test_larger_data_stays_close_in_every_round(tmp_path, objective):
    """Far more than max_bin distinct values, and enough rows for packed sums: trees may differ, quality may not."""
    ours, stock, history, _ = train_both(tmp_path, objective, "continuous", 20_000, {"max_depth": 5}, rounds=10)
    for round_index, metrics in enumerate(ours.metrics):
        for name, value in metrics.items():
            data, metric = name.split("-", 1)
            assert value == pytest.approx(history[data][metric][round_index], rel=2e-3), (name, round_index)
    assert len(ours.metrics) == 10
