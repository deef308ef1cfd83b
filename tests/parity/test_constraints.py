"""Monotone and interaction constraints against stock xgboost 3.2: the same trees."""

from __future__ import annotations

import numpy as np
import pytest
import xgboost
from harness.parity import assert_same_model, train_both

# The signal of make_data rises with features 1, 4 and 6 and falls with 3.
CASES = [
    ("reg:squarederror", "plain", {"monotone_constraints": "(0,1,0,-1,1)"}),
    ("reg:squarederror", "missing", {"monotone_constraints": "(1,-1,0,1,-1,0,0)", "max_depth": 5}),
    ("binary:logistic", "negative", {"monotone_constraints": "(0,-1,0,1,0,0,-1)", "lambda": 0.3, "alpha": 0.2}),
    ("binary:logistic", "zeros", {"monotone_constraints": "(0,1,0,1,1,0,1)", "max_delta_step": 0.5,
                                  "grow_policy": "lossguide", "max_leaves": 11}),
    ("multi:softprob", "continuous", {"monotone_constraints": "(-1,1,1,-1,1,0,-1)", "max_bin": 60}),
    ("reg:squarederror", "plain", {"monotone_constraints": "(0,0,0)"}),
    ("reg:squarederror", "plain", {"interaction_constraints": "[[1,3],[4,6,2]]"}),
    ("binary:logistic", "missing", {"interaction_constraints": "[[0,1],[1,3,4],[5,6]]", "max_depth": 5}),
    ("multi:softprob", "sparse", {"interaction_constraints": "[[1,2,3]]", "grow_policy": "lossguide", "max_leaves": 8}),
    ("reg:squarederror", "negative", {"interaction_constraints": "[[1,3],[4,6]]",
                                      "monotone_constraints": "(0,1,0,-1,1,0,1)"}),
]


@pytest.mark.parametrize(("objective", "shape", "parameters"), CASES,
                         ids=[f"{o.split(':')[1]}-{s}-{'-'.join(p)}" for o, s, p in CASES])
def test_constraints_give_stocks_trees(tmp_path, objective, shape, parameters):
    parameters = {"tree_method": "hist", **parameters}
    ours, stock, _, matrices = train_both(tmp_path, objective, shape, 600, parameters)
    booster = xgboost.Booster(model_file=str(ours.model.rename(tmp_path / "model.ubj")))
    assert_same_model(booster, stock)
    np.testing.assert_allclose(booster.predict(matrices[1]), stock.predict(matrices[1]), rtol=1e-5, atol=1e-6)


def test_predictions_of_large_data_are_monotone(tmp_path):
    """Packed sums choose the splits and finer ones the weights: the order has to hold all the same."""
    parameters = {"tree_method": "hist", "monotone_constraints": "(1,1,-1,-1,1,0,1)", "max_depth": 7, "eta": 0.5}
    ours, _, _, _ = train_both(tmp_path, "reg:squarederror", "continuous", 20_000, parameters, rounds=8)
    booster = xgboost.Booster(model_file=str(ours.model.rename(tmp_path / "model.ubj")))
    rng = np.random.default_rng(5)
    for feature, sign in enumerate((1, 1, -1, -1, 1, 0, 1)):
        rows = np.repeat(rng.normal(0, 3, (40, 7)).astype(np.float32), 50, axis=0)
        rows[:, feature] = np.tile(np.linspace(-9, 9, 50), 40)
        steps = np.diff(booster.predict(xgboost.DMatrix(rows)).reshape(40, 50), axis=1) * sign
        assert (steps >= -1e-6).all(), feature
