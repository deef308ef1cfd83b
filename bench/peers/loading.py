"""Text to bins, as far as each peer goes before its first boosting round."""

import time
from pathlib import Path


def _xgboost(uri, threads):
    import xgboost

    started = time.perf_counter()
    matrix = xgboost.DMatrix(uri, nthread=threads)
    parsed = time.perf_counter() - started
    binned = xgboost.QuantileDMatrix(matrix.get_data(), matrix.get_label(), nthread=threads)
    return {"seconds": time.perf_counter() - started, "parse_seconds": parsed, "rows": binned.num_row()}


def _lightgbm(path, threads):
    import lightgbm

    started = time.perf_counter()
    data = lightgbm.Dataset(str(path), params={"num_threads": threads, "verbose": -1, "max_bin": 255}).construct()
    return {"seconds": time.perf_counter() - started, "rows": data.num_data()}


def load_libsvm(peer, threads, folder, joined):
    """`folder` of part files for those that take one, `joined` the same as one file."""
    return _xgboost(f"{folder}?format=libsvm", threads) if peer == "xgboost" else _lightgbm(joined, threads)


def load_csv(peer, threads, path):
    assert Path(path).exists()
    return _xgboost(f"{path}?format=csv&label_column=0", threads) if peer == "xgboost" else _lightgbm(path, threads)
