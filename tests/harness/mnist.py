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


def libsvm(images: np.ndarray, labels: np.ndarray) -> bytes:
    """1-based libsvm with every zero written out, one line a row, no newline at the end: as the notebook does."""
    lines = []
    for label, image in zip(labels.tolist(), images.tolist()):
        lines.append(f"{label} " + " ".join(f"{i + 1}:{v}" for i, v in enumerate(image)))
    return "\n".join(lines).encode()


def csv(images: np.ndarray, labels: np.ndarray | None = None) -> bytes:
    """CSV, label first when labels are given (training), without labels otherwise (prediction)."""
    lines = []
    for row, image in enumerate(images.tolist()):
        cells = [repr(v) for v in image]
        lines.append(",".join(cells if labels is None else [str(int(labels[row])), *cells]))
    return "\n".join(lines).encode()
