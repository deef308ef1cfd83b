"""SageMaker SDK 1.72, the notebook's age: programs/sdk1.py runs in an environment of its own; here is what it must have seen."""

from __future__ import annotations

import json

import pytest
from harness import programs

ROWS = 200


@pytest.fixture(scope="module")
def seen(shared_server):
    # Under today's botocore this SDK doesn't say its name; docs/guide.md tells users to say it so.
    environment = {"AWS_SDK_UA_APP_ID": "AWS-SageMaker-Python-SDK"}
    printed = programs.run(shared_server, [programs.python(".venv-sdk1"), programs.PROGRAMS / "sdk1.py", "sdk1-default"],
                           environment=environment)
    return json.loads(printed.splitlines()[-1])


def test_fit_follows_the_log_to_the_end(seen):
    assert seen["image"].endswith("/xgboost:1")
    for word in ("Starting", "Downloading", "Training", "Uploading", "Completed", "[0]#011train-error:", "[5]#011train-error:"):
        assert word in seen["log"], word
    assert seen["model_data"] == f"s3://sdk1-default/digits/out/{seen['job']}/output/model.tar.gz"


def test_analytics_and_attach(seen):
    assert set(seen["analytics"]["metric_name"]) == {"validation:error"}
    assert all(0 <= value < 0.2 for value in seen["analytics"]["value"])
    assert seen["attached"] == {"objective": "binary:logistic", "num_round": "6", "max_depth": "3"}


def test_deploy_predicts_the_same_from_csv_and_libsvm(seen):
    assert seen["by_csv"] == seen["by_libsvm"] and len(seen["by_csv"]) == ROWS
    assert seen["wrong"] < 0.05


def test_a_registered_package_is_deployed(seen):
    assert seen["by_package"] == seen["by_libsvm"]


def test_the_transformer_predicts_as_the_endpoint(seen):
    assert [float(v) for v in seen["transformed"]] == [float(v) for v in seen["by_csv"]]


def test_the_tuner_and_attaching_to_it(seen):
    assert len(seen["trials"]) == 3 and seen["best"] in seen["trials"]
    assert seen["attached_best"] == seen["best"]
