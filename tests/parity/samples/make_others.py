"""Models of LightGBM, and of several libraries through ONNX, and what they predict: make_others.py FOLDER."""
import json
import os
import sys

import lightgbm
import numpy
import onnxmltools
import onnxruntime
import skl2onnx
import xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier, RandomForestRegressor

folder = sys.argv[1]
rng = numpy.random.default_rng(11)
features = rng.normal(size=(120, 5)).astype(numpy.float32)
features[rng.random(features.shape) < 0.15] = numpy.nan
features[:, 3] = rng.integers(0, 9, 120)
seen = numpy.nan_to_num(features)
score = seen[:, 0] + seen[:, 3] % 3
classes = numpy.digitize(score, [0.5, 1.5])


def keep(name, write, predictions):
    path = os.path.join(folder, name)
    write(path)
    with open(path + ".predictions.json", "w") as file:
        json.dump([float(numpy.float32(value)) for value in numpy.asarray(predictions).ravel()], file)


LIGHTGBM = {
    "regression": ({"objective": "regression"}, score, "auto"),
    "binary": ({"objective": "binary", "sigmoid": 1.5}, (score > 1).astype(int), "auto"),
    "multiclass": ({"objective": "multiclass", "num_class": 3}, classes, "auto"),
    "poisson": ({"objective": "poisson"}, numpy.floor(numpy.abs(score)), "auto"),
    "categories": ({"objective": "regression", "min_data_per_group": 5, "cat_smooth": 1, "max_cat_to_onehot": 2},
                   seen[:, 0] + (features[:, 3] * 7 % 5), [3]),
    "no-missing": ({"objective": "regression", "use_missing": False}, score, "auto"),
}
for name, (params, labels, categorical) in LIGHTGBM.items():
    params = dict(params, num_leaves=6, min_data_in_leaf=4, verbose=-1, num_threads=1, seed=1, deterministic=True)
    booster = lightgbm.train(params, lightgbm.Dataset(features, labels, categorical_feature=categorical), 5)
    keep("lightgbm-%s.txt" % name, booster.save_model, booster.predict(features))


def keep_onnx(name, model):
    def write(path):
        with open(path, "wb") as file:
            file.write(model.SerializeToString())

    session = onnxruntime.InferenceSession(model.SerializeToString())
    answers = session.run(None, {session.get_inputs()[0].name: features})
    last = answers[-1]
    if isinstance(last, list):
        last = [[row[key] for key in sorted(row)] for row in last]
    last = numpy.asarray(last)
    if "binary" in name:
        last = last[:, 1]
    keep("onnx-%s.onnx" % name, write, last)


width = [("input", FloatTensorType([None, 5]))]
for name, params, labels in (("xgboost-regression", {"objective": "reg:squarederror"}, score),
                             ("xgboost-binary", {"objective": "binary:logistic"}, (score > 1).astype(int)),
                             ("xgboost-classes", {"objective": "multi:softprob"}, classes)):
    model = (xgboost.XGBRegressor if "reg:" in params["objective"] else xgboost.XGBClassifier)(
        n_estimators=5, max_depth=3, n_jobs=1, base_score=0.4, **params).fit(features, labels)
    keep_onnx(name, onnxmltools.convert_xgboost(model, initial_types=width))
for name, model, labels in (("lightgbm-binary", lightgbm.LGBMClassifier, (score > 1).astype(int)),
                            ("lightgbm-regression", lightgbm.LGBMRegressor, score)):
    fitted = model(n_estimators=5, num_leaves=6, min_child_samples=4, verbose=-1, n_jobs=1).fit(features, labels)
    keep_onnx(name, onnxmltools.convert_lightgbm(fitted, initial_types=width))
for name, model, labels in (("forest-classes", RandomForestClassifier(n_estimators=4, max_depth=3, random_state=1), classes),
                            ("forest-regression", RandomForestRegressor(n_estimators=4, max_depth=3, random_state=1), score),
                            ("boosting-regression", GradientBoostingRegressor(n_estimators=4, max_depth=3, random_state=1), score)):
    keep_onnx(name, skl2onnx.to_onnx(model.fit(seen, labels), seen[:1], options={"zipmap": False} if "classes" in name else None))
