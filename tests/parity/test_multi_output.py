"""multi_strategy=multi_output_tree: trees with a value per target in each leaf, against stock xgboost 3.2."""

from __future__ import annotations

import json
import subprocess

import numpy as np
import pytest
import xgboost
from harness import training
from harness.parity import document, labels_of, make_data
from harness.server import program

ROUNDS = 4
VECTOR = {"multi_strategy": "multi_output_tree"}


def data(shape: str, rows: int, seed: int, objective: str = "multi"):
    values, signal = make_data(shape, rows, seed)
    return values, labels_of("multi" if objective.startswith("multi") else "reg", signal, np.random.default_rng(seed))


def parameters_of(objective: str, parameters: dict) -> dict:
    more = {"num_class": 4} if objective.startswith("multi") else {"quantile_alpha": "0.2,0.5,0.9"}
    return {"objective": objective, **VECTOR, **more, **parameters}


def stock_train(parameters: dict, matrix, rounds=ROUNDS, **more):
    parameters = dict(parameters)
    if "quantile_alpha" in parameters:
        parameters["quantile_alpha"] = [float(a) for a in parameters["quantile_alpha"].split(",")]
    return xgboost.train({**parameters, "nthread": 1}, matrix, rounds, verbose_eval=False, **more)


def espalier_train(tmp_path, parameters: dict, train, *, name="ours.ubj", start=None, validation=None, instances=1,
                   threads=2, rounds=ROUNDS, environment=None):
    model = tmp_path / name
    words = [f"{key}={value}" for key, value in {"num_round": rounds, **parameters}.items()]
    command = [str(program("espalier")), "train", "--train", *train, "--model", str(model), "--threads", str(threads),
               "--instances", str(instances), *(["--start-model", str(start)] if start else []),
               *(["--validation", *validation] if validation else []), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    return done, model


def booster_of(done, model) -> xgboost.Booster:
    assert done.returncode == 0, done.stdout + done.stderr
    return xgboost.Booster(model_file=str(model))


def write_rows(path, values, labels, weights=None) -> str:
    path.write_text(training.libsvm(values, labels, weights))
    return str(path)


def assert_same_vector_trees(ours: xgboost.Booster, stock: xgboost.Booster, missing) -> None:
    """All arrays of all trees. Where a feature is never missing the default direction is noise in stock."""
    mine, theirs = document(ours), document(stock)
    np.testing.assert_allclose(json.loads(mine["learner_model_param"]["base_score"]),
                               json.loads(theirs["learner_model_param"]["base_score"]), rtol=1e-5, atol=1e-6)
    mine, theirs = mine["gradient_booster"]["model"], theirs["gradient_booster"]["model"]
    for member in ("tree_info", "iteration_indptr", "gbtree_model_param"):
        assert mine[member] == theirs[member]
    for number, (a, b) in enumerate(zip(mine["trees"], theirs["trees"], strict=True)):
        for member in ("left_children", "right_children", "parents", "split_indices", "tree_param", "split_type"):
            assert a[member] == b[member], f"tree {number}: {member}"
        inner = [i for i, left in enumerate(b["left_children"]) if left >= 0]
        for i in inner:
            if missing[b["split_indices"][i]]:
                assert a["default_left"][i] == b["default_left"][i], f"tree {number}: default of node {i}"
        assert a["split_conditions"] == b["split_conditions"]
        for member, rtol, atol in (("leaf_weights", 1e-5, 1e-6), ("base_weights", 1e-5, 1e-6),
                                   ("sum_hessian", 1e-5, 1e-6), ("loss_changes", 1e-4, 1e-4)):
            np.testing.assert_allclose(a[member], b[member], rtol=rtol, atol=atol, err_msg=f"tree {number}: {member}")


CASES = [
    ("multi:softprob", "missing", {}),
    ("multi:softmax", "plain", {"max_depth": 3, "gamma": 2}),
    ("multi:softprob", "sparse", {"min_child_weight": 4, "alpha": 0.3}),
    ("multi:softprob", "duplicates", {"grow_policy": "lossguide", "max_leaves": 9, "max_depth": 0}),
    ("multi:softprob", "zeros", {"max_leaves": 7, "lambda": 3}),
    ("multi:softmax", "constant", {"max_delta_step": 0.4, "eta": 0.5}),
    ("multi:softprob", "negative", {"num_parallel_tree": 2, "max_depth": 4}),
    ("multi:softprob", "plain", {"max_depth": 3, "gamma": 1e9}),
    ("reg:quantileerror", "missing", {"max_depth": 4}),
]


@pytest.mark.parametrize(("objective", "shape", "parameters"), CASES,
                         ids=[f"{o.split(':')[1]}-{s}-{'-'.join(p) or 'defaults'}" for o, s, p in CASES])
def test_vector_leaves_are_stocks(tmp_path, objective, shape, parameters):
    values, labels = data(shape, 600, 7, objective)
    test_values, test_labels = data(shape, 200, 8, objective)
    matrix, test = (xgboost.DMatrix(v, y, nthread=1) for v, y in ((values, labels), (test_values, test_labels)))
    parameters = parameters_of(objective, parameters)
    history: dict = {}
    stock = stock_train(parameters, matrix, evals=[(matrix, "train"), (test, "validation")], evals_result=history)
    done, model = espalier_train(tmp_path, parameters, [write_rows(tmp_path / "rows", values, labels)],
                                 validation=[write_rows(tmp_path / "test", test_values, test_labels)])
    ours = booster_of(done, model)
    assert_same_vector_trees(ours, stock, np.isnan(values).any(axis=0))
    assert document(ours)["gradient_booster"]["model"]["trees"][0]["tree_param"]["size_leaf_vector"] != "1"
    np.testing.assert_allclose(ours.predict(test, output_margin=True), stock.predict(test, output_margin=True),
                               rtol=1e-5, atol=1e-6)
    rounds = training.Finished(tmp_path, 0, done.stdout).metrics
    for name, values_of in history.items():
        for metric, expected in values_of.items():
            np.testing.assert_allclose([r[f"{name}-{metric}"] for r in rounds], expected, rtol=1e-4, atol=1.1e-5)
    predicted = subprocess.run([str(program("espalier")), "predict", "--model", str(model), "--data",
                                str(tmp_path / "test")], capture_output=True, text=True, timeout=60, check=True)
    mine = np.array([[float(x) for x in line.split(",")] for line in predicted.stdout.split()])
    np.testing.assert_allclose(np.squeeze(mine), ours.predict(test), rtol=1e-6, atol=1e-7)


def test_weights_and_early_stopping(tmp_path):
    values, labels = data("missing", 400, 3)
    weights = np.random.default_rng(1).choice(np.array([0.5, 1, 3], dtype=np.float32), 400)
    test_values, test_labels = data("missing", 150, 4)
    rng = np.random.default_rng(5)
    test_labels = rng.integers(0, 4, 150).astype(np.float32)
    matrix = xgboost.DMatrix(values, labels, weight=weights, nthread=1)
    test = xgboost.DMatrix(test_values, test_labels, nthread=1)
    parameters = parameters_of("multi:softprob", {"eval_metric": "mlogloss"})
    stock = stock_train(parameters, matrix, 12, evals=[(test, "validation")],
                        callbacks=[xgboost.callback.EarlyStopping(2, save_best=True)])
    done, model = espalier_train(tmp_path, {**parameters, "early_stopping_rounds": 2},
                                 [write_rows(tmp_path / "rows", values, labels, weights)], rounds=12,
                                 validation=[write_rows(tmp_path / "test", test_values, test_labels)])
    ours = booster_of(done, model)
    assert ours.best_iteration == stock.best_iteration < 10
    assert_same_vector_trees(ours, stock, np.isnan(values).any(axis=0))


EXACTNESS = [
    {},
    {"subsample": 0.6, "colsample_bynode": 0.7, "num_parallel_tree": 2},
    {"subsample": 0.4, "sampling_method": "gradient_based", "grow_policy": "lossguide", "max_leaves": 8},
]


@pytest.mark.parametrize("parameters", EXACTNESS, ids=["plain", "sampled", "by gradient"])
def test_the_same_bytes_whoever_computes(tmp_path, parameters):
    """Threads, instances and vector widths; and a training in two parts."""
    values, labels = data("missing", 900, 5)
    parts = [write_rows(tmp_path / f"part-{i}", values[i * 300:][:300], labels[i * 300:][:300]) for i in range(3)]
    parameters = parameters_of("multi:softprob", {"max_depth": 5, **parameters})
    base = {"name": "base.ubj", "threads": 1}
    done, first = espalier_train(tmp_path, parameters, parts, **base)
    booster_of(done, first)
    for number, more in enumerate([{"threads": 3}, {"instances": 2}, {"instances": 3}]):
        done, model = espalier_train(tmp_path, parameters, parts, name=f"{number}.ubj", **more)
        booster_of(done, model)
        assert model.read_bytes() == first.read_bytes(), more
    done, half = espalier_train(tmp_path, parameters, parts, name="half.ubj", rounds=2)
    done, whole = espalier_train(tmp_path, parameters, parts, name="whole.ubj", rounds=2, start=half)
    booster_of(done, whole)
    assert whole.read_bytes() == first.read_bytes()


@pytest.mark.parametrize("parameters", [{"subsample": 0.5}, {"subsample": 0.4, "sampling_method": "gradient_based"}],
                         ids=["uniform", "gradient_based"])
def test_samples_have_stocks_distribution(tmp_path, parameters):
    """The last metric over seeds: means closer than four standard errors."""
    values, labels = data("missing", 400, 3)
    matrix = xgboost.DMatrix(values, labels, nthread=1)
    rows = write_rows(tmp_path / "rows", values, labels)
    mine, theirs = [], []
    for seed in range(12):
        every = parameters_of("multi:softprob", {"max_depth": 3, "seed": seed, **parameters})
        history: dict = {}
        stock_train(every, matrix, evals=[(matrix, "train")], evals_result=history)
        done, _ = espalier_train(tmp_path, every, [rows])
        mine.append(training.Finished(tmp_path, 0, done.stdout).metrics[-1]["train-mlogloss"])
        theirs.append(history["train"]["mlogloss"][-1])
    error = np.sqrt(np.var(mine) / len(mine) + np.var(theirs) / len(theirs))
    assert abs(np.mean(mine) - np.mean(theirs)) < 4 * error


@pytest.mark.parametrize(("wrong", "text"), [
    ({"tree_method": "exact"}, "Only the hist tree method is supported for building multi-target trees with vector leaf"),
    ({"tree_method": "approx"}, "Only the hist tree method is supported"),
    ({"updater": "grow_histmaker"}, "Only the hist tree method is supported"),
    ({"updater": "grow_quantile_histmaker,refresh"}, "support for multi-target tree is not yet implemented"),
    ({"booster": "dart"}, "dart support for multi-target tree is not yet implemented"),
    ({"monotone_constraints": "(1,0)", "tree_method": "hist"}, "Monotonic constraint support for multi-target tree"),
    ({"interaction_constraints": "[[0,1]]", "tree_method": "hist"}, "Interaction constraint support for multi-target tree"),
    ({"multi_strategy": "both"}, "both is not in ['one_output_per_tree', 'multi_output_tree']"),
])
def test_what_stock_refuses_is_refused(tmp_path, wrong, text):
    values, labels = data("plain", 60, 1)
    done, _ = espalier_train(tmp_path, parameters_of("multi:softprob", wrong),
                             [write_rows(tmp_path / "rows", values, labels)])
    assert done.returncode == 1
    assert text in done.stderr


def test_vector_leaves_are_not_refreshed(tmp_path):
    values, labels = data("plain", 60, 1)
    matrix = xgboost.DMatrix(values, labels, nthread=1)
    stock_train(parameters_of("multi:softprob", {}), matrix).save_model(tmp_path / "start.json")
    update = {"objective": "multi:softprob", "num_class": 4, "process_type": "update", "updater": "refresh"}
    done, _ = espalier_train(tmp_path, update, [write_rows(tmp_path / "rows", values, labels)],
                             start=tmp_path / "start.json")
    assert done.returncode == 1
    assert "process_type 'update' is not implemented for trees with vector leaves" in done.stderr


def test_one_output_has_scalar_leaves_and_a_warning(tmp_path):
    values, labels = data("plain", 60, 1, "reg")
    rows = write_rows(tmp_path / "rows", values, labels)
    done, model = espalier_train(tmp_path, VECTOR, [rows])
    assert "'multi_strategy' has no effect: objective 'reg:squarederror' has one output" in done.stderr
    done, plain = espalier_train(tmp_path, {}, [rows], name="plain.ubj")
    assert model.read_bytes() == plain.read_bytes()


def test_kinds_of_trees_may_follow_each_other(tmp_path):
    """A model of one strategy is gone on from with the other, as in stock."""
    values, labels = data("missing", 400, 3)
    matrix = xgboost.DMatrix(values, labels, nthread=1)
    scalar = parameters_of("multi:softprob", {"multi_strategy": "one_output_per_tree", "max_depth": 3})
    vector = parameters_of("multi:softprob", {"max_depth": 3})
    stock = stock_train(vector, matrix, 2, xgb_model=stock_train(scalar, matrix, 2))
    rows = write_rows(tmp_path / "rows", values, labels)
    _, first = espalier_train(tmp_path, scalar, [rows], rounds=2, name="first.ubj")
    done, model = espalier_train(tmp_path, vector, [rows], rounds=2, start=first)
    ours = booster_of(done, model)
    np.testing.assert_allclose(ours.predict(matrix), stock.predict(matrix), rtol=1e-5, atol=1e-6)
    assert document(ours)["gradient_booster"]["model"]["iteration_indptr"] == [0, 4, 8, 9, 10]


def test_images_do_not_know_the_parameter(tmp_path):
    rows = {"train": {"part": "1 0:1\n0 0:3\n"}}
    hyperparameters = {"num_round": "1", "objective": "multi:softmax", "num_class": "2", **VECTOR}
    refused = training.run(training.write_root(tmp_path / "job", hyperparameters, rows))
    assert refused.code != 0
    assert "Extraneous hyperparameter found: multi_strategy" in refused.failure
