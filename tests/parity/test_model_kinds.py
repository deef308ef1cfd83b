"""Every kind of model stock xgboost makes, out of stock's files and into files that stock 3.2 and 1.7 load.

Stock 3.2 is the `xgboost` of the test environment. Stock 1.7 is asked in an environment of its own (`./dev setup` makes
.venv-oracle17), where a child process loads a file and writes what it predicts.
"""

from __future__ import annotations

import json
import pathlib
import subprocess

import numpy as np
import pandas
import pytest
import xgboost
from harness.predictions import as_libsvm, in_units_in_the_last_place, make_features, predict, run

ORACLE17 = pathlib.Path(__file__).parents[2] / ".venv-oracle17" / "bin" / "python"
ROWS = 400
KINDS = ["dart", "dart-weighted", "dart-classes", "gblinear", "gblinear-classes", "categorical", "one-hot", "named-categories",
         "targets", "leaf-vectors", "leaf-vectors-classes", "classes-with-intercepts"]


def make_categories(rows: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    features = make_features("missing", rows)
    features[:, 2] = rng.integers(0, 11, rows)
    features[:, 5] = rng.integers(0, 300, rows)
    features[rng.random(rows) < 0.1, 2] = np.nan
    return features


def train(kind: str) -> tuple[xgboost.Booster, np.ndarray, xgboost.DMatrix]:
    """A model of that kind, rows to try it on, and the same rows as stock takes them."""
    rng = np.random.default_rng(7)
    features = make_categories(ROWS) if kind in ("categorical", "one-hot", "named-categories") else make_features("missing", ROWS)
    seen = np.nan_to_num(features)
    labels = seen[:, 0] + np.sin(seen[:, 1]) + 0.3 * (seen[:, 2] % 3) + 0.1 * rng.normal(size=ROWS)
    params = {"max_depth": 4, "nthread": 1, "seed": 5}
    rounds, types, frame = 9, None, None
    if kind.startswith("dart"):
        params |= {"booster": "dart", "rate_drop": 0.4, "sample_type": "weighted" if "weighted" in kind else "uniform"}
    if kind.startswith("gblinear"):
        params = {"booster": "gblinear", "updater": "coord_descent", "nthread": 1, "lambda": 0.1}
    if kind.endswith("classes") or kind == "classes-with-intercepts":
        params |= {"objective": "multi:softprob", "num_class": 3}
        labels = np.digitize(labels, [-0.8, 0.3])
    if kind.startswith("leaf-vectors"):
        params["multi_strategy"] = "multi_output_tree"
    if kind in ("targets", "leaf-vectors"):
        labels = np.stack([labels, seen[:, 1] - labels, seen[:, 7]], 1)
    if kind in ("categorical", "one-hot"):
        types = ["q"] * 8
        types[2] = types[5] = "c"
        params["max_cat_to_onehot"] = 400 if kind == "one-hot" else 3
    matrix = xgboost.DMatrix(features, labels, feature_types=types, enable_categorical=True)
    if kind == "named-categories":
        frame = pandas.DataFrame({f"x{i}": features[:, i] for i in range(8)})
        codes = np.nan_to_num(features[:, 2], nan=-1).astype(int)
        frame["x2"] = pandas.Categorical.from_codes(codes, list("abcdefghijk"))
        frame["x5"] = pandas.Categorical(features[:, 5].astype("int16"))
        # What `espalier` gets are the numbers of the categories, as everywhere outside pandas.
        features[:, 5] = frame["x5"].cat.codes
        matrix = xgboost.DMatrix(frame, labels, enable_categorical=True)
    booster = xgboost.train(params, matrix, rounds)
    return booster, features, matrix


def ask17(model: pathlib.Path, features: np.ndarray, folder: pathlib.Path, types: list[str] | None = None) -> np.ndarray:
    """The margins that xgboost 1.7 predicts."""
    np.save(folder / "rows.npy", features)
    script = ("import numpy, sys, xgboost\n"
              "model, rows, out, types = sys.argv[1:]\n"
              "booster = xgboost.Booster()\n"
              "booster.load_model(model)\n"
              "types = types.split() or None\n"
              "matrix = xgboost.DMatrix(numpy.load(rows), feature_types=types, feature_names=booster.feature_names)\n"
              "numpy.save(out, booster.predict(matrix, output_margin=True))\n")
    done = subprocess.run([ORACLE17, "-c", script, model, folder / "rows.npy", folder / "margins.npy", " ".join(types or [])],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return np.load(folder / "margins.npy").reshape(len(features), -1)


@pytest.mark.parametrize("kind", KINDS)
def test_read_as_stock_wrote_it_and_written_back_the_same(tmp_path, kind):
    booster, features, matrix = train(kind)
    data = tmp_path / "rows.libsvm"
    data.write_text(as_libsvm(features))
    expected = booster.predict(matrix, output_margin=True).reshape(ROWS, -1)
    for source, target in (("json", "ubj"), ("ubj", "json")):
        stock, again, ours = (tmp_path / name for name in (f"stock.{source}", f"stock.{target}", f"ours.{target}"))
        booster.save_model(stock)
        booster.save_model(again)
        assert in_units_in_the_last_place(predict(stock, data, "--output", "margin"), expected) <= 1
        done = run("model", "convert", stock, ours)
        assert done.returncode == 0, done.stderr
        assert ours.read_bytes() == again.read_bytes()


@pytest.mark.parametrize("suffix", ["json", "ubj"])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith("leaf-vectors")])
def test_written_for_xgboost_1_7(tmp_path, kind, suffix):
    booster, features, matrix = train(kind)
    stock, old, back = tmp_path / "stock.ubj", tmp_path / f"old.{suffix}", tmp_path / "back.ubj"
    booster.save_model(stock)
    done = run("model", "convert", stock, old, "--schema", "1.7")
    if kind == "dart-classes":
        assert done.returncode == 1 and "1.7 cannot load the 3 different intercepts" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    expected = booster.predict(matrix, output_margin=True).reshape(ROWS, -1)
    types = ["c" if kind == "c" else "float" for kind in booster.feature_types or []]
    assert in_units_in_the_last_place(ask17(old, features, tmp_path, types), expected) <= 1
    loaded = xgboost.Booster(model_file=old)
    names = {"feature_names": booster.feature_names, "feature_types": types or None, "enable_categorical": True}
    assert in_units_in_the_last_place(
        loaded.predict(xgboost.DMatrix(features, **names), output_margin=True).reshape(ROWS, -1), expected) <= 1
    assert run("model", "convert", old, back).returncode == 0
    data = tmp_path / "rows.libsvm"
    data.write_text(as_libsvm(features))
    assert np.array_equal(predict(back, data, "--output", "margin"), predict(stock, data, "--output", "margin"))


