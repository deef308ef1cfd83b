"""`espalier predict` and `espalier model` as a test calls them, rows as text, and how far two float32 arrays are apart."""

from __future__ import annotations

import pathlib
import subprocess

import numpy as np

from harness.server import build_folder

PROGRAM = build_folder() / "bin" / "espalier"
MISSING = np.float32(np.nan)


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(PROGRAM), *map(str, arguments)], capture_output=True, text=True, timeout=120)


def predict(model: pathlib.Path, data: pathlib.Path, *more: str) -> np.ndarray:
    done = run("predict", "--model", model, "--data", data, *more)
    assert done.returncode == 0, done.stderr
    rows = [[float(value) for value in line.split(",")] for line in done.stdout.splitlines()]
    return np.array(rows, np.float32)


def as_libsvm(features: np.ndarray, labels=None, first_index: int = 0) -> str:
    lines = []
    for number, row in enumerate(features):
        cells = [] if labels is None else [repr(float(labels[number]))]
        cells += [f"{i + first_index}:{value!r}" for i, value in enumerate(row.tolist()) if not np.isnan(value)]
        lines.append(" ".join(cells) if cells else "0")
    return "\n".join(lines) + "\n"


def as_csv(features: np.ndarray) -> str:
    return "".join(",".join("" if np.isnan(v) else repr(v) for v in row) + "\n" for row in features.tolist())


def in_units_in_the_last_place(a: np.ndarray, b: np.ndarray) -> int:
    """The largest distance of two float32 arrays, counted in representable numbers."""
    def ordered(values):
        bits = values.view(np.int32).astype(np.int64)
        return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)

    a, b = np.ascontiguousarray(a, np.float32), np.ascontiguousarray(b, np.float32)
    assert a.shape == b.shape
    return int(np.abs(ordered(a) - ordered(b)).max(initial=0))


def make_features(kind: str, rows: int) -> np.ndarray:
    rng = np.random.default_rng(len(kind))
    if kind == "dense":
        return rng.normal(size=(rows, 8)).astype(np.float32)
    if kind == "missing":
        features = rng.normal(size=(rows, 8)).astype(np.float32)
        features[rng.random(features.shape) < 0.3] = MISSING
        return features
    if kind == "zeros":  # explicit zeros are present
        features = rng.integers(0, 4, size=(rows, 8)).astype(np.float32)
        features[rng.random(features.shape) < 0.2] = MISSING
        return features
    assert kind == "sparse"
    features = np.full((rows, 300), MISSING, np.float32)
    features[rng.random(features.shape) < 0.03] = 1
    features[:, 7] = rng.normal(size=rows)
    return features
