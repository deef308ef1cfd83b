"""A training instance alone: its log lines, its exit code, and the catalogue of users' mistakes."""

from __future__ import annotations

import re
import subprocess

import numpy as np
import pytest
import xgboost
from harness import training

GOOD = "".join(f"{i % 2} 0:{i % 7} 1:{i % 5}.5\n" for i in range(60))
HYPERPARAMETERS = {"objective": "binary:logistic", "num_round": "3"}
MULTI = {"objective": "multi:softmax", "num_class": "2", "num_round": "3"}
LEGACY = training.LEGACY_IMAGE


def train(tmp_path, hyperparameters, channels, *, content_type="text/libsvm", **flags) -> training.Finished:
    return training.run(training.write_root(tmp_path / "job", hyperparameters, channels, content_type=content_type), **flags)


def without(name: str) -> dict:
    return {key: value for key, value in MULTI.items() if key != name}


# (hyperparameters, train files, content type, image, pieces of the reason)
MISTAKES = {
    "malformed libsvm": (HYPERPARAMETERS, {"part-0": GOOD + "1 0:1 x3:2\n"}, "libsvm", None,
                         ["train/part-0", "line 61", "column"]),
    "label out of range": (MULTI, {"part-0": GOOD, "part-1": GOOD + "# note\n\n5 0:1\n"}, "libsvm", None,
                           ["train/part-1, line 63, column 1", "label 5", "num_class to at least 6"]),
    "label out of range for logistic": (HYPERPARAMETERS, {"part-0": GOOD + "3 0:1\n"}, "libsvm", None,
                                        ["train/part-0, line 61, column 1", "label 3", "in [0,1]"]),
    "label out of range in csv": (MULTI, {"part-0": "0,1,2\n1,2,3\n9,4,5\n"}, "text/csv", None,
                                  ["train/part-0, line 3, column 1", "first column is the label"]),
    "missing num_class": (without("num_class"), {"part-0": GOOD}, "libsvm", None,
                          ["Require input for parameter 'num_class' for multi-classification"]),
    "missing num_class, oldest image": (without("num_class"), {"part-0": GOOD}, "libsvm", LEGACY,
                                        ["Require input for parameter 'num_class' for multi classification."]),
    "missing num_round": (without("num_round"), {"part-0": GOOD}, "libsvm", None,
                          ["Missing required hyperparameter: num_round"]),
    "unknown hyperparameter": (HYPERPARAMETERS | {"max_dpeth": "3"}, {"part-0": GOOD}, "libsvm", None,
                               ["Extraneous hyperparameter found: max_dpeth"]),
    "not trained yet": (HYPERPARAMETERS | {"use_dask_gpu_training": "true"}, {"part-0": GOOD}, "libsvm", None,
                        ["use_dask_gpu_training", "not implemented", "CPU"]),
    "empty channel": (HYPERPARAMETERS, {}, "libsvm", None, ["No data in training channel path", "input/data/train"]),
    "hidden file": (HYPERPARAMETERS, {"part-0": GOOD, ".DS_Store": "x"}, "libsvm", None, ["Hidden file found"]),
    "csv called libsvm": (HYPERPARAMETERS, {"part-0": "1,2,3\n0,3,4\n"}, "libsvm", None, ["train/part-0", "line 1"]),
    "header in csv": (HYPERPARAMETERS, {"part-0": "label,a,b\n1,2,3\n"}, "text/csv", None, ["train/part-0", "header"]),
    "unknown content type": (HYPERPARAMETERS, {"part-0": GOOD}, "image/png", None,
                             ["image/png is not an accepted ContentType"]),
    "inconsistent weights": (HYPERPARAMETERS, {"part-0": "1:2 0:1\n0 0:2\n"}, "libsvm", None, ["weight"]),
    "infinite value": (HYPERPARAMETERS, {"part-0": GOOD + "1 0:inf\n"}, "libsvm", None, ["train/part-0", "line 61"]),
    "impossible base_score": (HYPERPARAMETERS | {"base_score": "1.5"}, {"part-0": GOOD}, "libsvm", None, ["(0,1)"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_told(tmp_path, mistake):
    hyperparameters, files, content_type, image, pieces = MISTAKES[mistake]
    finished = train(tmp_path, hyperparameters, {"train": files}, content_type=content_type,
                     image_uri=image or training.MODERN_IMAGE)
    assert finished.code == 1
    begin = "ClientError: " if image == LEGACY else "AlgorithmError: framework error: \n"
    assert finished.failure.startswith(begin) and len(finished.failure) <= 1024
    for piece in pieces:
        assert piece in finished.failure, finished.failure
    assert finished.failure in finished.log
    assert not finished.model.exists()


def test_more_features_in_validation_are_refused(tmp_path):
    finished = train(tmp_path, HYPERPARAMETERS, {"train": {"a": GOOD}, "validation": {"a": "1 5:2\n"}})
    assert finished.code == 1
    assert "mismatched between training and validation" in finished.failure and "up to 5" in finished.failure


def test_an_extraneous_channel_is_refused(tmp_path):
    finished = train(tmp_path, HYPERPARAMETERS, {"train": {"a": GOOD}, "test": {"a": GOOD}})
    assert "Extraneous channel found: test" in finished.failure


def test_the_oldest_image_ignores_unknown_names_aloud(tmp_path):
    finished = train(tmp_path, HYPERPARAMETERS | {"max_bin": "16"}, {"train": {"a": GOOD}}, image_uri=LEGACY)
    assert finished.code == 0, finished.log
    assert re.search(r"WARNING\] Hyperparameter 'max_bin' is not known to this image and is ignored", finished.log)


def test_the_legacy_log(tmp_path):
    finished = train(tmp_path, MULTI | {"silent": "0"}, {"train": {"a": GOOD}, "validation": {"a": GOOD}},
                     image_uri=LEGACY)
    lines = finished.log.splitlines()
    assert lines[0] == "Arguments: train"
    assert re.fullmatch(r"\[\d{4}-\d\d-\d\d:\d\d:\d\d:\d\d:INFO\] Running standalone xgboost training\.", lines[1])
    assert any(re.fullmatch(r"\[\d\d:\d\d:\d\d\] 60x2 matrix with 120 entries loaded from .*/input/data/train", line)
               for line in lines)
    assert re.search(r"^\[2\]\ttrain-merror:0(\.\d+)?\tvalidation-merror:0(\.\d+)?$", finished.log, re.MULTILINE)
    assert sum("tree" in line and "extra nodes" in line for line in lines) == 6
    assert "pruning" not in finished.log, "nothing is pruned here"


def test_silent_is_silent_about_trees(tmp_path):
    finished = train(tmp_path, MULTI | {"silent": "1"}, {"train": {"a": GOOD}}, image_uri=LEGACY)
    assert "extra nodes" not in finished.log and "[2]\ttrain-merror" in finished.log


def test_the_modern_log_and_number_format(tmp_path):
    finished = train(tmp_path, HYPERPARAMETERS, {"train": {"a": GOOD}, "validation": {"a": GOOD}})
    assert "Single node training." in finished.log
    assert "Train matrix has 60 rows and 2 columns" in finished.log
    assert "Validation matrix has 60 rows" in finished.log
    assert re.search(r"^\[2\]\ttrain-logloss:0\.\d{5}\tvalidation-logloss:0\.\d{5}$", finished.log, re.MULTILINE)


def test_default_metric_and_base_score_follow_the_image(tmp_path):
    for tag, metric, base in (("1.2-2", "error", 0.5), ("1.7-1", "logloss", 0.5), ("3.2-0", "logloss", 1 / 6)):
        text = "".join(f"{int(i % 6 == 0)} 0:{i % 7}\n" for i in range(60))
        root = tmp_path / tag
        finished = train(root, HYPERPARAMETERS, {"train": {"a": text}}, image_uri=training.image(tag))
        assert f"train-{metric}:" in finished.log
        booster = xgboost.Booster(model_file=str(finished.model.rename(root / "model.ubj")))
        config = __import__("json").loads(booster.save_config())
        shown = config["learner"]["learner_model_param"]["base_score"].strip("[]")
        assert float(shown) == pytest.approx(base, rel=1e-5)


def test_early_stopping_keeps_the_best_rounds(tmp_path):
    rng = np.random.default_rng(2)
    values, labels = rng.random((200, 3)), (rng.random(200) > 0.5).astype(float)
    files = {"train": {"a": training.libsvm(values[:100], labels[:100])},
             "validation": {"a": training.libsvm(values[100:], labels[100:])}}
    finished = train(tmp_path, HYPERPARAMETERS | {"num_round": "200", "early_stopping_rounds": "4",
                                                 "eval_metric": "logloss"}, files)
    assert finished.code == 0 and "Stopping. Best iteration:" in finished.log
    history = [metrics["validation-logloss"] for metrics in finished.metrics]
    booster = xgboost.Booster(model_file=str(finished.model.rename(tmp_path / "model.ubj")))
    assert booster.num_boosted_rounds() == booster.best_iteration + 1
    assert history[booster.best_iteration] == min(history)
    assert len(history) == booster.best_iteration + 5


def test_csv_with_weights(tmp_path):
    lines = [f"{i % 2},{1 + i % 3},{i % 7},{'' if i % 4 == 0 else i % 5}" for i in range(80)]
    finished = train(tmp_path, HYPERPARAMETERS | {"csv_weights": "1"}, {"train": {"a": "\n".join(lines)}},
                     content_type="text/csv")
    assert finished.code == 0, finished.log
    assert "Determined delimiter of CSV input is ','" in finished.log
    cells = np.array([[float(c) if c else np.nan for c in line.split(",")] for line in lines], dtype=np.float32)
    matrix = xgboost.DMatrix(cells[:, 2:], cells[:, 0], weight=cells[:, 1])
    stock = xgboost.train({"objective": "binary:logistic", "tree_method": "hist"}, matrix, 3)
    booster = xgboost.Booster(model_file=str(finished.model.rename(tmp_path / "model.ubj")))
    np.testing.assert_allclose(booster.predict(matrix), stock.predict(matrix), rtol=1e-5)


def test_out_of_memory_is_told(tmp_path):
    """Under a limit of address space the instance ends with the reason, not with a core dump."""
    root = training.write_root(tmp_path / "job", MULTI | {"num_class": "9000"}, {"train": {"a": GOOD * 3000}})
    limited = ["bash", "-c", 'ulimit -v 600000; exec "$@"', "bash", *training.command(root, threads=1)]
    done = subprocess.run(limited, capture_output=True, text=True, timeout=training.TRAIN_SECONDS_MAX)
    finished = training.Finished(root, done.returncode, done.stdout + done.stderr)
    assert finished.code == 1
    assert finished.failure.startswith("ClientError: Out of Memory.")


def test_an_image_that_is_none_is_refused(tmp_path):
    finished = train(tmp_path, HYPERPARAMETERS, {"train": {"a": GOOD}}, image_uri="example.com/my-image:7")
    assert finished.code == 1 and "my-image" in finished.failure
