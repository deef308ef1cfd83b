"""tree_method exact and approx, pruning and the sampling methods against stock xgboost 3.2."""

from __future__ import annotations

import numpy as np
import pytest
import xgboost
from harness import training
from harness.parity import assert_same_paths, train_both


def booster_of(ours, tmp_path) -> xgboost.Booster:
    return xgboost.Booster(model_file=str(ours.model.rename(tmp_path / "model.ubj")))


EXACT = [
    ("reg:squarederror", "plain", {}),
    ("reg:squarederror", "missing", {"max_depth": 4, "eta": 0.2, "gamma": 2}),
    ("reg:squarederror", "sparse", {"min_child_weight": 3}),
    ("reg:squarederror", "duplicates", {"gamma": 4}),
    ("reg:squarederror", "constant", {"lambda": 3, "alpha": 1.5}),
    ("reg:squarederror", "continuous", {"max_depth": 7, "gamma": 1}),
    ("binary:logistic", "missing", {"gamma": 0.6}),
    ("binary:logistic", "zeros", {"monotone_constraints": "(0,1,0,1,1,0,-1)", "max_depth": 5}),
    ("binary:logistic", "negative", {"interaction_constraints": "[[1,3],[4,6]]", "max_delta_step": 0.4}),
    ("multi:softprob", "continuous", {"max_depth": 3, "gamma": 1.5}),
]


@pytest.mark.parametrize(("objective", "shape", "parameters"), EXACT,
                         ids=[f"{o.split(':')[1]}-{s}-{'-'.join(p) or 'defaults'}" for o, s, p in EXACT])
def test_exact_gives_stocks_trees(tmp_path, objective, shape, parameters):
    ours, stock, history, matrices = train_both(tmp_path, objective, shape, 600, {"tree_method": "exact", **parameters})
    booster = booster_of(ours, tmp_path)
    assert_same_paths(booster, stock)
    np.testing.assert_allclose(booster.predict(matrices[1]), stock.predict(matrices[1]), rtol=1e-5, atol=1e-6)
    for name, value in ours.metrics[-1].items():
        data, metric = name.split("-", 1)
        assert value == pytest.approx(history[data][metric][-1], abs=2e-5), name


def test_exact_with_more_values_than_any_histogram_holds(tmp_path):
    parameters = {"tree_method": "exact", "max_depth": 4, "gamma": 3}
    ours, stock, _, matrices = train_both(tmp_path, "reg:squarederror", "continuous", 70_000, parameters, rounds=2)
    booster = booster_of(ours, tmp_path)
    assert_same_paths(booster, stock)
    np.testing.assert_allclose(booster.predict(matrices[1]), stock.predict(matrices[1]), rtol=1e-5, atol=1e-6)


APPROX = [
    ("binary:logistic", "missing", 600, {"max_depth": 4}),
    ("multi:softprob", "plain", 600, {"grow_policy": "lossguide", "max_leaves": 9}),
    ("binary:logistic", "zeros", 600, {"gamma": 0.5, "interaction_constraints": "[[1,3],[4,6]]"}),
    ("reg:squarederror", "continuous", 600, {"max_bin": 40}),
    ("binary:logistic", "continuous", 230, {"max_depth": 5}),  # so few that stock's sketch drops half of them
    ("binary:logistic", "continuous", 6_000, {"max_depth": 5, "max_bin": 128}),
    ("multi:softprob", "continuous", 6_101, {"max_depth": 4, "max_bin": 100}),
    ("count:poisson", "continuous", 3_000, {"max_depth": 4}),
    ("binary:logistic", "sparse", 6_000, {"max_depth": 5, "max_bin": 30}),
]


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize(("objective", "shape", "rows", "parameters"), APPROX,
                         ids=[f"{o.split(':')[1]}-{s}-{r}-{'-'.join(p)}" for o, s, r, p in APPROX])
def test_approx_gives_stocks_trees(tmp_path, objective, shape, rows, parameters, weighted):
    ours, stock, history, matrices = train_both(tmp_path, objective, shape, rows, {"tree_method": "approx", **parameters},
                                                weighted=weighted)
    booster = booster_of(ours, tmp_path)
    assert_same_paths(booster, stock)
    np.testing.assert_allclose(booster.predict(matrices[1]), stock.predict(matrices[1]), rtol=1e-5, atol=1e-6)
    for name, value in ours.metrics[-1].items():
        data, metric = name.split("-", 1)
        assert value == pytest.approx(history[data][metric][-1], abs=2e-5), name


def test_hist_has_stocks_cuts_until_its_queue_is_full(tmp_path):
    """8,192 values of a feature at 256 bins; beyond, stock prunes on the way and its cuts hang on the order of rows."""
    parameters = {"tree_method": "hist", "max_depth": 5}
    ours, stock, _, _ = train_both(tmp_path, "binary:logistic", "continuous", 8_190, parameters, rounds=4)
    assert_same_paths(booster_of(ours, tmp_path), stock)


def test_old_images_prune_afterwards(tmp_path):
    """Up to 1.5 a split below gamma is kept when one below it pays: stock's pruner on stock's unpruned trees."""
    parameters = {"tree_method": "hist", "gamma": 6, "max_depth": 5, "base_score": 0.5}
    ours, stock, _, matrices = train_both(tmp_path, "reg:squarederror", "missing", 600, parameters, rounds=1,
                                          image=training.image("1.5-1"), stock_only={"gamma": 0})
    before = stock.predict(matrices[0])
    pruned = xgboost.train({"process_type": "update", "updater": "prune", "gamma": 6, "max_depth": 5, "eta": 0.3},
                           matrices[0], 1, xgb_model=stock)
    assert not np.array_equal(before, pruned.predict(matrices[0]))
    assert_same_paths(booster_of(ours, tmp_path), pruned)


@pytest.mark.parametrize("tag", ["1", "1.0-1", "1.7-1"])
def test_auto_of_old_images_is_exact(tmp_path, tag):
    ours, _, history, _ = train_both(tmp_path, "reg:linear" if tag == "1" else "reg:squarederror", "missing", 600,
                                     {"max_depth": 4, "gamma": 1, "base_score": 0.5, "tree_method": "auto"}, rounds=3,
                                     image=training.image(tag),
                                     stock_only={"tree_method": "exact", "objective": "reg:squarederror"})
    for name, value in ours.metrics[-1].items():
        data, metric = name.split("-", 1)
        assert value == pytest.approx(history[data][metric][-1], rel=1e-5), name


def test_exact_refuses_column_samples_by_node(tmp_path):
    rows = {"train": {"part": "1 0:1\n2 0:3\n"}}
    hyperparameters = {"num_round": "1", "tree_method": "exact", "colsample_bynode": "0.5"}
    refused = training.run(training.write_root(tmp_path / "job", hyperparameters, rows))
    assert refused.code != 0
    assert "column sample by node is not yet supported by the exact tree method" in refused.failure
