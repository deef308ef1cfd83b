"""Training by the peers with settings that mean the same work: depth, rounds, bins, regularisation, evaluation each round.

A data set is a folder of arrays (bench/datasets.py). `settings` has the names of XGBoost; each peer translates them.
Answers: seconds to make the peer's own data structure, seconds of the rounds, and predictions' error rate (classes) or
AUC (binary) on the test rows.
"""

import time
from pathlib import Path

import numpy as np


def _read(folder, name):
    dense = Path(folder) / f"{name}_x.npy"
    if dense.exists():
        features = np.load(dense)
    else:
        import scipy.sparse

        features = scipy.sparse.load_npz(Path(folder) / f"{name}_x.npz")
    return features, np.load(Path(folder) / f"{name}_y.npy")


def _quality(scores, labels):
    """`scores` [rows] of the positive class or [rows, classes]."""
    if scores.ndim == 1:
        from sklearn.metrics import roc_auc_score

        return {"auc": float(roc_auc_score(labels, scores))}
    return {"error": float(np.mean(scores.argmax(axis=1) != labels))}


def fit_xgboost(train, validation, test, settings, rounds, threads, method="hist"):
    import xgboost

    started = time.perf_counter()
    made = {"nthread": threads, "max_bin": settings.get("max_bin", 256)}  # Training refuses another than the data's.
    dtrain = xgboost.QuantileDMatrix(*train, **made)
    evals = [(dtrain, "train")]
    if validation:
        evals.append((xgboost.QuantileDMatrix(*validation, ref=dtrain, **made), "validation"))
    loaded = time.perf_counter()
    booster = xgboost.train({**settings, "tree_method": method, "nthread": threads}, dtrain, rounds,
                            evals=evals if validation else [], verbose_eval=False)
    fitted = time.perf_counter()
    scores = booster.predict(xgboost.DMatrix(test[0]), output_margin=True)
    return loaded - started, fitted - loaded, scores


def _lightgbm_parameters(settings, threads, quantized):
    classes = settings.get("num_class", 1)
    parameters = {
        "objective": "multiclass" if classes > 1 else "binary", "max_depth": settings["max_depth"],
        "num_leaves": 2 ** settings["max_depth"] - 1, "learning_rate": settings["eta"],
        "min_gain_to_split": settings.get("gamma", 0), "min_sum_hessian_in_leaf": settings.get("min_child_weight", 1),
        "min_data_in_leaf": 1, "lambda_l2": 1, "num_threads": threads, "verbose": -1, "use_quantized_grad": quantized,
        "metric": "multi_error" if classes > 1 else "binary_error", "max_bin": 255, "feature_pre_filter": False,
    }
    return parameters | ({"num_class": classes} if classes > 1 else {})


def fit_lightgbm(train, validation, test, settings, rounds, threads, quantized=False):
    import lightgbm

    parameters = _lightgbm_parameters(settings, threads, quantized)
    started = time.perf_counter()
    dtrain = lightgbm.Dataset(*train, params=parameters).construct()
    watched = [dtrain]
    if validation:
        watched.append(lightgbm.Dataset(*validation, reference=dtrain).construct())
    loaded = time.perf_counter()
    booster = lightgbm.train(parameters, dtrain, rounds, valid_sets=watched if validation else [])
    fitted = time.perf_counter()
    return loaded - started, fitted - loaded, booster.predict(test[0])


def fit_catboost(train, validation, test, settings, rounds, threads):
    import catboost

    started = time.perf_counter()
    pool = catboost.Pool(train[0], train[1])
    pool.quantize(border_count=254)
    evaluated = catboost.Pool(*validation) if validation else None
    loaded = time.perf_counter()
    model = catboost.CatBoostClassifier(
        iterations=rounds, depth=settings["max_depth"], learning_rate=settings["eta"], thread_count=threads, verbose=0,
        loss_function="MultiClass" if "num_class" in settings else "Logloss", boosting_type="Plain", allow_writing_files=False)
    model.fit(pool, eval_set=evaluated)
    fitted = time.perf_counter()
    scores = model.predict_proba(test[0])
    return loaded - started, fitted - loaded, scores if "num_class" in settings else scores[:, 1]


def fit_onedal(train, validation, test, settings, rounds, threads):
    """oneDAL has no evaluation while it trains: it does less than the others."""
    import daal4py

    daal4py.daalinit(threads)
    features, labels = train[0], train[1].reshape(-1, 1).astype(np.float32)
    classes = settings.get("num_class", 2)
    algorithm = daal4py.gbt_classification_training(
        fptype="float", nClasses=classes, maxIterations=rounds, maxTreeDepth=settings["max_depth"],
        shrinkage=settings["eta"], minSplitLoss=settings.get("gamma", 0), lambda_=1, maxBins=256,
        observationsPerTreeFraction=1, featuresPerNode=0, minObservationsInLeafNode=1)
    started = time.perf_counter()
    model = algorithm.compute(features, labels).model
    fitted = time.perf_counter()
    predicted = daal4py.gbt_classification_prediction(
        fptype="float", nClasses=classes, resultsToEvaluate="computeClassProbabilities").compute(test[0], model)
    scores = predicted.probabilities
    return 0.0, fitted - started, scores if classes > 2 else scores[:, 1]


FITS = {
    "xgboost": fit_xgboost,
    "lightgbm": fit_lightgbm,
    "lightgbm-quantized": lambda *arguments: fit_lightgbm(*arguments, quantized=True),
    "catboost": fit_catboost,
    "onedal": fit_onedal,
}


def fit(peer, threads, folder, settings, rounds, evaluates):
    train, test = _read(folder, "train"), _read(folder, "test")
    validation = _read(folder, "validation") if evaluates else None
    loading, seconds, scores = FITS[peer](train, validation, test, settings, rounds, threads)
    return {"seconds": seconds, "load_seconds": loading, **_quality(np.asarray(scores), test[1])}


def whole_job(peer, threads, folder, joined, settings, rounds, model):
    """Train and validation text to a saved model; the caller times the process. `joined` holds <split>.libsvm files."""
    if peer == "xgboost":
        import xgboost

        dtrain = xgboost.DMatrix(f"{folder}/train?format=libsvm", nthread=threads)
        dvalidation = xgboost.DMatrix(f"{folder}/validation?format=libsvm", nthread=threads)
        booster = xgboost.train({**settings, "tree_method": "hist", "nthread": threads}, dtrain, rounds,
                                evals=[(dtrain, "train"), (dvalidation, "validation")], verbose_eval=False)
    else:
        import lightgbm

        parameters = _lightgbm_parameters(settings, threads, peer == "lightgbm-quantized")
        dtrain = lightgbm.Dataset(f"{joined}/train.libsvm", params=parameters)
        dvalidation = lightgbm.Dataset(f"{joined}/validation.libsvm", reference=dtrain)
        booster = lightgbm.train(parameters, dtrain, rounds, valid_sets=[dtrain, dvalidation])
    booster.save_model(model)
    return {}
