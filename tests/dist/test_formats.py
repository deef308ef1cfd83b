"""Training from RecordIO-protobuf and Parquet, as files and through a pipe: the model of the same rows as text, byte for byte."""

from __future__ import annotations

import decimal
import gzip
import io
import json
import os
import shutil
import subprocess
import threading

import numpy as np
import pandas
import pyarrow
import pyarrow.parquet
import pytest
import sagemaker.amazon.common
import scipy.sparse
from harness import training
from harness.server import program

HYPERPARAMETERS = {"objective": "reg:squarederror", "num_round": "4", "max_depth": "4"}
RECORDIO = "application/x-recordio-protobuf"
PARQUET = "application/x-parquet"


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(5)
    values = random.normal(size=(600, 6)).astype(np.float32)
    values[random.random(values.shape) < 0.2] = np.nan
    labels = (np.nan_to_num(values[:, 0]) - 2 * np.nan_to_num(values[:, 3])).astype(np.float32)
    return values, labels


@pytest.fixture(scope="module")
def text_model(rows, tmp_path_factory) -> bytes:
    values, labels = rows
    root = training.write_root(tmp_path_factory.mktemp("text") / "job", HYPERPARAMETERS,
                               {"train": {"part-0": training.libsvm(values, labels)}})
    done = training.run(root)
    assert done.code == 0, done.log
    return done.model.read_bytes()


def dense_recordio(values, labels) -> bytes:
    out = io.BytesIO()
    sagemaker.amazon.common.write_numpy_to_dense_tensor(out, values, labels)
    return out.getvalue()


def sparse_recordio(values, labels) -> bytes:
    """Without missing values in the form of the SDK's writer: what is stored is present."""
    out = io.BytesIO()
    present = ~np.isnan(values)
    matrix = scipy.sparse.csr_matrix((values[present], np.nonzero(present)), shape=values.shape)
    sagemaker.amazon.common.write_spmatrix_to_sparse_tensor(out, matrix, labels)
    return out.getvalue()


def parquet(values, labels, **types) -> bytes:
    frame = pandas.DataFrame(values, columns=[f"x{i}" for i in range(values.shape[1])])
    frame.insert(0, "y", labels)
    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pandas(frame.astype(types), preserve_index=False), out,
                                row_group_size=100)
    return out.getvalue()


def in_two(write, values, labels) -> dict[str, bytes]:
    return {"a": write(values[:250], labels[:250]), "b/c": write(values[250:], labels[250:])}


@pytest.mark.parametrize("content_type, write", [(RECORDIO, dense_recordio), (RECORDIO, sparse_recordio), (PARQUET, parquet)],
                         ids=["dense recordio", "sparse recordio", "parquet"])
def test_same_model_as_text(rows, text_model, tmp_path, content_type, write):
    root = training.write_root(tmp_path / "job", HYPERPARAMETERS, {"train": in_two(write, *rows)}, content_type=content_type)
    done = training.run(root)
    assert done.code == 0, done.log
    assert done.model.read_bytes() == text_model


def test_gzip_is_undone(rows, text_model, tmp_path):
    files = {name: gzip.compress(data) for name, data in in_two(dense_recordio, *rows).items()}
    done = training.run(training.write_root(tmp_path / "job", HYPERPARAMETERS, {"train": files}, content_type=RECORDIO))
    assert done.code == 0, done.log
    assert done.model.read_bytes() == text_model


def test_parquet_numbers_of_every_kind(tmp_path):
    whole = np.arange(200)
    table = pyarrow.table({
        "y": pyarrow.array(whole % 7, pyarrow.int8()), "a": pyarrow.array(whole, pyarrow.uint16()),
        "b": pyarrow.array((whole % 3 == 0).tolist()), "c": pyarrow.array(whole / 4, pyarrow.float64()),
        "d": pyarrow.array((whole % 11).astype(np.float16)), "e": pyarrow.array([None, 5] * 100, pyarrow.int64()),
        "f": pyarrow.array([decimal.Decimal(int(i)) / 4 for i in whole], pyarrow.decimal128(9, 2)),
    })
    out = io.BytesIO()
    pyarrow.parquet.write_table(table, out)
    values = np.column_stack([whole, whole % 3 == 0, whole / 4, whole % 11, np.tile([np.nan, 5], 100), whole / 4])
    models = []
    for content_type, data in (("libsvm", training.libsvm(values, whole % 7)), (PARQUET, out.getvalue())):
        root = training.write_root(tmp_path / content_type[-7:], HYPERPARAMETERS, {"train": {"part-0": data}},
                                   content_type=content_type)
        done = training.run(root)
        assert done.code == 0, done.log
        models.append(done.model.read_bytes())
    assert models[0] == models[1]


def test_a_program_without_its_parquet_reader_says_so_and_is_not_started_again(rows, tmp_path):
    """Exit code 75 would mean that another attempt may go well."""
    alone = tmp_path / "bin" / "espalier-train"
    alone.parent.mkdir()
    shutil.copy(program("espalier-train"), alone)
    root = training.write_root(tmp_path / "job", HYPERPARAMETERS, {"train": in_two(parquet, *rows)}, content_type=PARQUET)
    done = subprocess.run([alone, *training.command(root)[1:]], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1, done.stderr
    failure = (root / "output/failure").read_text()
    assert failure.startswith("AlgorithmError: ") and "cannot read Parquet" in failure and "convert the data to text/csv" in failure


def parquet_of(**columns) -> bytes:
    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), out)
    return out.getvalue()


