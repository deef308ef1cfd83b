"""Data sets of the parity suite: shapes nobody tuned the engine to, each with labels of every kind an objective takes.

A data set is feature values (NaN: missing; or scipy rows) and a signal that follows from them; LABELS makes labels of a
kind out of a signal. Nothing is downloaded: rows are drawn from fixed seeds or come with scikit-learn.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
import scipy.sparse
import sklearn.datasets

Values = np.ndarray | scipy.sparse.csr_matrix


@dataclasses.dataclass(frozen=True)
class Rows:
    """One channel's rows."""

    values: Values
    labels: np.ndarray
    weights: np.ndarray | None = None
    queries: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Shape:
    values: Values
    signal: np.ndarray
    weights: np.ndarray | None = None
    query_size: int = 12
    rounds: int = 5
    feature_types: tuple[str, ...] = ()  # q: a number, c: the number of a category; empty: all are numbers


def _signal(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A few columns, one step, one product and noise; mean 0, deviation 1."""
    filled = np.nan_to_num(values.astype(np.float64))
    spread = filled.std(axis=0)
    scaled = (filled - filled.mean(axis=0)) / np.where(spread > 0, spread, 1)
    columns = scaled[:, np.argsort(-spread, kind="stable")[:4]]
    signal = columns[:, 0] + 0.8 * (columns[:, 1 % columns.shape[1]] > 0.3)
    signal = signal + 0.5 * columns[:, 2 % columns.shape[1]] * columns[:, 3 % columns.shape[1]]
    signal = signal + rng.normal(0, 0.3, len(signal))
    return (signal - signal.mean()) / max(signal.std(), 1e-9)


def _mushrooms(rng):
    """Agaricus-shaped: 22 attributes as 126 columns of 1, everything else missing."""
    sizes = rng.integers(2, 10, 22)
    codes = np.stack([rng.integers(0, size, 900) for size in sizes], axis=1)
    values = np.full((900, 1 + int(sizes.sum())), np.nan, np.float32)
    offsets = 1 + np.concatenate([[0], np.cumsum(sizes)[:-1]])
    for row, code in enumerate(codes):
        values[row, offsets + code] = 1
    signal = 0.9 * (codes[:, 0] == 1) - 0.7 * (codes[:, 3] == 0) + 0.4 * codes[:, 5] + rng.normal(0, 0.2, 900)
    return Shape(values, (signal - signal.mean()) / signal.std())


def _codes(rng):
    values = np.stack([rng.integers(0, size, 800) for size in (2, 3, 5, 9, 12, 30)], axis=1).astype(np.float32)
    return Shape(values, _signal(values, rng))


def _abalone(rng):
    """Abalone-shaped: eight measures that rise together, in steps of 0.005."""
    size = rng.gamma(6, 0.09, 1200)
    values = np.stack([size * factor * rng.normal(1, 0.08, 1200) for factor in (1, 0.8, 0.3, 1.6, 0.7, 0.35, 0.5)], 1)
    values = np.round(values / 0.005) * 0.005
    values = np.concatenate([rng.integers(0, 3, (1200, 1)), values], axis=1).astype(np.float32)
    return Shape(values, _signal(values, rng))


def _bundled(loader, rounds=5):
    def make(rng):
        values, target = loader(return_X_y=True)
        order = rng.permutation(len(target))
        values, target = values[order].astype(np.float32), target[order].astype(np.float64)
        return Shape(values, (target - target.mean()) / target.std() + rng.normal(0, 0.05, len(target)), rounds=rounds)
    return make


def _sparse_text(rng):
    """20,000 texts over 100,000 words, about 20 words each, Zipf-distributed counts."""
    rows, columns = 20_000, 100_000
    words = np.minimum((rng.pareto(0.6, rows * 20) * 20).astype(np.int64), columns - 1)
    text = np.repeat(np.arange(rows), 20)
    counts = scipy.sparse.coo_matrix((np.ones(len(words), np.float32), (text, words)), shape=(rows, columns)).tocsr()
    counts.sum_duplicates()
    dense = np.asarray(counts[:, :6].todense(), dtype=np.float32)
    return Shape(counts, _signal(dense, rng), rounds=3)


def _wide(rng):
    values = rng.integers(0, 20, (120, 2500)).astype(np.float32)
    return Shape(values, _signal(values[:, :5], rng), query_size=10)


def _grid(rng, rows=700, columns=7):
    return rng.integers(0, 40, (rows, columns)).astype(np.float32)


def _constant(rng):
    values = _grid(rng)
    values[:, 0] = 4
    values[:, 3] = np.where(rng.random(700) < 0.5, -2, np.nan)
    return Shape(values, _signal(values, rng))


def _missing(rng):
    values = _grid(rng)
    values[:, 2] = np.nan
    values[:, 4] = np.nan
    values[rng.random(values.shape) < 0.25] = np.nan
    return Shape(values, _signal(values, rng))


def _duplicates(rng):
    values = np.repeat(_grid(rng, 90), 8, axis=0)
    values[:, 5] = values[:, 1]
    return Shape(values, _signal(values, rng))


def _extreme(rng):
    """Values up to the ends of float32, tiny ones, and both signs."""
    values = rng.choice(np.array([-3e38, -1e30, -1.5, -1e-38, 0, 1e-45, 1e-38, 1e-20, 2.5, 1e20, 3e38], np.float32),
                        (600, 5))
    ranked = np.argsort(np.argsort(values, axis=0, kind="stable"), axis=0, kind="stable").astype(np.float32)
    return Shape(values, _signal(ranked, rng))


def _weights(rng):
    values = _grid(rng)
    weights = np.repeat(rng.choice(np.array([0.25, 0.5, 1.0, 2.0, 5.5], np.float32), 175), 4)
    return Shape(values, _signal(values, rng), weights=weights, query_size=4)


def _tiny(rng):
    values = rng.integers(0, 4, (12, 3)).astype(np.float32)
    return Shape(values, _signal(values, rng), query_size=3)


def _continuous(rng, rows=2400, rounds=5):
    """More distinct values than bins, few enough that hist's cut points are stock's to the last."""
    values = rng.normal(0, 3, (rows, 6)).astype(np.float32)
    return Shape(values, _signal(values, rng), rounds=rounds)


def _large(rng):
    """Beyond what stock's queue of values holds, so hist's cut points differ, and so many rows that sums are packed."""
    return _continuous(rng, rows=28_000)


def _skewed(rng):
    """Long tails, few distinct values in some columns, many in others, a third missing."""
    values = np.stack([np.round(rng.lognormal(0, 1.5, 9000), 2), rng.pareto(1.2, 9000), rng.poisson(2, 9000),
                       np.round(rng.exponential(40, 9000)), rng.normal(0, 1, 9000)], axis=1).astype(np.float32)
    signal = _signal(np.log1p(np.abs(values)), rng)
    values[rng.random(values.shape) < 0.3] = np.nan
    return Shape(values, signal)


def _categories(rng):
    """Categories few and many, some of them rare or missing, beside numbers."""
    sizes = (3, 9, 40)
    codes = [np.minimum(rng.geometric(2.5 / size, 1500) - 1, size - 1) for size in sizes]
    values = np.stack([*codes, rng.integers(0, 50, 1500), rng.normal(0, 1, 1500).round(1)], axis=1).astype(np.float32)
    effects = [rng.normal(0, 1, size)[code] for size, code in zip(sizes, codes)]
    signal = effects[0] + effects[1] + 1.5 * effects[2] + 0.02 * values[:, 3] + rng.normal(0, 0.3, 1500)
    values[rng.random(values.shape) < 0.08] = np.nan
    return Shape(values, (signal - signal.mean()) / signal.std(), feature_types=("c", "c", "c", "q", "q"))


SHAPES: dict[str, Callable[[np.random.Generator], Shape]] = {
    "mushrooms": _mushrooms,
    "codes": _codes,
    "abalone": _abalone,
    "wine": _bundled(sklearn.datasets.load_wine),
    "digits": _bundled(sklearn.datasets.load_digits, rounds=3),
    "breast-cancer": _bundled(sklearn.datasets.load_breast_cancer),
    "diabetes": _bundled(sklearn.datasets.load_diabetes),
    "sparse-text": _sparse_text,
    "wide": _wide,
    "constant-columns": _constant,
    "all-missing-columns": _missing,
    "duplicates": _duplicates,
    "extreme-values": _extreme,
    "weights": _weights,
    "tiny": _tiny,
    "continuous": _continuous,
    "large": _large,
    "skewed": _skewed,
    "categories": _categories,
}


@functools.lru_cache(maxsize=4)
def shape(name: str) -> Shape:
    return SHAPES[name](np.random.default_rng(sum(map(ord, name))))


def _censored(signal, rng):
    time = np.exp(0.5 * signal) + 0.05
    time = np.round(time, 2) + 0.01  # ties
    return np.where(rng.random(len(signal)) < 0.3, -time, time)


LABELS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "real": lambda signal, rng: 3 * signal + 1,
    "positive": lambda signal, rng: np.exp(0.6 * signal) + 0.1,
    "some zeros": lambda signal, rng: np.maximum(signal, 0) * 2,
    "count": lambda signal, rng: np.floor(np.exp(0.7 * signal)),
    "share": lambda signal, rng: 1 / (1 + np.exp(-signal)),
    "two classes": lambda signal, rng: (signal > np.median(signal)).astype(float),
    "classes": lambda signal, rng: np.digitize(signal, np.quantile(signal, [0.3, 0.6, 0.8])),
    "relevance": lambda signal, rng: np.digitize(signal, np.quantile(signal, [0.4, 0.7, 0.85, 0.95])),
    "relevant": lambda signal, rng: (signal > np.quantile(signal, 0.7)).astype(float),
    "time": _censored,
}


def split(name: str, kind: str) -> tuple[Rows, Rows]:
    """Training and validation rows: the last quarter is the latter, cut between queries."""
    made = shape(name)
    rows = len(made.signal)
    rng = np.random.default_rng(rows)
    labels = LABELS[kind](made.signal, rng).astype(np.float32)
    queries = np.arange(rows) // made.query_size
    cut = 3 * rows // 4 // made.query_size * made.query_size
    parts = []
    for part in (slice(0, cut), slice(cut, rows)):
        parts.append(Rows(made.values[part], labels[part], None if made.weights is None else made.weights[part],
                          queries[part] if kind.startswith("relevan") else None))
    return parts[0], parts[1]