def test_what_1_7_cannot_hold_is_refused(tmp_path):
    booster, _, _ = train("leaf-vectors")
    booster.save_model(tmp_path / "stock.json")
    done = run("model", "convert", tmp_path / "stock.json", tmp_path / "old.json", "--schema", "1.7")
    assert done.returncode == 1 and "several targets at once" in done.stderr
    assert not (tmp_path / "old.json").exists()


@pytest.mark.parametrize("suffix", ["json", "ubj"])
@pytest.mark.parametrize("params", [{"booster": "dart", "rate_drop": 0.3}, {"booster": "gblinear", "updater": "coord_descent"},
                                    {"tree_method": "hist", "max_cat_to_onehot": 2}, {"objective": "binary:logistic"},
                                    {"objective": "multi:softmax", "num_class": 3, "num_parallel_tree": 2}],
                         ids=["dart", "gblinear", "categorical", "logistic", "classes"])
def test_files_that_1_7_wrote(tmp_path, params, suffix):
    features = make_categories(ROWS)
    types = ["q", "q", "c", "q", "q", "c", "q", "q"] if "max_cat_to_onehot" in params else None
    np.save(tmp_path / "rows.npy", features)
    script = ("import json, numpy, sys, xgboost\n"
              "rows, model, out, params, types = sys.argv[1:]\n"
              "x = numpy.load(rows)\n"
              "y = numpy.nan_to_num(x[:, 0]) + numpy.nan_to_num(x[:, 2]) % 3\n"
              "params = json.loads(params)\n"
              "if 'objective' in params: y = numpy.digitize(y, [1.0, 2.0] if 'num_class' in params else [1.0])\n"
              "matrix = xgboost.DMatrix(x, y, feature_types=json.loads(types), enable_categorical=True)\n"
              "booster = xgboost.train({'nthread': 1, 'max_depth': 4, **params}, matrix, 8)\n"
              "booster.save_model(model)\n"
              "numpy.save(out, booster.predict(matrix, output_margin=True))\n")

    model, data = tmp_path / f"model.{suffix}", tmp_path / "rows.libsvm"
    done = subprocess.run([ORACLE17, "-c", script, tmp_path / "rows.npy", model, tmp_path / "margins.npy", json.dumps(params),
                           json.dumps(types)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    data.write_text(as_libsvm(features))
    expected = np.load(tmp_path / "margins.npy").reshape(ROWS, -1)
    assert in_units_in_the_last_place(predict(model, data, "--output", "margin"), expected) <= 1


def test_categories_out_of_range_go_where_stock_sends_them(tmp_path):
    booster, features, _ = train("categorical")
    booster.save_model(tmp_path / "model.ubj")
    odd = np.repeat(features[:40], 6, axis=0)
    odd[:, 2] = np.tile([11, 250, 2.75, 4095.0, 16777215.0, 31.0], 40)
    odd[:, 5] = np.tile([300, 299.5, 0.99, 1e7, 5e5, 64.0], 40)
    data = tmp_path / "rows.libsvm"
    data.write_text(as_libsvm(odd))
    types = ["q", "q", "c", "q", "q", "c", "q", "q"]
    expected = booster.predict(xgboost.DMatrix(odd, feature_types=types, enable_categorical=True), output_margin=True)
    assert in_units_in_the_last_place(predict(tmp_path / "model.ubj", data, "--output", "margin"), expected.reshape(240, 1)) <= 1
