"""Every form of data against stock xgboost: ours trains from the files, stock from the arrays they stand for; the same trees."""

from __future__ import annotations

import gzip
import io
import os
import subprocess

import numpy as np
import pandas
import pyarrow
import pyarrow.parquet
import pytest
import sagemaker.amazon.common
import scipy.sparse
import xgboost
from harness import training
from harness.parity import assert_same_paths

CSV, PARQUET, RECORDIO = "text/csv", "application/x-parquet", "application/x-recordio-protobuf"
HYPERPARAMETERS = {"objective": "reg:squarederror", "num_round": "4", "max_depth": "4"}


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(values with NaN for missing, labels, weights)"""
    rng = np.random.default_rng(11)
    values = rng.integers(0, 60, (420, 5)).astype(np.float32) / 4
    labels = np.round(values[:, 0] - 0.5 * values[:, 2] + rng.normal(0, 0.5, 420), 3).astype(np.float32)
    values[rng.random(values.shape) < 0.2] = np.nan
    return values, labels, rng.choice(np.array([0.5, 1, 2.5], np.float32), 420)


def ours(tmp_path, files, *, content_type="text/libsvm", **hyperparameters) -> xgboost.Booster:
    root = training.write_root(tmp_path / "job", {**HYPERPARAMETERS, **hyperparameters}, {"train": files},
                               content_type=content_type)
    done = training.run(root)
    assert done.code == 0, done.log
    return xgboost.Booster(model_file=str(done.model.rename(tmp_path / "model.ubj")))


def stock(values, labels, **more) -> xgboost.Booster:
    parameters = {"tree_method": "hist", "max_depth": 4, "nthread": 1, "objective": more.pop("objective", "reg:squarederror")}
    return xgboost.train(parameters, xgboost.DMatrix(values, labels, nthread=1, **more), 4)


def csv(values, labels, delimiter=",", weights=None, missing="", quote="") -> str:
    lines = []
    for row, label in enumerate(labels):
        cells = [repr(float(label)), *([] if weights is None else [repr(float(weights[row]))]),
                 *(missing if np.isnan(v) else f"{quote}{float(v)!r}{quote}" for v in values[row])]
        lines.append(delimiter.join(cells))
    return "\n".join(lines) + "\n"


def test_libsvm_with_all_its_ornaments(data, tmp_path):
    """Comments, blank lines, CRLF, a mark of UTF-8, tabs, values left out, indices from 1 on taken as written."""
    values, labels, weights = data
    shifted = np.column_stack([np.full(len(values), np.nan, np.float32), values])
    lines = training.libsvm(shifted, labels, weights).splitlines()
    lines = [line.replace(" ", "\t", 1) + ("  # a note 9:9" if n % 7 == 0 else "") for n, line in enumerate(lines)]
    lines = [line.replace(" 3:1.0", " 3") for line in lines]  # no value: 1
    text = "\ufeff# a head\r\n\r\n" + "\r\n".join(lines)
    assert_same_paths(ours(tmp_path, {"part": text}), stock(shifted, labels, weight=weights))


def test_queries_with_weights(data, tmp_path):
    values, labels, _ = data
    relevance = np.digitize(labels, np.quantile(labels, [0.5, 0.8]))
    queries = np.arange(len(labels)) // 7
    weights = np.random.default_rng(3).choice(np.array([0.5, 1, 3], np.float32), queries[-1] + 1)
    text = training.libsvm(values, relevance, weights[queries], queries)
    expected = stock(values, relevance, objective="rank:ndcg", qid=queries, weight=weights)
    assert_same_paths(ours(tmp_path, {"part": text}, objective="rank:ndcg"), expected)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", " "], ids=["comma", "semicolon", "tab", "bar", "blank"])
def test_csv_delimiters_are_found(data, tmp_path, delimiter):
    values, labels, _ = data
    filled = np.nan_to_num(values, nan=3.25)
    assert_same_paths(ours(tmp_path, {"part": csv(filled, labels, delimiter)}, content_type=CSV), stock(filled, labels))


@pytest.mark.parametrize(("missing", "quote"), [("", ""), ("nan", ""), ("unknown", ""), ("", '"')],
                         ids=["empty", "nan", "text", "quoted"])
def test_csv_cells(data, tmp_path, missing, quote):
    values, labels, weights = data
    text = csv(values, labels, weights=weights, missing=missing, quote=quote)
    assert_same_paths(ours(tmp_path, {"part": text}, content_type=CSV, csv_weights="1"), stock(values, labels, weight=weights))


def parquet(frame: pandas.DataFrame) -> bytes:
    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pandas(frame, preserve_index=False), out, row_group_size=100)
    return out.getvalue()


def test_parquet_with_nulls_and_categories(data, tmp_path):
    """Dictionary columns are categories, numbered by name among all files."""
    values, labels, _ = data
    names = np.array(["ash", "beech", "cedar", "elm", "fir", "oak", "yew"])
    codes = np.random.default_rng(1).integers(0, 7, len(labels))
    labels = labels + 2.0 * (codes % 3 == 0).astype(np.float32)
    frame = pandas.DataFrame(values, columns=list("abcde"))
    frame.insert(0, "y", labels)
    frame["tree"] = pandas.Categorical(names[codes], categories=names)
    files = {"one": parquet(frame[:150]), "two": parquet(frame[150:])}
    expected = stock(np.column_stack([values, codes.astype(np.float32)]), labels, feature_types=[*"qqqqq", "c"],
                     enable_categorical=True)
    assert_same_paths(ours(tmp_path, files, content_type=PARQUET), expected)


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_recordio(data, tmp_path, sparse):
    values, labels, _ = data
    out = io.BytesIO()
    if sparse:
        present = ~np.isnan(values)
        matrix = scipy.sparse.csr_matrix((values[present], np.nonzero(present)), shape=values.shape)
        sagemaker.amazon.common.write_spmatrix_to_sparse_tensor(out, matrix, labels)
    else:
        sagemaker.amazon.common.write_numpy_to_dense_tensor(out, values, labels)
    assert_same_paths(ours(tmp_path, {"part": out.getvalue()}, content_type=RECORDIO), stock(values, labels))


def test_nested_and_packed_files_of_unequal_width(data, tmp_path):
    """Folders, gzip beside plain text, an empty file, and shards that lack the last columns."""
    values, labels, _ = data
    narrow = values.copy()
    narrow[:200, 3:] = np.nan
    files = {"a/part": gzip.compress(training.libsvm(narrow[:120, :3], labels[:120]).encode()),
             "b": training.libsvm(narrow[120:200, :2], labels[120:200]), "c/d/part": training.libsvm(narrow[200:], labels[200:]),
             "e": ""}
    narrow[120:200, 2] = np.nan
    assert_same_paths(ours(tmp_path, files), stock(narrow, labels))


@pytest.mark.parametrize("second", ["narrow", "empty"])
def test_two_instances(data, tmp_path, second):
    """Instances with shards of other widths, or with none: the trees of stock on all rows."""
    values, labels, _ = data
    wide = values.copy()
    shares = [{"part": training.libsvm(values, labels)}, {}]
    if second == "narrow":
        wide[250:, 2:] = np.nan
        shares = [{"part-0": training.libsvm(wide[:250], labels[:250])},
                  {"part-1": training.libsvm(wide[250:, :2], labels[250:])}]
    roots = [training.write_root(tmp_path / f"algo-{n}", HYPERPARAMETERS, {"train": files}, hosts=("algo-1", "algo-2"),
                                 host=f"algo-{n}") for n, files in enumerate(shares, 1)]
    done = subprocess.run(training.mpirun(roots, threads=1), capture_output=True, text=True, timeout=100,
                          env={**os.environ, **training.MPI_ENVIRONMENT})
    assert done.returncode == 0, done.stdout + done.stderr
    booster = xgboost.Booster(model_file=str((roots[0] / "model/xgboost-model").rename(tmp_path / "model.ubj")))
    assert_same_paths(booster, stock(wide, labels))
