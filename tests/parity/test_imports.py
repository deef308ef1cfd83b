"""Models of other formats: old binary files and pickles of XGBoost 0.72 to 1.7, LightGBM's text, ONNX.

tests/parity/samples holds small files with what their own library predicts from them; samples/README.md has the commands that
made them. Files of 1.7 are made here.
"""

from __future__ import annotations

import json
import pathlib
import subprocess

import numpy as np
import pytest
import xgboost
from harness.predictions import as_csv, as_libsvm, in_units_in_the_last_place, predict, run

SAMPLES = pathlib.Path(__file__).parent / "samples"
ORACLE17 = pathlib.Path(__file__).parents[2] / ".venv-oracle17" / "bin" / "python"


def rows() -> np.ndarray:
    """The rows of samples/make_*.py."""
    rng = np.random.default_rng(11)
    features = rng.normal(size=(120, 5)).astype(np.float32)
    features[rng.random(features.shape) < 0.15] = np.nan
    features[:, 3] = rng.integers(0, 9, 120)
    return features


def samples(pattern: str) -> list[str]:
    return sorted(path.name for path in SAMPLES.glob(pattern))


def expected(name: str) -> np.ndarray:
    return np.array(json.loads((SAMPLES / f"{name}.predictions.json").read_text()), np.float32).reshape(120, -1)


def write_rows(folder: pathlib.Path) -> pathlib.Path:
    data = folder / "rows.csv"
    data.write_text(as_csv(rows()))
    return data


def margins(model: pathlib.Path, folder: pathlib.Path) -> np.ndarray:
    return predict(model, write_rows(folder), "--content-type", "text/csv", "--output", "margin")


@pytest.mark.parametrize("name", samples("xgboost-*.model") + samples("xgboost-*.pkl"))
def test_files_of_old_releases(tmp_path, name):
    got = margins(SAMPLES / name, tmp_path)
    # Files before 1.0 hold the intercept as a margin; a sigmoid and its inverse may move it by some units.
    assert np.allclose(got, expected(name), rtol=2e-6, atol=2e-6)
    assert ("pickled XGBoost Booster" if name.endswith("pkl") else "XGBoost old binary") in run(
        "model", "show", SAMPLES / name).stdout


@pytest.mark.parametrize("name", samples("lightgbm-*.txt") + samples("onnx-*.onnx"))
def test_models_of_other_libraries(tmp_path, name):
    got = predict(SAMPLES / name, write_rows(tmp_path), "--content-type", "text/csv")
    assert np.allclose(got, expected(name), rtol=1e-5, atol=1e-6)
    # Converted, stock xgboost predicts the same as we do.
    converted = tmp_path / "converted.json"
    done = run("model", "convert", SAMPLES / name, converted)
    assert done.returncode == 0, done.stderr
    loaded = xgboost.Booster(model_file=converted)
    names, types = loaded.feature_names, ["q", "q", "q", "c", "q"] if "categories" in name else None
    matrix = xgboost.DMatrix(rows(), feature_names=names, feature_types=types, enable_categorical=True)
    stock = loaded.predict(matrix, validate_features=False).reshape(120, -1)
    assert in_units_in_the_last_place(stock, got) <= 4


MAKE17 = """
import json, numpy, pickle, sys, xgboost
rows, model, out, params = sys.argv[1:]
x = numpy.load(rows)
y = numpy.nan_to_num(x[:, 0]) + x[:, 3] % 3
params = json.loads(params)
if 'multi' in params.get('objective', ''): y = numpy.digitize(y, [0.5, 1.5])
elif 'binary' in params.get('objective', ''): y = y > 1
elif 'objective' in params: y = numpy.abs(y) + 0.1
matrix = xgboost.DMatrix(x, y)
booster = xgboost.train({'nthread': 1, 'max_depth': 3, **params}, matrix, 6)
booster.set_attr(note='kept')
if model.endswith('.pkl'): pickle.dump(booster, open(model, 'wb'), protocol=int(params.get('seed', 4)))
else: booster.save_model(model)
numpy.save(out, booster.predict(matrix, output_margin=True))
"""


@pytest.mark.parametrize("suffix", ["bin", "pkl"])
@pytest.mark.parametrize("params", [
    {"objective": "binary:logistic", "seed": 2}, {"objective": "multi:softmax", "num_class": 3, "num_parallel_tree": 2, "seed": 5},
    {"objective": "count:poisson", "max_delta_step": 0.6, "seed": 3}, {"booster": "dart", "rate_drop": 0.4, "seed": 4},
    {"booster": "gblinear", "updater": "coord_descent", "seed": 4}], ids=["logistic", "classes", "poisson", "dart", "gblinear"])
def test_files_of_1_7(tmp_path, params, suffix):
    np.save(tmp_path / "rows.npy", rows())
    model = tmp_path / f"model.{suffix}"
    done = subprocess.run([ORACLE17, "-c", MAKE17, tmp_path / "rows.npy", model, tmp_path / "margins.npy", json.dumps(params)],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    got = margins(model, tmp_path)
    assert in_units_in_the_last_place(got, np.load(tmp_path / "margins.npy").reshape(120, -1)) <= 1
    # What the file says beside the trees comes along into a new file.
    assert run("model", "convert", model, tmp_path / "new.json").returncode == 0
    learner = json.loads((tmp_path / "new.json").read_text())["learner"]
    assert learner["attributes"]["note"] == "kept"
    if "max_delta_step" in params:
        assert float(learner["objective"]["poisson_regression_param"]["max_delta_step"]) == pytest.approx(0.6)


@pytest.mark.parametrize("name", samples("*.model") + samples("*.pkl") + samples("*.txt") + samples("*.onnx"))
def test_a_cut_file_is_refused(tmp_path, name):
    whole = (SAMPLES / name).read_bytes()
    if name.startswith("lightgbm"):  # training parameters follow, which nobody reads
        whole = whole[:whole.index(b"end of trees") + len("end of trees")]
    cut = tmp_path / "cut"
    for size in (0, 1, len(whole) // 3, len(whole) // 2, len(whole) - 2):
        cut.write_bytes(whole[:size])
        done = run("model", "show", cut)
        assert done.returncode == 1 and str(cut) in done.stderr, done.stderr


def test_a_pickle_that_would_run_something_is_refused(tmp_path):
    import os
    import pickle

    class Hostile:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path}/ran",)

    hostile = tmp_path / "xgboost-model"
    for protocol in range(6):
        hostile.write_bytes(pickle.dumps(Hostile(), protocol=protocol))
        done = run("model", "show", hostile)
        assert done.returncode == 1 and ("posix system" in done.stderr or "no model file" in done.stderr), done.stderr
    assert not (tmp_path / "ran").exists()


def test_lightgbm_and_onnx_are_named(tmp_path):
    assert "LightGBM text" in run("model", "show", SAMPLES / samples("lightgbm-*.txt")[0]).stdout
    assert "ONNX" in run("model", "show", SAMPLES / samples("onnx-*.onnx")[0]).stdout
    assert as_libsvm(rows()[:1]).startswith("0:")
