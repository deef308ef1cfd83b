"""A stand-in for the image's serving stack: gunicorn, Flask and stock XGBoost; CSV in, a line for each row out.

Run by gunicorn in .venv-bench with MODEL in the environment. pandas reads the rows, which is faster than what the image
does, so the stand-in flatters it.
"""

import io
import os

import flask
import pandas
import xgboost

app = flask.Flask(__name__)
booster = xgboost.Booster(model_file=os.environ["MODEL"])
booster.set_param({"nthread": 1})


@app.post("/invocations")
def invocations():
    rows = pandas.read_csv(io.BytesIO(flask.request.get_data()), header=None, dtype="float32")
    return "".join(f"{value}\n" for value in booster.inplace_predict(rows.to_numpy()).tolist())
