"""Leaves, contributions, interactions, importance and ranges of rounds against stock xgboost."""

from __future__ import annotations

import numpy as np
import pytest
import xgboost
from harness.predictions import as_libsvm, in_units_in_the_last_place, make_features, predict, run

ROWS = 90
CASES = {
    "regression": {},
    "logistic": {"objective": "binary:logistic", "base_score": 0.3},
    "softprob": {"objective": "multi:softprob", "num_class": 3},
    "deep": {"max_depth": 13, "min_child_weight": 0},
    "stump": {"max_depth": 1},
    "dart": {"booster": "dart", "rate_drop": 0.4},
    "categorical": {"max_cat_to_onehot": 2},
    "forest": {"num_parallel_tree": 3, "subsample": 0.6},
    "lossguide": {"grow_policy": "lossguide", "max_depth": 0, "max_leaves": 40},
    "targets": {},
}


def train(case: str) -> tuple[xgboost.Booster, np.ndarray, xgboost.DMatrix]:
    rng = np.random.default_rng(4)
    features = make_features("missing", 400)
    features[:, 2] = rng.integers(0, 12, 400)
    seen = np.nan_to_num(features)
    labels = seen[:, 0] * seen[:, 1] + (seen[:, 2] * 7 % 5) + 0.1 * rng.normal(size=400)
    if "num_class" in CASES[case]:
        labels = np.digitize(labels, [1, 3])
    elif "objective" in CASES[case]:
        labels = labels > 2
    elif case == "targets":
        labels = np.stack([labels, seen[:, 7]], 1)
    types = ["q", "q", "c", "q", "q", "q", "q", "q"] if case == "categorical" else None
    matrix = xgboost.DMatrix(features, labels, feature_types=types, enable_categorical=True)
    booster = xgboost.train({"max_depth": 5, "nthread": 1, **CASES[case]}, matrix, 8)
    return booster, features[:ROWS], matrix.slice(list(range(ROWS)))


@pytest.fixture(params=CASES)
def case(request, tmp_path):
    booster, features, matrix = train(request.param)
    model, data = tmp_path / "model.ubj", tmp_path / "rows.libsvm"
    booster.save_model(model)
    data.write_text(as_libsvm(features))
    return booster, matrix, model, data


def test_leaves_and_ranges_of_rounds(case):
    booster, matrix, model, data = case
    assert np.array_equal(predict(model, data, "--output", "leaf"), booster.predict(matrix, pred_leaf=True).reshape(ROWS, -1))
    for begin, end in ((0, 3), (2, 7), (5, 0)):
        got = predict(model, data, "--output", "margin", "--rounds", f"{begin}:{end or ''}")
        expected = booster.predict(matrix, output_margin=True, iteration_range=(begin, end)).reshape(ROWS, -1)
        assert in_units_in_the_last_place(got, expected) <= 1


def test_contributions_and_interactions(case):
    booster, matrix, model, data = case
    expected = booster.predict(matrix, pred_contribs=True).reshape(ROWS, -1)
    got = predict(model, data, "--output", "contributions")
    assert np.allclose(got, expected, rtol=1e-5, atol=1e-5)
    margins = predict(model, data, "--output", "margin")
    assert np.allclose(got.reshape(ROWS, margins.shape[1], -1).sum(2), margins, rtol=1e-5, atol=1e-5)
    expected = booster.predict(matrix, pred_interactions=True).reshape(ROWS, -1)
    assert np.allclose(predict(model, data, "--output", "interactions"), expected, rtol=1e-5, atol=1e-5)


def test_importance(case):
    booster, _, model, _ = case
    for by in ("weight", "gain", "cover", "total_gain", "total_cover"):
        shown = run("model", "show", model, "--by", by)
        assert shown.returncode == 0, shown.stderr
        head, *lines = shown.stdout.split("number of splits)\n")[1].splitlines()
        column = head.split().index(by)
        listed = {line.split()[0]: float(line.split()[column]) for line in lines}
        assert listed == pytest.approx(booster.get_score(importance_type=by), rel=1e-5)


def test_gblinear(tmp_path):
    features = make_features("missing", ROWS)
    labels = np.digitize(np.nan_to_num(features[:, 0]), [-0.4, 0.4])
    matrix = xgboost.DMatrix(features, labels)
    booster = xgboost.train({"booster": "gblinear", "updater": "coord_descent", "objective": "multi:softprob", "num_class": 3},
                            matrix, 5)
    model, data = tmp_path / "model.json", tmp_path / "rows.libsvm"
    booster.save_model(model)
    data.write_text(as_libsvm(features))
    expected = booster.predict(matrix, pred_contribs=True).reshape(ROWS, -1)
    assert np.allclose(predict(model, data, "--output", "contributions"), expected, rtol=1e-5, atol=1e-6)
    # A sum has no interactions. (Stock answers so for one output and fails for several.)
    assert not predict(model, data, "--output", "interactions").any()
    assert "has no trees" in run("predict", "--model", model, "--data", data, "--output", "leaf").stderr
    refused = run("predict", "--model", model, "--data", data, "--rounds", "0:2")
    assert refused.returncode == 1 and "no rounds 0 to 2 in a gblinear model of 5" in refused.stderr


def test_leaf_vectors_sum_up(tmp_path):
    """Stock has no contributions for them: each row's must sum up to its margins."""
    features = make_features("missing", ROWS)
    seen = np.nan_to_num(features)
    labels = np.stack([seen[:, 0], seen[:, 1] - seen[:, 0], seen[:, 7]], 1)
    booster = xgboost.train({"multi_strategy": "multi_output_tree", "max_depth": 4}, xgboost.DMatrix(features, labels), 6)
    model, data = tmp_path / "model.json", tmp_path / "rows.libsvm"
    booster.save_model(model)
    data.write_text(as_libsvm(features))
    margins = predict(model, data, "--output", "margin")
    contributions = predict(model, data, "--output", "contributions").reshape(ROWS, 3, 9)
    assert np.allclose(contributions.sum(2), margins, rtol=1e-5, atol=1e-5)
    interactions = predict(model, data, "--output", "interactions").reshape(ROWS, 3, 9, 9)
    assert np.allclose(interactions.sum(3), contributions, rtol=1e-5, atol=1e-5)


def test_a_range_that_is_none_is_named(tmp_path):
    booster, features, _ = train("regression")
    model, data = tmp_path / "model.json", tmp_path / "rows.libsvm"
    booster.save_model(model)
    data.write_text(as_libsvm(features))
    for text, part in (("3", "write the first round"), ("a:b", "write the first round"), ("5:3", "no rounds 5 to 3"),
                       ("0:9", "no rounds 0 to 9 in a model of 8")):
        done = run("predict", "--model", model, "--data", data, "--rounds", text)
        assert done.returncode == 1 and part in done.stderr, done.stderr
