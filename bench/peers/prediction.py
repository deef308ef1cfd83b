"""Prediction by the peers: whole batches, single rows, TreeSHAP. Models are XGBoost's (JSON), except LightGBM's own."""

import time
from pathlib import Path

import numpy as np


def _best(call, repeats=7):
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return min(times)


def _quantiles(call, count=3000):
    times = []
    for _ in range(count):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    times.sort()
    return {"p50_us": 1e6 * times[count // 2], "p99_us": 1e6 * times[int(count * 0.99)]}


def _lightgbm_model(settings, rounds, train, path):
    """LightGBM cannot read XGBoost's model, so it brings one of the same size; kept beside the other."""
    import lightgbm

    if not Path(path).exists():
        data = lightgbm.Dataset(np.load(train + "_x.npy"), np.load(train + "_y.npy"), params={"verbose": -1})
        lightgbm.train({"objective": "multiclass", "num_class": settings["num_class"], "max_depth": settings["max_depth"],
                        "num_leaves": 2 ** settings["max_depth"] - 1, "learning_rate": settings["eta"], "verbose": -1},
                       data, rounds).save_model(path)
    return lightgbm.Booster(model_file=path)


def _predictor(peer, model, threads, settings, rounds, train):
    """A call rows -> classes or scores."""
    if peer == "xgboost":
        import xgboost

        booster = xgboost.Booster(model_file=model)
        booster.set_param({"nthread": threads})
        return booster.inplace_predict
    if peer == "lightgbm":
        booster = _lightgbm_model(settings, rounds, train, model + ".lightgbm")
        return lambda rows: booster.predict(rows, num_threads=threads)
    if peer == "onedal":
        import daal4py
        import xgboost

        daal4py.daalinit(threads)
        converted = daal4py.mb.convert_model(xgboost.Booster(model_file=model))
        return converted.predict
    import treelite

    loaded = treelite.frontend.load_xgboost_model(model)
    if peer == "treelite":
        return lambda rows: treelite.gtil.predict(loaded, rows, nthread=threads)
    import tl2cgen

    library = model + ".tl2cgen.so"
    if not Path(library).exists():
        tl2cgen.export_lib(loaded, toolchain="gcc", libpath=library, params={"parallel_comp": 16})
    compiled = tl2cgen.Predictor(library, nthread=threads)
    return lambda rows: compiled.predict(tl2cgen.DMatrix(rows))


def batch(peer, threads, model, rows, settings, rounds, train):
    data = np.load(rows)
    call = _predictor(peer, model, threads, settings, rounds, train)
    answer = np.asarray(call(data)).reshape(len(data), -1)
    classes = answer.argmax(axis=1) if answer.shape[1] > 1 else answer.ravel()
    return {"rows_per_second": len(data) / _best(lambda: call(data)), "classes": classes[:200].tolist()}


def one_row(peer, threads, model, rows, settings, rounds, train):
    data = np.ascontiguousarray(np.load(rows)[:1])
    call = _predictor(peer, model, 1, settings, rounds, train)
    call(data)
    return _quantiles(lambda: call(data))


def shap(peer, threads, model, rows, count, settings, rounds, train, output):
    data = np.load(rows)[:count]
    if peer == "xgboost":
        import xgboost

        booster = xgboost.Booster(model_file=model)
        booster.set_param({"nthread": threads})
        matrix = xgboost.DMatrix(data)
        call = lambda: booster.predict(matrix, pred_contribs=True)  # noqa: E731
    else:
        booster = _lightgbm_model(settings, rounds, train, model + ".lightgbm")
        call = lambda: booster.predict(data, pred_contrib=True, num_threads=threads)  # noqa: E731
    started = time.perf_counter()
    contributions = call()
    seconds = time.perf_counter() - started
    np.save(output, np.asarray(contributions, np.float32))
    return {"rows_per_second": count / seconds}
