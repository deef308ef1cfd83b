"""process_type update and updaters behind a grower, against stock xgboost 3.2."""

from __future__ import annotations

import json
import subprocess

import numpy as np
import pytest
import xgboost
from harness import training
from harness.model_match import document, paths_of
from harness.parity import labels_of, make_data
from harness.server import program

ROUNDS = 4
LABELS = {"count:poisson": "counts", "reg:absoluteerror": "reg"}


def data(objective: str, shape: str, rows: int, seed: int):
    rng = np.random.default_rng(seed)
    values, signal = make_data(shape, rows, seed)
    if objective == "count:poisson":
        return values, rng.poisson(np.exp(np.clip(signal, -2, 1.5))).astype(np.float32)
    return values, labels_of(objective, signal, rng)


def parameters_of(objective: str, parameters: dict) -> dict:
    return {"objective": objective, **({"num_class": 4} if objective.startswith("multi") else {}), **parameters}


def write_text(path, values, labels) -> str:
    path.write_text(training.libsvm(values, labels))
    return str(path)


def espalier_train(tmp_path, parameters: dict, train, *, start=None, validation=None, instances=1, expect=0):
    """`espalier train`: (booster as stock reads it, {data-metric: [rounds]}, text)."""
    model = tmp_path / "ours.ubj"
    words = [f"{name}={value}" for name, value in parameters.items()]
    command = [str(program("espalier")), "train", "--train", *train, "--model", str(model), "--threads", "2",
               "--instances", str(instances), *(["--start-model", str(start)] if start else []),
               *(["--validation", *validation] if validation else []), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == expect, done.stdout + done.stderr
    if expect != 0:
        return None, {}, done.stderr
    metrics = training.Finished(tmp_path, 0, done.stdout).metrics
    return xgboost.Booster(model_file=str(model)), metrics, done.stderr


def nodes_of(tree: dict) -> list[tuple]:
    """Every node from the root on, left before right: what it splits by, or its leaf, and its statistics."""
    found = []

    def walk(node: int) -> None:
        split = tree["left_children"][node] >= 0
        condition = tree["split_conditions"][node]
        found.append((split, tree["split_indices"][node] if split else -1, condition, tree["sum_hessian"][node],
                      tree["base_weights"][node], tree["loss_changes"][node]))
        if split:
            walk(tree["left_children"][node])
            walk(tree["right_children"][node])
    walk(0)
    return found


def assert_same_nodes(ours: xgboost.Booster, stock: xgboost.Booster, *, loss: float = 1e-5) -> None:
    """Structure, leaf values and all statistics, whatever the nodes' numbers."""
    mine, theirs = document(ours)["gradient_booster"]["model"], document(stock)["gradient_booster"]["model"]
    assert mine["tree_info"] == theirs["tree_info"]
    assert mine["iteration_indptr"] == theirs["iteration_indptr"]
    assert mine["gbtree_model_param"] == theirs["gbtree_model_param"]
    for number, (a, b) in enumerate(zip(mine["trees"], theirs["trees"])):
        a, b = nodes_of(a), nodes_of(b)
        assert [n[:2] for n in a] == [n[:2] for n in b], f"tree {number}"
        for place, member in ((2, "conditions"), (3, "hessians"), (4, "weights")):
            np.testing.assert_allclose([n[place] for n in a], [n[place] for n in b], rtol=1e-5, atol=1e-6,
                                       err_msg=f"tree {number}: {member}")
        scale = max((abs(n[5]) for n in b), default=1.0)
        np.testing.assert_allclose([n[5] for n in a], [n[5] for n in b], rtol=loss, atol=loss * scale,
                                   err_msg=f"tree {number}: loss changes")


UPDATES = [
    ("reg:squarederror", "missing", {"updater": "refresh"}),
    ("reg:squarederror", "missing", {"updater": "refresh", "refresh_leaf": 0}),
    ("reg:squarederror", "plain", {"updater": "refresh", "lambda": 3, "alpha": 1.5, "eta": 0.1}),
    ("binary:logistic", "sparse", {"updater": "refresh", "min_child_weight": 6, "max_delta_step": 0.4, "alpha": 0.2}),
    ("reg:squarederror", "duplicates", {"updater": "prune", "gamma": 5}),
    ("reg:squarederror", "plain", {"updater": "prune", "max_depth": 2, "eta": 0.5}),
    ("binary:logistic", "missing", {"updater": "refresh,prune", "gamma": 0.8}),
    ("multi:softprob", "plain", {"updater": "prune,refresh", "gamma": 2}),
    ("multi:softprob", "continuous", {"updater": "refresh,prune", "gamma": 1, "num_parallel_tree": 3}),
    ("count:poisson", "zeros", {"updater": "refresh"}),
    ("reg:absoluteerror", "plain", {"updater": "refresh"}),
]


@pytest.mark.parametrize(("objective", "shape", "update"), UPDATES,
                         ids=[f"{o.split(':')[1]}-{s}-{'-'.join(map(str, p.values()))}" for o, s, p in UPDATES])
def test_trees_of_a_model_are_updated_as_by_stock(tmp_path, objective, shape, update):
    """A model of one data set is refreshed or pruned on another; every round is compared, and so is every statistic."""
    grown = parameters_of(objective, {"max_depth": 4, "tree_method": "hist", "nthread": 1})
    grown["num_parallel_tree"] = update.pop("num_parallel_tree", 1)
    model = xgboost.train(grown, xgboost.DMatrix(*data(objective, shape, 600, 1), nthread=1), ROUNDS)
    model.set_attr(kept="yes")
    model.save_model(tmp_path / "start.json")
    values, labels = data(objective, shape, 500, 2)
    matrix = xgboost.DMatrix(values, labels, nthread=1)
    parameters = parameters_of(objective, {"process_type": "update", **update})
    history: dict = {}
    stock = xgboost.train({**parameters, "nthread": 1}, matrix, ROUNDS - 1, xgb_model=model, evals=[(matrix, "train")],
                          evals_result=history, verbose_eval=False)
    text = write_text(tmp_path / "rows.libsvm", values, labels)
    ours, metrics, _ = espalier_train(tmp_path, {"num_round": ROUNDS - 1, **parameters}, [text],
                                      start=tmp_path / "start.json")
    assert_same_nodes(ours, stock)
    assert ours.num_boosted_rounds() == ROUNDS - 1
    assert ours.attr("kept") == "yes"
    np.testing.assert_allclose(ours.predict(matrix), stock.predict(matrix), rtol=1e-5, atol=1e-6)
    for metric, rounds in history["train"].items():
        np.testing.assert_allclose([m[f"train-{metric}"] for m in metrics], rounds, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("update", [{"updater": "refresh"}, {"updater": "refresh,prune", "gamma": 0.5}])
def test_updates_are_the_same_bytes_on_several_instances(tmp_path, update):
    values, labels = data("multi:softprob", "missing", 900, 1)
    grown = parameters_of("multi:softprob", {"max_depth": 4, "nthread": 1})
    xgboost.train(grown, xgboost.DMatrix(values, labels, nthread=1), 3).save_model(tmp_path / "start.ubj")
    parts = [write_text(tmp_path / f"part-{i}", values[i::3], labels[i::3]) for i in range(3)]
    parameters = parameters_of("multi:softprob", {"num_round": 3, "process_type": "update", **update})
    models = []
    for instances in (1, 2, 3):
        espalier_train(tmp_path, parameters, parts, start=tmp_path / "start.ubj", instances=instances)
        models.append((tmp_path / "ours.ubj").read_bytes())
    assert models[0] == models[1] == models[2]


def write_job(root, hyperparameters: dict, values, labels, model: bytes):
    root = training.write_root(root, {k: str(v) for k, v in hyperparameters.items()},
                               {"train": {"part": training.libsvm(values, labels)}, "model": {"xgboost-model": model}})
    (root / "input" / "config" / "checkpointconfig.json").write_text(json.dumps({"LocalPath": "/opt/ml/checkpoints"}))
    return root


def test_a_job_updates_the_model_of_its_channel_and_goes_on_from_a_checkpoint(tmp_path):
    values, labels = data("binary:logistic", "plain", 600, 1)
    model = xgboost.train({"objective": "binary:logistic", "nthread": 1, "max_depth": 3},
                          xgboost.DMatrix(values, labels, nthread=1), 6)
    model = bytes(model.save_raw("ubj"))
    values, labels = data("binary:logistic", "plain", 500, 2)
    update = {"objective": "binary:logistic", "process_type": "update", "updater": "refresh"}
    whole = training.run(write_job(tmp_path / "whole", {**update, "num_round": 5}, values, labels, model))
    assert whole.code == 0, whole.log
    assert "Training updates the model of channel 'model', which has 6 rounds." in whole.log
    short = training.run(write_job(tmp_path / "cut", {**update, "num_round": 2}, values, labels, model))
    assert short.code == 0, short.log
    config = short.root / "input" / "config" / "hyperparameters.json"
    config.write_text(json.dumps({**update, "num_round": "5"}))
    resumed = training.run(short.root)
    assert "Resuming from iteration 2" in resumed.log
    assert resumed.model.read_bytes() == whole.model.read_bytes()
    assert resumed.metrics[-3:] == whole.metrics[-3:]


REFUSED = [
    ({"updater": "refresh", "num_round": 5}, "No more tree left for updating.  For updating existing trees, boosting "
                                             "rounds can not exceed previous training rounds"),
    ({}, "Updater: `grow_quantile_histmaker` can not be used to modify existing trees. Set `process_type` to `default`"),
    ({"updater": "refresh", "monotone_constraints": "(1,0)", "tree_method": "hist"},
     "Monotonic constraint is not supported by the `refresh` updater"),
    ({"updater": "refresh", "booster": "dart"}, "process_type 'update' is not implemented for booster 'dart'"),
    ({"updater": "refresh", "num_parallel_tree": 2}, "the model to go on from has 1 trees per round and class"),
]


@pytest.mark.parametrize(("wrong", "text"), REFUSED, ids=[" ".join(map(str, w)) or "no updater" for w, _ in REFUSED])
def test_what_cannot_be_updated_is_refused(tmp_path, wrong, text):
    values, labels = data("reg:squarederror", "plain", 100, 1)
    xgboost.train({"nthread": 1}, xgboost.DMatrix(values, labels, nthread=1), 3).save_model(tmp_path / "start.ubj")
    rows = write_text(tmp_path / "rows", values, labels)
    parameters = {"num_round": 3, "process_type": "update", **wrong}
    _, _, told = espalier_train(tmp_path, parameters, [rows], start=tmp_path / "start.ubj", expect=1)
    assert text in told


def test_an_update_needs_a_model(tmp_path):
    rows = {"train": {"part": "1 0:1\n2 0:3\n"}}
    hyperparameters = {"num_round": "1", "process_type": "update", "updater": "refresh"}
    refused = training.run(training.write_root(tmp_path / "job", hyperparameters, rows))
    assert refused.code != 0
    assert "process_type 'update' needs a model to update, in the channel 'model'" in refused.failure


BEHIND_A_GROWER = [
    ("reg:squarederror", "missing", {"updater": "grow_histmaker,prune", "gamma": 3}),
    ("reg:squarederror", "plain", {"updater": "grow_histmaker,refresh"}),
    ("binary:logistic", "missing", {"updater": "grow_histmaker,refresh,sync", "refresh_leaf": 0}),
    ("reg:squarederror", "plain", {"updater": "grow_colmaker", "gamma": 8}),
    ("reg:squarederror", "missing", {"updater": "grow_colmaker,prune", "gamma": 8}),
    ("binary:logistic", "plain", {"updater": "grow_colmaker,refresh,prune", "gamma": 1, "alpha": 0.5}),
    ("multi:softprob", "missing", {"updater": "grow_colmaker,prune,refresh", "gamma": 1}),
    ("reg:absoluteerror", "plain", {"updater": "grow_histmaker,prune"}),
    ("reg:absoluteerror", "plain", {"updater": "grow_quantile_histmaker"}),
    ("reg:absoluteerror", "plain", {"tree_method": "exact"}),
]


@pytest.mark.parametrize(("objective", "shape", "parameters"), BEHIND_A_GROWER,
                         ids=[f"{o.split(':')[1]}-{s}-{'-'.join(map(str, p.values()))}" for o, s, p in BEHIND_A_GROWER])
def test_updaters_behind_a_grower_do_what_stocks_do(tmp_path, objective, shape, parameters):
    values, labels = data(objective, shape, 600, 3)
    matrix = xgboost.DMatrix(values, labels, nthread=1)
    parameters = parameters_of(objective, {"max_depth": 4, **parameters})
    stock = xgboost.train({**parameters, "nthread": 1}, matrix, ROUNDS)
    ours, _, _ = espalier_train(tmp_path, {"num_round": ROUNDS, **parameters},
                                [write_text(tmp_path / "rows", values, labels)])
    mine, theirs = document(ours)["gradient_booster"]["model"], document(stock)["gradient_booster"]["model"]
    for a, b in zip(mine["trees"], theirs["trees"], strict=True):
        assert str(paths_of(a)).count("(") == str(paths_of(b)).count("(")
    assert_same_nodes(ours, stock, loss=2e-3)
    np.testing.assert_allclose(ours.predict(matrix), stock.predict(matrix), rtol=1e-5, atol=1e-6)


def test_leaves_are_refreshed_from_rows_the_tree_was_not_grown_on(tmp_path):
    """Refreshing looks at all rows; stock's samples cannot be drawn here, so its refresh of our trees is the measure."""
    values, labels = data("reg:squarederror", "plain", 600, 3)
    matrix = xgboost.DMatrix(values, labels, nthread=1)
    parameters = {"max_depth": 4, "subsample": 0.3, "sampling_method": "gradient_based",
                  "updater": "grow_histmaker,refresh"}
    rows = write_text(tmp_path / "rows", values, labels)
    ours, _, _ = espalier_train(tmp_path, {"num_round": ROUNDS, **parameters}, [rows])
    again = xgboost.train({"process_type": "update", "updater": "refresh", "nthread": 1}, matrix, ROUNDS,
                          xgb_model=ours)
    assert_same_nodes(ours, again)


@pytest.mark.parametrize(("updater", "text"), [
    ("prune,grow_histmaker", "Updater: `prune` can not be used to create new trees. Set `process_type` to `update`"),
    ("refresh", "Updater: `refresh` can not be used to create new trees."),
    ("distcol", "Unknown tree updater distcol"),
    ("grow_skmaker,prune", "Unknown tree updater grow_skmaker"),
])
def test_lists_that_stock_refuses_are_refused(tmp_path, updater, text):
    rows = {"train": {"part": "1 0:1\n2 0:3\n"}}
    refused = training.run(training.write_root(tmp_path / "job", {"num_round": "1", "updater": updater}, rows))
    assert refused.code != 0
    assert text in refused.failure


def test_a_model_keeps_its_forest_and_takes_a_new_intercept(tmp_path):
    """Going on: trees per round are the model's, and base_score, when it is given, is the job's; both as in stock."""
    values, labels = data("reg:squarederror", "plain", 400, 1)
    matrix = xgboost.DMatrix(values, labels, nthread=1)
    start = xgboost.train({"num_parallel_tree": 2, "nthread": 1, "max_depth": 3}, matrix, 2)
    start.save_model(tmp_path / "start.json")
    rows = write_text(tmp_path / "rows", values, labels)
    stock = xgboost.train({"nthread": 1, "max_depth": 3, "base_score": 0.75}, matrix, 2, xgb_model=start)
    ours, _, _ = espalier_train(tmp_path, {"num_round": 2, "max_depth": 3, "base_score": 0.75}, [rows],
                                start=tmp_path / "start.json")
    assert_same_nodes(ours, stock, loss=2e-3)
    assert document(ours)["learner_model_param"]["base_score"] == document(stock)["learner_model_param"]["base_score"]
