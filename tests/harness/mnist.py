"""MNIST rows for tests: small, spread over the digits, as arrays and as libsvm text the way the notebook writes it."""

from __future__ import annotations

import functools

import make_mnist_pickle
import numpy as np


@functools.cache
def splits():
    """{"train" | "validation" | "test": (images [rows x 784] f32, labels [rows] i64)}, all 70,000 rows."""
    return dict(zip(("train", "validation", "test"), make_mnist_pickle.load()))


def rows(split: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first `count` rows of a split."""
    images, labels = splits()[split]
    return images[:count], labels[:count]


@functools.cache
def _pairs() -> np.ndarray:
    """[784 x 256] texts "index:value": a pixel has one of 256 values, so every pair is made once."""
    return np.array([[f"{pixel + 1}:{level / 256}" for level in range(256)] for pixel in range(784)], dtype=object)


def libsvm(images: np.ndarray, labels: np.ndarray) -> bytes:
    """1-based libsvm with every zero written out, one line a row, no newline at the end: as the notebook does."""
    pairs, pixels = _pairs(), np.arange(784)
    levels = (images * 256).astype(np.uint8)
    return "\n".join(f"{label} " + " ".join(pairs[pixels, row]) for row, label in zip(levels, labels.tolist())).encode()


def csv(images: np.ndarray, labels: np.ndarray | None = None) -> bytes:
    """CSV, label first when labels are given (training), without labels otherwise (prediction)."""
    lines = []
    for row, image in enumerate(images.tolist()):
        cells = [repr(v) for v in image]
        lines.append(",".join(cells if labels is None else [str(int(labels[row])), *cells]))
    return "\n".join(lines).encode()
