"""The data of the benchmarks, made once into .cache/bench and kept. Everything is generated from fixed seeds or MNIST.

A tabular set is a folder: train_x.npy, train_y.npy, test_x.npy, test_y.npy for the peers that take arrays, train.csv (label
first) for whoever reads text; the same float32 values in both. The sparse set has train_x.npz and test_x.npz instead, and
train.libsvm.
"""

from __future__ import annotations

import pathlib
import shutil
import sys
from collections.abc import Callable

import numpy as np

from machine import CACHE, ROOT

sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "examples")]

from harness import mnist

CHUNK_ROWS = 50_000


def _made_once(name: str, make: Callable[[pathlib.Path], None]) -> pathlib.Path:
    """.cache/bench/<name>, made in a staging folder so that an interrupted run leaves nothing half done."""
    folder = CACHE / name
    if folder.exists():
        return folder
    print(f"    making {name} ...", flush=True)
    staging = CACHE / f".{name}"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    make(staging)
    staging.rename(folder)
    return folder


def digits(num_rows: int) -> pathlib.Path:
    """The notebook's MNIST: train/, validation/, test/ of five libsvm files each, and <split>_{x,y}.npy."""

    def make(folder: pathlib.Path) -> None:
        for split, count in (("train", num_rows), ("validation", num_rows // 5), ("test", num_rows // 5)):
            images, labels = mnist.rows(split, count)
            (folder / split).mkdir()
            for part in range(5):
                rows = slice(part * len(labels) // 5, (part + 1) * len(labels) // 5)
                (folder / split / f"examples{part}").write_bytes(mnist.libsvm(images[rows], labels[rows]))
            np.save(folder / f"{split}_x.npy", images)
            np.save(folder / f"{split}_y.npy", labels)

    return _made_once(f"digits-{num_rows}", make)


def write_csv(path: pathlib.Path, labels: np.ndarray, features: np.ndarray) -> None:
    """Label first, then the features with as many digits as bring the same float32 back."""
    import pandas  # Only here: importing it takes a second.

    with path.open("w") as file:
        for begin in range(0, len(labels), CHUNK_ROWS):
            rows = slice(begin, begin + CHUNK_ROWS)
            frame = pandas.DataFrame(features[rows])
            frame.insert(0, "label", labels[rows].astype(np.int64))
            frame.to_csv(file, header=False, index=False)


def _save_tabular(folder: pathlib.Path, features: np.ndarray, labels: np.ndarray, num_train: int) -> None:
    np.save(folder / "train_x.npy", features[:num_train])
    np.save(folder / "train_y.npy", labels[:num_train])
    np.save(folder / "test_x.npy", features[num_train:])
    np.save(folder / "test_y.npy", labels[num_train:])
    write_csv(folder / "train.csv", labels[:num_train], features[:num_train])


def dense(num_rows: int) -> pathlib.Path:
    """Binary labels of a smooth function of eight of 28 normal features, with noise: no feature decides alone."""

    def make(folder: pathlib.Path) -> None:
        rng = np.random.default_rng(20261126)
        features = rng.standard_normal((num_rows + num_rows // 10, 28), dtype=np.float32)
        x = features.T
        score = 3 * np.sin(2 * x[0]) * x[1] + 2 * x[2] ** 2 - 2 * x[3] + x[4] + 2 * x[5] * x[6] + np.abs(x[7])
        noisy = score + rng.standard_normal(len(features), dtype=np.float32) * 2
        _save_tabular(folder, features, (noisy > np.median(noisy)).astype(np.float32), num_rows)

    return _made_once(f"dense-{num_rows}", make)


def covertype(num_rows: int) -> pathlib.Path:
    """Covertype's shape: ten columns of whole numbers, one of 4 and one of 40 areas as 44 columns of 0 and 1, seven classes
    of very different frequency."""

    def make(folder: pathlib.Path) -> None:
        rng = np.random.default_rng(54)
        total = num_rows + num_rows // 6
        area, soil = rng.integers(0, 4, total), (40 * rng.beta(1.2, 2.0, total)).astype(np.int64)
        height = np.clip(rng.normal(2700 + 9 * soil + 60 * area, 260), 1800, 3900).round()
        slopes = [rng.gamma(2.0, scale, total).round() for scale in (80, 7, 135, 23, 1175, 990)]
        shades = [np.clip(rng.normal(mean, 30, total), 0, 254).round() for mean in (212, 223, 142)]
        features = np.zeros((total, 54), np.float32)
        features[:, :10] = np.stack([height, *slopes, *shades], axis=1)
        features[np.arange(total), 10 + area] = 1
        features[np.arange(total), 14 + soil] = 1
        z = (height - 2900) / 280
        scores = [1.6 - (z - 0.7) ** 2, 2.0 - z**2, 1.2 - (z + 1.4) ** 2 + 0.01 * soil, -2.5 - 2 * z, -1.5 + 0.05 * np.abs(soil - 20),
                  -0.5 - z + slopes[1] / 30, -1.0 + 1.3 * z - slopes[4] / 4000]
        noise = rng.gumbel(size=(7, total)) * 0.6
        labels = (np.stack(scores) + noise).argmax(axis=0).astype(np.float32)
        _save_tabular(folder, features, labels, num_rows)

    return _made_once(f"covertype-{num_rows}", make)


def sparse(num_rows: int, num_columns: int) -> pathlib.Path:
    """Binary labels of the sum of weights of the columns present, as text in a bag of words; one entry in 1,000 is stored,
    and columns differ in how often they are."""
    import scipy.sparse

    def make(folder: pathlib.Path) -> None:
        rng = np.random.default_rng(50)
        total, per_row = num_rows + num_rows // 10, max(1, num_columns // 1000)
        columns = (num_columns * rng.beta(0.7, 1.4, (total, per_row))).astype(np.int32)
        values = rng.integers(1, 10, (total, per_row)).astype(np.float32)
        offsets = np.arange(0, total * per_row + 1, per_row)
        matrix = scipy.sparse.csr_matrix((values.ravel(), columns.ravel(), offsets), shape=(total, num_columns))
        matrix.sum_duplicates()
        weights = rng.standard_normal(num_columns) * (rng.random(num_columns) < 0.2)
        score = matrix @ weights + rng.standard_normal(total) * 4
        labels = (score > np.median(score)).astype(np.float32)
        for name, rows in (("train", slice(0, num_rows)), ("test", slice(num_rows, None))):
            scipy.sparse.save_npz(folder / f"{name}_x.npz", matrix[rows], compressed=False)
            np.save(folder / f"{name}_y.npy", labels[rows])
        write_libsvm(folder / "train.libsvm", labels[:num_rows], matrix[:num_rows])

    return _made_once(f"sparse-{num_rows}-{num_columns}", make)


def write_libsvm(path: pathlib.Path, labels: np.ndarray, matrix) -> None:
    """0-based, only what is stored."""
    with path.open("w") as file:
        for row, label in enumerate(labels):
            entries = slice(matrix.indptr[row], matrix.indptr[row + 1])
            pairs = zip(matrix.indices[entries].tolist(), matrix.data[entries].tolist())
            file.write(f"{label:.0f} " + " ".join(f"{index}:{value:g}" for index, value in pairs) + "\n")
