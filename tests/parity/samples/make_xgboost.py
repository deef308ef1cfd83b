"""Models of the xgboost release on the path, as files and pickles, and the margins it predicts: make_xgboost.py FOLDER."""
import collections
import collections.abc
import json
import os
import pickle
import sys

import numpy

collections.Mapping = collections.abc.Mapping  # releases up to 0.72 look for it there
import xgboost  # noqa: E402

folder = sys.argv[1]
rng = numpy.random.default_rng(11)
features = rng.normal(size=(120, 5)).astype(numpy.float32)
features[rng.random(features.shape) < 0.15] = numpy.nan
features[:, 3] = rng.integers(0, 9, 120)
seen = numpy.nan_to_num(features)
score = seen[:, 0] + seen[:, 3] % 3
CASES = {
    "regression": ({"objective": "reg:linear" if xgboost.__version__ < "0.9" else "reg:squarederror", "base_score": 0.7}, score),
    "logistic": ({"objective": "binary:logistic", "base_score": 0.3}, score > 1),
    "softmax": ({"objective": "multi:softmax", "num_class": 3}, numpy.digitize(score, [0.5, 1.5])),
    "poisson": ({"objective": "count:poisson", "max_delta_step": 0.6}, numpy.floor(numpy.abs(score))),
    "dart": ({"booster": "dart", "rate_drop": 0.4, "objective": "binary:logistic"}, score > 1),
    "gblinear": ({"booster": "gblinear", "objective": "binary:logistic"}, score > 1),
}
for name, (params, labels) in CASES.items():
    matrix = xgboost.DMatrix(features, label=labels.astype(float))
    booster = xgboost.train(dict(params, max_depth=3, nthread=1, gamma=0.3), matrix, 5)
    booster.set_attr(note="kept")
    stem = os.path.join(folder, "xgboost-%s-%s" % (xgboost.__version__, name))
    booster.save_model(stem + ".model")
    written = {stem + ".model": booster}
    if name in ("softmax", "logistic"):
        with open(stem + ".pkl", "wb") as file:
            pickle.dump(booster, file, protocol=2 if name == "softmax" else 0 if xgboost.__version__ < "0.9" else 3)
        written[stem + ".pkl"] = booster
    for path in written:
        margins = booster.predict(matrix, output_margin=True, ntree_limit=5)  # else old releases drop trees
        with open(path + ".predictions.json", "w") as file:
            json.dump([float(value) for value in numpy.asarray(margins).ravel()], file)
