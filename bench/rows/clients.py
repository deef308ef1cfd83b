"""What people wait for: the SageMaker Python SDK 2 from fit to the first prediction, in wall time and by stage."""

from __future__ import annotations

import os
import time
from unittest import mock

from harness import jobs, mnist, sagemaker_sdk
from harness.clients import Clients
from harness.server import Server
from results import RowResult, Series
from rows.settings import Settings

ROUNDS = 20  # A job of about three seconds.
INSTANCE = {"initial_instance_count": 1, "instance_type": "ml.m5.large"}


def _timed(seconds: dict[str, float], stage: str, call):
    began = time.monotonic()
    result = call()
    seconds[stage] = time.monotonic() - began
    print(f"    {stage}: {seconds[stage]:.2f} s", flush=True)
    return result


def sdk2(settings: Settings) -> RowResult:
    rows = 2000 if settings.quick else 50_000
    seconds: dict[str, float] = {}
    with Server(settings.work / "data") as server, mock.patch.dict(os.environ, sagemaker_sdk.environment(server, settings.work)):
        from sagemaker import Session, image_uris
        from sagemaker.deserializers import CSVDeserializer
        from sagemaker.estimator import Estimator
        from sagemaker.inputs import TrainingInput
        from sagemaker.serializers import CSVSerializer

        clients = Clients(server)
        clients.s3.create_bucket(Bucket="digits")
        jobs.upload_mnist(clients, "digits", train_rows=rows, validation_rows=rows // 5)
        estimator = Estimator(
            image_uris.retrieve("xgboost", "us-east-1", version="1.0-1"), role=jobs.ROLE, instance_count=1,
            instance_type="ml.m5.xlarge", output_path="s3://digits/out", sagemaker_session=Session(default_bucket="digits"),
            hyperparameters={**jobs.HYPERPARAMETERS, "num_round": ROUNDS})
        inputs = {name: TrainingInput(f"s3://digits/mnist/{name}", content_type="libsvm") for name in ("train", "validation")}
        _timed(seconds, "fit(logs=True)", lambda: estimator.fit(inputs))
        formats = {"serializer": CSVSerializer(), "deserializer": CSVDeserializer()}
        predictor = _timed(seconds, "deploy(wait=False)", lambda: estimator.deploy(**INSTANCE, **formats, wait=False))
        images, labels = mnist.rows("test", 100)
        padded = "\n".join(",".join(["", *(repr(value) for value in image)]) for image in images.tolist())
        answer = _timed(seconds, "predict", lambda: predictor.predict(padded))
        _timed(seconds, "deploy(wait=True)", lambda: estimator.deploy(**INSTANCE, wait=True, endpoint_name="waited"))
        _timed(seconds, "create_model().deploy(endpoint_logging=True)",
               lambda: estimator.create_model().deploy(**INSTANCE, endpoint_name="logged", endpoint_logging=True))
        job = clients.sagemaker.describe_training_job(TrainingJobName=estimator.latest_training_job.name)
    predicted = [float(value) for row in answer for value in row if value]
    total = sum(seconds[stage] for stage in ("fit(logs=True)", "deploy(wait=False)", "predict"))
    lasted = (job["TrainingEndTime"] - job["TrainingStartTime"]).total_seconds()
    result = RowResult("sdk", f"SageMaker SDK 2: fit of a job of {lasted:.1f} s, deploy(wait=False), predict", "s", True,
                       ours=Series("ours", [total], ", ".join(f"{stage} {value:.1f}" for stage, value in seconds.items())),
                       notes=["5 s of fit are the SDK's sleep before it first looks at the job; deploy(wait=True) sleeps 30 s, and with "
                              "endpoint_logging=True 10 s, before it first looks at an endpoint that is in service when "
                              "CreateEndpoint answers"])
    result.add_goal("< 15 s of wall time", total, 15, "s", at_least=False)
    result.add_goal("< 15 s of wall time with deploy(wait=True)", total - seconds["deploy(wait=False)"] + seconds["deploy(wait=True)"],
                    15, "s", at_least=False)
    if sum(p != label for p, label in zip(predicted, labels, strict=True)) > 40:
        result.wrong.append("the endpoint predicts the wrong digits")
    return result


ROWS = {"sdk": sdk2}