GOOD_PARQUET = parquet_of(y=[0.0, 1.0], x=[1.0, 2.0])
MISTAKES = {
    "text column": (PARQUET, {"a": parquet_of(y=[0.0], name=["ann"])}, ["train/a", "column 'name'", "astype('category')"]),
    "other columns": (PARQUET, {"a": GOOD_PARQUET, "b": parquet_of(y=[1.0], z=[1.0])}, ["train/b", "'z' instead of 'x'"]),
    "missing label": (PARQUET, {"a": parquet_of(y=[0.0, None], x=[1.0, 2.0])}, ["train/a, row 2, column 'y'", "label"]),
    "infinite": (PARQUET, {"a": parquet_of(y=[0.0], x=[float("inf")])}, ["train/a, row 1, column 'x'", "infinite"]),
    "no parquet": (PARQUET, {"a": b"0,1\n"}, ["Failed to load parquet data with exception", "train/a"]),
    "cut parquet": (PARQUET, {"a": GOOD_PARQUET[:-9]}, ["Failed to load parquet data with exception", "train/a"]),
    "no recordio": (RECORDIO, {"a": b"0,1\n1,1,1\n"}, ["train/a, record 1 (byte 0)", "no RecordIO frame"]),
    "no label": (RECORDIO, {"a": dense_recordio(np.ones((2, 2), np.float32), None)},
                 ["train/a, record 1", "Got input data without labels"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_told(tmp_path, mistake):
    content_type, files, pieces = MISTAKES[mistake]
    done = training.run(training.write_root(tmp_path / "job", HYPERPARAMETERS, {"train": files}, content_type=content_type))
    assert done.code != 0
    assert done.failure.startswith("AlgorithmError: framework error: \n")
    for piece in pieces:
        assert piece in done.failure


def run_through_pipe(root, data: bytes, image_uri: str) -> training.Finished:
    config = root / "input" / "config" / "inputdataconfig.json"
    channels = json.loads(config.read_text())
    channels["train"]["TrainingInputMode"] = "Pipe"
    config.write_text(json.dumps(channels))
    pipe = root / "input" / "data" / "train_0"
    os.mkfifo(pipe)
    process = subprocess.Popen(training.command(root, image_uri=image_uri), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True)
    writer = threading.Thread(target=lambda: pipe.write_bytes(data), daemon=True)
    writer.start()
    log, _ = process.communicate(timeout=training.TRAIN_SECONDS_MAX)
    return training.Finished(root, process.returncode, log)


@pytest.mark.parametrize("content_type, write", [(RECORDIO, dense_recordio), (PARQUET, parquet)], ids=["recordio", "parquet"])
def test_pipe_mode(rows, tmp_path, content_type, write):
    models = []
    for folder in ("file", "pipe"):
        root = training.write_root(tmp_path / folder, HYPERPARAMETERS,
                                   {"train": {"a": write(*rows)} if folder == "file" else {}}, content_type=content_type)
        image_uri = training.image("1.7-1")
        done = training.run(root, image_uri=image_uri) if folder == "file" else run_through_pipe(root, write(*rows), image_uri)
        assert done.code == 0, done.log
        models.append(done.model.read_bytes())
    assert models[0] == models[1]


@pytest.mark.parametrize("tag, content_type, text", [
    ("1", "text/csv", "Pipe input mode for SageMaker XGBoost is not supported."),
    ("1.7-1", "text/libsvm", "Pipe mode not supported for LibSVM."),
    ("3.2-0", "text/csv", "Pipe mode for CSV is no longer supported. Please use Fast File mode (default) instead."),
    ("3.2-0", PARQUET, "Pipe mode for Parquet is no longer supported."),
])
def test_pipe_mode_is_refused_as_the_image_does(tmp_path, tag, content_type, text):
    root = training.write_root(tmp_path / "job", HYPERPARAMETERS | {"objective": "reg:linear"}, {"train": {}},
                               content_type=content_type)
    config = root / "input" / "config" / "inputdataconfig.json"
    config.write_text(json.dumps({"train": {"TrainingInputMode": "Pipe", "ContentType": content_type}}))
    done = training.run(root, image_uri=training.image(tag))
    assert done.code != 0 and text in done.failure


def test_the_command_agrees_on_categories_too(tmp_path):
    """`espalier train` over two files whose dictionaries differ, as one instance and as two: the job's model."""
    random = np.random.default_rng(9)
    files = {}
    for part, letters in enumerate(("xy", "zyw")):
        letter = random.choice(list(letters), 300)
        number = random.normal(size=300).astype(np.float32)
        frame = pandas.DataFrame({"y": ((number > 0) ^ (letter == "y")).astype(np.float32), "n": number,
                                  "l": pandas.Categorical(letter)})
        files[f"part-{part}"] = frame.to_parquet()
    hyperparameters = {"objective": "binary:logistic", "num_round": "3", "max_depth": "3"}
    job = training.run(training.write_root(tmp_path / "job", hyperparameters, {"train": files}, content_type=PARQUET))
    assert job.code == 0, job.log
    for instances in (1, 2):
        model = tmp_path / f"model-{instances}.ubj"
        command = [str(program("espalier")), "train", "--train", str(tmp_path / "job" / "input" / "data" / "train"), "--content-type",
                   "parquet", "--instances", str(instances), "--model", str(model)]
        done = subprocess.run([*command, *(f"{k}={v}" for k, v in hyperparameters.items())], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert model.read_bytes() == job.model.read_bytes()
