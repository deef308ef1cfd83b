"""Makes mnist.pkl.gz, the file that the public MNIST notebooks start from, out of the four original IDX files.

    python examples/make_mnist_pickle.py [OUT.pkl.gz]        default: mnist.pkl.gz in the current folder

The pickle is ((train_x, train_y), (valid_x, valid_y), (test_x, test_y)): 50,000 + 10,000 + 10,000 rows, the validation
set being the last 10,000 of the 60,000 training images. Images are float32 in [0, 1) as value / 256 with shape
(rows, 784), labels int64.
"""

from __future__ import annotations

import gzip
import hashlib
import pathlib
import pickle
import sys

import numpy as np

DATA = pathlib.Path(__file__).resolve().parent / "data" / "mnist"
NUM_TRAIN_ROWS = 50_000
# MD5 of each file once decompressed, as published with the database.
MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


def read_idx(name: str) -> np.ndarray:
    """One IDX file as an array of uint8: magic 0 0 8 <dimensions>, one big-endian u32 per dimension, the values."""
    raw = gzip.decompress((DATA / f"{name}.gz").read_bytes())
    if hashlib.md5(raw).hexdigest() != MD5[name]:
        raise ValueError(f"{DATA / name}.gz is damaged: its MD5 is not the published one")
    num_dimensions = raw[3]
    shape = [int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(num_dimensions)]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * num_dimensions).reshape(shape)


def load() -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """((train_x, train_y), (valid_x, valid_y), (test_x, test_y)) as the pickle holds them."""
    train_x = read_idx("train-images-idx3-ubyte").reshape(-1, 784).astype(np.float32) / np.float32(256)
    train_y = read_idx("train-labels-idx1-ubyte").astype(np.int64)
    test_x = read_idx("t10k-images-idx3-ubyte").reshape(-1, 784).astype(np.float32) / np.float32(256)
    test_y = read_idx("t10k-labels-idx1-ubyte").astype(np.int64)
    n = NUM_TRAIN_ROWS
    return (train_x[:n], train_y[:n]), (train_x[n:], train_y[n:]), (test_x, test_y)


def write(path: pathlib.Path) -> None:
    """Writes the pickle; the same bytes each time (no time stamp in the gzip head)."""
    with open(path, "wb") as file, gzip.GzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0) as packed:
        pickle.dump(load(), packed, protocol=2)


if __name__ == "__main__":
    out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "mnist.pkl.gz")
    write(out)
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB")
