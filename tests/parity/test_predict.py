"""`espalier predict` and `espalier model` against stock xgboost: the same predictions from the same files, both ways.

Stock trains and saves; Espalier reads and predicts. Margins may differ by one unit in the last place (the logarithm of
base_score), predictions by four (exp). Espalier's own writer must give the very bytes stock writes.
"""

from __future__ import annotations

import gzip
import io
import json
import pathlib
import tarfile

import numpy as np
import pytest
import xgboost
from harness.predictions import MISSING, as_csv, as_libsvm, in_units_in_the_last_place, make_features, predict, run

def make_labels(objective: str, features: np.ndarray, classes: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    seen = np.nan_to_num(features)
    score = seen[:, 0] + 2 * np.sin(seen[:, 1]) + 0.5 * seen[:, 7] + rng.normal(size=len(features)) * 0.3
    if objective.startswith("multi:"):
        return np.digitize(score, np.quantile(score, np.linspace(0, 1, classes + 1)[1:-1]))
    if objective.startswith("binary:") or objective in ("reg:logistic", "rank:map"):
        return (score > np.median(score)).astype(int)
    if objective == "count:poisson" or objective.startswith("rank:"):
        return np.clip(np.abs(score), 0, 5).astype(int)
    if objective in ("reg:gamma", "reg:tweedie", "reg:squaredlogerror", "survival:cox"):
        return np.abs(score) + 0.1
    return score


def train(objective: str, kind: str, classes: int = 3, rounds: int = 12, rows: int = 400, **params):
    features = make_features(kind, rows)
    labels = make_labels(objective, features, classes)
    query = np.arange(rows) // 20 if objective.startswith("rank:") else None
    matrix = xgboost.DMatrix(features, labels, qid=query)
    params = {"objective": objective, "max_depth": 4, "nthread": 1, **params}
    if objective.startswith("multi:"):
        params["num_class"] = classes
    return xgboost.train(params, matrix, rounds), features, labels


def check_same(booster: xgboost.Booster, features: np.ndarray, model: pathlib.Path, data: pathlib.Path, *more: str):
    matrix = xgboost.DMatrix(features)
    expected = booster.predict(matrix)
    got = predict(model, data, *more)
    margins = predict(model, data, "--output", "margin", *more)
    rows = len(features)
    distance = in_units_in_the_last_place(margins, booster.predict(matrix, output_margin=True).reshape(rows, -1))
    assert distance <= 1, f"margins differ by {distance} units in the last place"
    distance = in_units_in_the_last_place(got, expected.reshape(rows, -1))
    # One unit of a margin of 16 and more is 2^-19: its exponential differs by 16 units.
    assert distance <= 4 or np.allclose(got, expected.reshape(rows, -1), rtol=4e-6, atol=0), f"{distance} units"


OBJECTIVES = [
    "reg:squarederror", "reg:logistic", "binary:logistic", "binary:logitraw", "binary:hinge", "count:poisson", "reg:gamma",
    "reg:tweedie", "reg:pseudohubererror", "reg:squaredlogerror", "reg:absoluteerror", "survival:cox", "multi:softmax",
    "multi:softprob", "rank:pairwise", "rank:ndcg", "rank:map",
]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_in_both_formats(tmp_path, objective):
    booster, features, _ = train(objective, "missing")
    data = tmp_path / "rows.libsvm"
    data.write_text(as_libsvm(features))
    for suffix in ("json", "ubj"):
        model = tmp_path / f"model.{suffix}"
        booster.save_model(model)
        check_same(booster, features, model, data)


@pytest.mark.parametrize("kind", ["dense", "missing", "zeros", "sparse"])
@pytest.mark.parametrize("objective", ["binary:logistic", "multi:softprob"])
def test_every_shape_of_data(tmp_path, objective, kind):
    booster, features, labels = train(objective, kind, classes=5)
    model = tmp_path / "model.ubj"
    booster.save_model(model)
    data = tmp_path / "rows.libsvm"
    data.write_text(as_libsvm(features, labels))
    check_same(booster, features, model, data)
    table = tmp_path / "rows.csv.gz"
    with gzip.open(table, "wt") as file:
        file.write(as_csv(features))
    check_same(booster, features, model, table, "--content-type", "text/csv")


def test_many_classes_and_deep_trees(tmp_path):
    for name, params in {"classes": {"classes": 37, "rounds": 4}, "deep": {"max_depth": 14, "min_child_weight": 0, "rounds": 20},
                         "leaves": {"grow_policy": "lossguide", "max_depth": 0, "max_leaves": 90, "rounds": 10},
                         "forest": {"num_parallel_tree": 3, "subsample": 0.5, "rounds": 3}}.items():
        booster, features, _ = train("multi:softprob", "missing", rows=900, **params)
        model, data = tmp_path / f"{name}.ubj", tmp_path / f"{name}.libsvm"
        booster.save_model(model)
        data.write_text(as_libsvm(features))
        check_same(booster, features, model, data)


def test_indices_from_one_leave_feature_zero_missing(tmp_path):
    features = np.hstack([np.full((300, 1), MISSING, np.float32), make_features("zeros", 300)])
    labels = make_labels("multi:softmax", features[:, 1:], 3)
    text = as_libsvm(features[:, 1:], labels, first_index=1)
    data = tmp_path / "rows.libsvm"
    data.write_text(text)
    # Stock's own text reader, so that both see the same file.
    matrix = xgboost.DMatrix(f"{data}?format=libsvm")
    booster = xgboost.train({"objective": "multi:softmax", "num_class": 3, "nthread": 1}, matrix, 8)
    model = tmp_path / "model.json"
    booster.save_model(model)
    assert np.array_equal(predict(model, data)[:, 0], booster.predict(matrix))


@pytest.mark.parametrize("text", [
    "1 1:0.5 3:-2\n0 2:0.25 4:1\n",
    "# a comment\n1 1:0.5 # 2:9\n\n \t\r\n0 2:1e-3\r\n1 3:.5 4:5.\r0\t1:+2\t2:1E2\n",
    "1 4:1 2:0.125 1:-0.5\n0 3:1 1:0\n",
    "\ufeff1 1:0.1 2:0.30000001192092896 3:16777217 4:123456789.123\n0 1:0.0 2:0 3:-0\n",
    "1:2 1:0.5\n0:0.5 2:0.25\n",
    "1 qid:1 1:0.5\n0 qid:2 2:0.25\n",
])
def test_libsvm_text_is_read_as_stock_reads_it(tmp_path, text):
    """Trees that split each feature finely, applied to a file by both readers. (Pairs without a value crash stock.)"""
    rng = np.random.default_rng(5)
    features = np.concatenate([rng.normal(size=(500, 5)), rng.integers(-1, 3, size=(500, 5))]).astype(np.float32)
    booster = xgboost.train({"max_depth": 7, "nthread": 1}, xgboost.DMatrix(features, rng.normal(size=1000)), 30)
    model, data = tmp_path / "model.ubj", tmp_path / "rows.libsvm"
    booster.save_model(model)
    data.write_text(text, newline="")
    expected = booster.predict(xgboost.DMatrix(f"{data}?format=libsvm"), validate_features=False)
    if text[0] == "1" and text[1] == ":":
        # Without a label a request's first pair is a feature, and so is label:weight in data to predict.
        data.write_text(text.replace("1:2 ", "1 ").replace("0:0.5 ", "0 "))
    assert np.array_equal(predict(model, data)[:, 0], expected)


@pytest.mark.parametrize("base_score", [0.0, 1e-9, 0.1, 0.5, 0.725, 1.0])
def test_base_score_of_the_user(tmp_path, base_score):
    for objective in ("binary:logistic", "reg:squarederror", "multi:softprob"):
        booster, features, _ = train(objective, "dense", base_score=base_score, rounds=3)
        model, data = tmp_path / "model.json", tmp_path / "rows.libsvm"
        booster.save_model(model)
        data.write_text(as_libsvm(features))
        check_same(booster, features, model, data)


def as_old_json(booster: xgboost.Booster, oldest: bool) -> str:
    """The model in the schema of 1.7 or, `oldest`, 1.0 (contracts/xgboost.md 5.1), made by editing today's file."""
    document = json.loads(booster.save_raw("json"))
    learner = document["learner"]
    params = learner["learner_model_param"]
    score = json.loads(params["base_score"])
    assert len(set(score)) == 1, "old files have one base_score"
    params["base_score"] = f"{score[0]:E}"
    del params["boost_from_average"]
    model = learner["gradient_booster"]["model"]
    del model["iteration_indptr"], model["cats"]
    model["gbtree_model_param"]["size_leaf_vector"] = "0"
    for tree in model["trees"]:
        tree["tree_param"]["size_leaf_vector"] = "0"
        if oldest:
            tree["default_left"] = [bool(flag) for flag in tree["default_left"]]
            for key in ("split_type", "categories", "categories_nodes", "categories_segments", "categories_sizes"):
                del tree[key]
    document["version"] = [1, 7, 4]
    if oldest:
        del learner["feature_names"], learner["feature_types"], params["num_target"]
        del model["gbtree_model_param"]["num_parallel_tree"]
        document["version"] = [1, 0, 0]
    return json.dumps(document, indent=1)


@pytest.mark.parametrize("oldest", [False, True])
@pytest.mark.parametrize("objective", ["binary:logistic", "reg:squarederror", "multi:softmax", "count:poisson"])
def test_old_schema_variants(tmp_path, objective, oldest):
    booster, features, _ = train(objective, "missing", base_score=0.5)
    model, data = tmp_path / "model.json", tmp_path / "rows.libsvm"
    model.write_text(as_old_json(booster, oldest))
    data.write_text(as_libsvm(features))
    check_same(booster, features, model, data)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_our_writer_gives_stocks_bytes_and_stock_reads_them(tmp_path, objective):
    booster, features, _ = train(objective, "missing")
    booster.set_attr(note='quote " backslash \\ ü')
    booster.feature_names = [f"name {i}" for i in range(features.shape[1])]
    stock = {suffix: tmp_path / f"stock.{suffix}" for suffix in ("json", "ubj")}
    for path in stock.values():
        booster.save_model(path)
    matrix = xgboost.DMatrix(features, feature_names=booster.feature_names)
    for source, target in (("json", "ubj"), ("ubj", "json")):
        ours = tmp_path / f"ours.{target}"
        done = run("model", "convert", stock[source], ours)
        assert done.returncode == 0, done.stderr
        assert ours.read_bytes() == stock[target].read_bytes()
        loaded = xgboost.Booster()
        loaded.load_model(ours)
        assert np.array_equal(loaded.predict(matrix), booster.predict(matrix))


def test_an_old_file_converted_loads_in_stock(tmp_path):
    booster, features, _ = train("multi:softprob", "missing", base_score=0.5)
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text(as_old_json(booster, oldest=True))
    assert run("model", "convert", old, new).returncode == 0
    loaded = xgboost.Booster()
    loaded.load_model(new)
    assert np.array_equal(loaded.predict(xgboost.DMatrix(features)), booster.predict(xgboost.DMatrix(features)))


def test_what_output_asks_for(tmp_path):
    booster, features, _ = train("binary:logistic", "dense")
    model, data = tmp_path / "model.json", tmp_path / "rows.libsvm"
    booster.save_model(model)
    data.write_text(as_libsvm(features))
    probability = booster.predict(xgboost.DMatrix(features))
    assert np.array_equal(predict(model, data, "--output", "label")[:, 0], probability > 0.5)
    assert np.array_equal(predict(model, data, "--output", "probability"), predict(model, data))
    booster, features, _ = train("multi:softmax", "dense")
    booster.save_model(model)
    probabilities = predict(model, data, "--output", "probability")
    assert probabilities.shape == (len(features), 3)
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert np.array_equal(predict(model, data, "--output", "label")[:, 0], booster.predict(xgboost.DMatrix(features)))
    booster, _, _ = train("reg:squarederror", "dense")
    booster.save_model(model)
    for output in ("label", "probability"):
        refused = run("predict", "--model", model, "--data", data, "--output", output)
        assert refused.returncode == 1
        assert "reg:squarederror" in refused.stderr


def test_a_model_archive_and_what_show_says(tmp_path):
    booster, features, _ = train("multi:softprob", "dense")
    archive, data = tmp_path / "model.tar.gz", tmp_path / "rows.libsvm"
    data.write_text(as_libsvm(features))
    raw = bytes(booster.save_raw("ubj"))
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo("xgboost-model")
        member.size = len(raw)
        tar.addfile(member, io.BytesIO(raw))
    check_same(booster, features, archive, data)
    shown = run("model", "show", archive, "--top", "3", "--by", "weight")
    assert shown.returncode == 0, shown.stderr
    for part in ("member xgboost-model", "XGBoost UBJSON", "multi:softprob", "classes     3", "rounds      12",
                 "trees       36 with"):
        assert part in shown.stdout
    weights = booster.get_score(importance_type="weight")
    gains = booster.get_score(importance_type="gain")
    listed = [line.split() for line in shown.stdout.split("weight\n")[-1].splitlines()]
    assert [row[0] for row in listed] == sorted(weights, key=lambda name: (-weights[name], int(name[1:])))[:3]
    for name, gain, _, _, _, weight in listed:
        assert int(weight) == weights[name]
        assert float(gain) == pytest.approx(gains[name], rel=1e-5)


def test_mistakes_are_named(tmp_path):
    booster, features, _ = train("reg:squarederror", "dense")
    model, data, table = tmp_path / "model.json", tmp_path / "rows.libsvm", tmp_path / "rows.csv"
    booster.save_model(model)
    data.write_text("1 1:0.5\n0 2:abc\n")
    done = run("predict", "--model", model, "--data", data)
    assert done.returncode == 1
    assert "rows.libsvm, line 2, column 5: 'abc' is not a number" in done.stderr
    data.write_text("1 99:0.5\n")
    assert "Number of columns does not match" in run("predict", "--model", model, "--data", data).stderr
    labels = np.zeros((len(features), 1), np.float32)
    table.write_text(as_csv(np.hstack([labels, features])))
    done = run("predict", "--model", model, "--data", table, "--content-type", "text/csv")
    assert done.returncode == 1 and "--labeled" in done.stderr
    check_same(booster, features, model, table, "--content-type", "text/csv", "--labeled")
    assert "application/json is not an accepted ContentType" in run(
        "predict", "--model", model, "--data", table, "--content-type", "application/json").stderr
    assert "does not exist" in run("predict", "--model", model, "--data", tmp_path / "none").stderr
    assert "No such file" in run("model", "show", tmp_path / "none").stderr
    model.write_text(booster.save_raw("json").decode().replace("reg:squarederror", "reg:nothing"))
    shown = run("model", "show", model)
    assert shown.returncode == 1 and "reg:nothing" in shown.stderr
