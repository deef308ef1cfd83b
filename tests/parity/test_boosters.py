"""Boosters dart and gblinear against stock xgboost."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xgboost
from harness import training


def rows(count: int, seed: int):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(count, 5)).astype(np.float32)
    values[rng.random(values.shape) < 0.1] = np.nan
    signal = np.nan_to_num(values) @ np.array([1.0, -2.0, 0.5, 0.0, 3.0]) + rng.normal(0, 1, count)
    return values, signal


def train(tmp_path, name: str, hyperparameters: dict, values, labels, *, validation=None, weights=None, **flags):
    channels = {"train": {"a": training.libsvm(values, labels, weights)}}
    if validation is not None:
        channels["validation"] = {"a": training.libsvm(*validation)}
    finished = training.run(training.write_root(tmp_path / name, hyperparameters, channels), **flags)
    assert finished.code == 0, finished.log
    return finished, xgboost.Booster(model_file=str(finished.model.rename(tmp_path / f"{name}.ubj")))


def labels_of(objective: str, signal):
    if objective.startswith("multi:"):
        return np.digitize(signal, np.quantile(signal, [0.3, 0.6])).astype(float)
    return (signal > 0).astype(float) if objective.startswith("binary:") else signal


DART = {"num_round": "20", "max_depth": "3", "booster": "dart", "eval_metric": "rmse"}


def test_dart_without_dropping_is_gbtree(tmp_path):
    values, signal = rows(300, 1)
    _, dart = train(tmp_path, "dart", DART, values, signal)
    _, gbtree = train(tmp_path, "gbtree", DART | {"booster": "gbtree"}, values, signal)
    dumps = [booster.get_dump(with_stats=True) for booster in (dart, gbtree)]
    assert dumps[0] == dumps[1]
    np.testing.assert_array_equal(dart.predict(xgboost.DMatrix(values)), gbtree.predict(xgboost.DMatrix(values)))


@pytest.mark.parametrize("normalize_type", ["tree", "forest"])
@pytest.mark.parametrize("objective", ["reg:squarederror", "multi:softprob"])
def test_dart_logs_what_stock_measures_on_its_model(tmp_path, objective, normalize_type):
    """Weights of trees change from round to round; the metrics of the last one are those of the model in the file."""
    values, signal = rows(400, 2)
    labels = labels_of(objective, signal)
    metric = "rmse" if objective.startswith("reg") else "mlogloss"
    hyperparameters = {"num_round": "15", "max_depth": "3", "booster": "dart", "objective": objective, "rate_drop": "0.3",
                       "skip_drop": "0.2", "one_drop": "1", "normalize_type": normalize_type, "sample_type": "weighted",
                       "eval_metric": metric, **({"num_class": "3"} if metric == "mlogloss" else {})}
    finished, booster = train(tmp_path, "job", hyperparameters, values[:300], labels[:300],
                              validation=(values[300:], labels[300:]))
    weights = json.loads(booster.save_raw("json"))["learner"]["gradient_booster"]["weight_drop"]
    assert len(weights) == len(booster.get_dump()) and min(weights) < 0.9
    for name, part in (("train", slice(0, 300)), ("validation", slice(300, None))):
        matrix = xgboost.DMatrix(values[part], labels[part])
        booster.set_param({"eval_metric": metric})
        shown = float(booster.eval(matrix).split(":")[1])
        assert finished.metrics[-1][f"{name}-{metric}"] == pytest.approx(shown, abs=2e-5)


def test_dart_goes_on_from_its_checkpoint(tmp_path):
    """The same bytes whether a checkpoint stood between or not."""
    values, signal = rows(200, 4)
    hyperparameters = DART | {"rate_drop": "0.4", "one_drop": "1", "num_round": "12"}
    root = training.write_root(tmp_path / "job", hyperparameters, {"train": {"a": training.libsvm(values, signal)}})
    (root / "input/config/checkpointconfig.json").write_text(json.dumps({"LocalPath": "/opt/ml/checkpoints"}))
    whole = training.run(root)
    assert whole.code == 0, whole.log
    before = whole.model.read_bytes()
    (root / "checkpoints/xgboost-checkpoint.11").unlink()
    again = training.run(root)
    assert "Resuming from iteration" in again.log and again.model.read_bytes() == before


@pytest.mark.parametrize("penalties", [{}, {"lambda": "0.01", "alpha": "0.02"}], ids=["free", "penalised"])
@pytest.mark.parametrize("objective", ["reg:squarederror", "binary:logistic", "multi:softprob"])
def test_gblinear_finds_the_weights_of_coord_descent(tmp_path, objective, penalties):
    values, signal = rows(400, 5)
    labels = labels_of(objective, signal)
    weights = np.random.default_rng(6).uniform(0.5, 2, 400).astype(np.float32)
    extra = {"num_class": "3"} if objective.startswith("multi") else {}
    hyperparameters = {"num_round": "10", "booster": "gblinear", "objective": objective, **penalties, **extra}
    finished, ours = train(tmp_path, "job", hyperparameters, values, labels, weights=weights)
    matrix = xgboost.DMatrix(values, labels, weight=weights)
    stock = xgboost.train({"booster": "gblinear", "updater": "coord_descent", "objective": objective, **penalties, **extra},
                          matrix, 10)
    found, expected = (np.array(json.loads(b.save_raw("json"))["learner"]["gradient_booster"]["model"]["weights"])
                       for b in (ours, stock))
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)
    np.testing.assert_allclose(ours.predict(matrix), stock.predict(matrix), rtol=2e-4, atol=2e-5)
    assert "updates its weights in turn" in finished.log
    assert len(finished.metrics) == 10


def test_gblinear_says_what_has_no_effect(tmp_path):
    values, signal = rows(50, 7)
    finished, _ = train(tmp_path, "job", {"num_round": "2", "booster": "gblinear", "max_depth": "3", "rate_drop": "0.1",
                                          "lambda_bias": "0.5", "updater": "coord_descent"}, values, signal)
    for text in ("'max_depth' has no effect: it belongs to the boosters that grow trees",
                 "'rate_drop' has no effect: it belongs to booster dart", "'lambda_bias' has no effect"):
        assert text in finished.log
    assert "in turn" not in finished.log
