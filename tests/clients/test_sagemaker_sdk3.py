"""SageMaker SDK 3.27: programs/sdk3.py runs in an environment of its own; here is what it must have seen."""

from __future__ import annotations

import json

import pytest
from harness import programs

ROWS = 200


@pytest.fixture(scope="module")
def seen(shared_server):
    printed = programs.run(shared_server, [programs.python(".venv-sdk3"), programs.PROGRAMS / "sdk3.py", "sdk3-default"])
    return json.loads(printed.splitlines()[-1])


def test_the_model_trainer_trains_and_prints_the_log(seen):
    assert seen["status"] == "Completed" and seen["job"].startswith("sdk3-")
    assert seen["hyperparameters"]["num_round"] == "6"
    assert "[5]#011train-error:" in seen["log"]
    assert seen["model_data"] == f"s3://sdk3-default/digits/out/{seen['job']}/output/model.tar.gz"
    assert set(seen["analytics"]["metric_name"]) == {"validation:error"}


def test_an_endpoint_of_resources_predicts_the_same_from_csv_and_libsvm(seen):
    assert seen["by_csv"] == seen["by_libsvm"] and len(seen["by_csv"]) == ROWS
    assert seen["wrong"] < 0.05
    assert seen["endpoints"] == [seen["job"]] and seen["endpoints_left"] == []


def test_the_transformer_predicts_as_the_endpoint(seen):
    assert seen["transformed"] == seen["by_csv"]


def test_the_tuner(seen):
    assert len(seen["trials"]) == 3 and seen["best"] in seen["trials"]
