"""A program of today with SageMaker SDK 3.27, run by .venv-sdk3 with a server's environment. Prints one JSON line of what it saw.

usage: sdk3.py BUCKET
"""

import io
import json
import logging
import os
import pathlib
import sys
import tempfile
import time

import small_data
from sagemaker.core import image_uris
from sagemaker.core.analytics import HyperparameterTuningJobAnalytics, TrainingJobAnalytics
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.parameter import ContinuousParameter, IntegerParameter
from sagemaker.core.resources import Endpoint, EndpointConfig, Model, TrainingJob
from sagemaker.core.shapes import ContainerDefinition, ProductionVariant
from sagemaker.core.training.configs import Compute, InputData, OutputDataConfig
from sagemaker.core.transformer import Transformer
from sagemaker.train import ModelTrainer
from sagemaker.train.tuner import HyperparameterTuner

ROLE = "arn:aws:iam::123456789012:role/LocalSageMakerRole"
ROWS = 200

# Its loops wait 5 seconds and more between two looks; how often it looks is not what is tested here.
sleep = time.sleep
time.sleep = lambda seconds: sleep(min(seconds, 0.1))


def inputs_of(session):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "train.libsvm").write_text(small_data.libsvm(ROWS))
        (folder / "rows.csv").write_text(small_data.csv_features(ROWS))
        train = session.upload_data(str(folder / "train.libsvm"), key_prefix="digits/train")
        session.upload_data(str(folder / "rows.csv"), key_prefix="digits/batch")
    return [InputData(channel_name=name, data_source=train, content_type="libsvm") for name in ("train", "validation")]


def train(session, bucket, inputs, seen):
    trainer = ModelTrainer(
        training_image=image_uris.retrieve("xgboost", "us-east-1", version="1.7-1"), role=ROLE, sagemaker_session=session,
        base_job_name="sdk3", compute=Compute(instance_type="ml.m5.xlarge", instance_count=1),
        output_data_config=OutputDataConfig(s3_output_path=f"s3://{bucket}/digits/out"),
        hyperparameters={"objective": "binary:logistic", "num_round": 6, "max_depth": 3, "eval_metric": "error"})
    lines = io.StringIO()
    logging.basicConfig(level=logging.INFO, stream=lines)  # This SDK logs what a job prints.
    trainer.train(input_data_config=inputs, wait=True, logs=True)
    job = TrainingJob.get(trainer._latest_training_job.training_job_name)
    frame = TrainingJobAnalytics(job.training_job_name, ["validation:error"], sagemaker_session=session).dataframe()
    seen.update(job=job.training_job_name, status=job.training_job_status, log=lines.getvalue(),
                hyperparameters=job.hyper_parameters,
                model_data=job.model_artifacts.s3_model_artifacts, analytics=frame.to_dict("list"))
    return trainer, job


def serve(job, seen):
    name = job.training_job_name
    container = ContainerDefinition(image=job.algorithm_specification.training_image,
                                    model_data_url=job.model_artifacts.s3_model_artifacts)
    model = Model.create(model_name=name, primary_container=container, execution_role_arn=ROLE)
    config = EndpointConfig.create(endpoint_config_name=name, production_variants=[ProductionVariant(
        variant_name="AllTraffic", model_name=name, initial_instance_count=1, instance_type="ml.m5.large")])
    endpoint = Endpoint.create(endpoint_name=name, endpoint_config_name=name)
    endpoint.wait_for_status("InService")
    for key, body, content_type in (("by_csv", small_data.csv_features(ROWS), "text/csv"),
                                    ("by_libsvm", small_data.libsvm(ROWS), "text/x-libsvm")):
        seen[key] = endpoint.invoke(body=body, content_type=content_type).body.read().decode().split()
    seen["wrong"] = small_data.error_of([float(v) for v in seen["by_csv"]], ROWS)
    seen["endpoints"] = [e.endpoint_name for e in Endpoint.get_all(name_contains=name)]
    for resource in (endpoint, config):
        resource.delete()
    seen["endpoints_left"] = [e.endpoint_name for e in Endpoint.get_all(name_contains=name)]
    return model


def transform(session, bucket, model, seen):
    transformer = Transformer(model.model_name, 1, "ml.m5.large", output_path=f"s3://{bucket}/digits/predicted",
                              assemble_with="Line", accept="text/csv", sagemaker_session=session)
    transformer.transform(f"s3://{bucket}/digits/batch/", content_type="text/csv", split_type="Line", wait=True, logs=True)
    seen["transformed"] = session.read_s3_file(bucket, "digits/predicted/rows.csv.out").split()
    model.delete()


def tune(session, trainer, inputs, seen):
    ranges = {"eta": ContinuousParameter(0.05, 0.5), "max_depth": IntegerParameter(2, 4)}
    tuner = HyperparameterTuner(trainer, "validation:error", ranges, objective_type="Minimize", max_jobs=3,
                                max_parallel_jobs=2, random_seed=7)
    # Its own name is the minute's, which a tuner of another test may have too.
    tuner.tune(inputs=inputs, job_name=f"{session.default_bucket()}-tuner", wait=True)
    name = tuner.describe().hyper_parameter_tuning_job_name
    seen["trials"] = HyperparameterTuningJobAnalytics(name, sagemaker_session=session).dataframe()["TrainingJobName"].tolist()
    seen["best"] = tuner.best_training_job()


def main():
    bucket, seen = sys.argv[1], {}
    session = Session(default_bucket=bucket)
    inputs = inputs_of(session)
    trainer, job = train(session, bucket, inputs, seen)
    model = serve(job, seen)
    transform(session, bucket, model, seen)
    tune(session, trainer, inputs, seen)
    print(json.dumps(seen), flush=True)
    os._exit(0)  # Its telemetry thread would look for a host of AWS until it gives up.


if __name__ == "__main__":
    main()
