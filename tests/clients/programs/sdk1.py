"""A notebook of 2020 with SageMaker SDK 1.72, run by .venv-sdk1 with a server's environment. Prints one JSON line of what it saw.

usage: sdk1.py BUCKET
"""

import contextlib
import io
import json
import pathlib
import sys
import tempfile
import time

import boto3
import sagemaker
import small_data
from sagemaker.amazon.amazon_estimator import get_image_uri
from sagemaker.analytics import HyperparameterTuningJobAnalytics, TrainingJobAnalytics
from sagemaker.content_types import CONTENT_TYPE_CSV
from sagemaker.predictor import RealTimePredictor, csv_serializer
from sagemaker.tuner import ContinuousParameter, HyperparameterTuner, IntegerParameter

ROLE = "arn:aws:iam::123456789012:role/LocalSageMakerRole"
ROWS = 200

# Its loops wait 5 to 30 seconds between two looks; how often it looks is not what is tested here.
sleep = time.sleep
time.sleep = lambda seconds: sleep(min(seconds, 0.1))


def upload(session, folder):
    (folder / "train.libsvm").write_text(small_data.libsvm(ROWS))
    (folder / "rows.csv").write_text(small_data.csv_features(ROWS))
    return {"train": session.upload_data(str(folder / "train.libsvm"), key_prefix="digits/train"),
            "batch": session.upload_data(str(folder / "rows.csv"), key_prefix="digits/batch")}


def fit(session, bucket, inputs, seen):
    estimator = sagemaker.estimator.Estimator(
        get_image_uri(boto3.Session().region_name, "xgboost"), ROLE, train_instance_count=1,
        train_instance_type="ml.m4.xlarge", output_path=f"s3://{bucket}/digits/out", sagemaker_session=session)
    estimator.set_hyperparameters(objective="binary:logistic", num_round=6, max_depth=3)
    channel = sagemaker.session.s3_input(inputs["train"], content_type="libsvm")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        estimator.fit({"train": channel, "validation": channel}, logs=True)
    job = estimator.latest_training_job.name
    frame = TrainingJobAnalytics(job, ["validation:error"], sagemaker_session=session).dataframe()
    attached = sagemaker.estimator.Estimator.attach(job, sagemaker_session=session)
    seen.update(image=estimator.image_name, job=job, log=printed.getvalue(), analytics=frame.to_dict("list"),
                attached=attached.hyperparameters(), model_data=attached.model_data)
    return estimator, channel


def serve(estimator, seen):
    predictor = estimator.deploy(initial_instance_count=1, instance_type="ml.m4.xlarge")
    predictor.content_type, predictor.serializer = CONTENT_TYPE_CSV, csv_serializer
    values = [values for _, values in small_data.rows(ROWS)]
    by_csv = predictor.predict(values).decode()
    by_libsvm = RealTimePredictor(predictor.endpoint, estimator.sagemaker_session, content_type="text/x-libsvm").predict(
        small_data.libsvm(ROWS)).decode()
    seen.update(by_csv=by_csv.split(","), by_libsvm=by_libsvm.split(","))
    seen["wrong"] = small_data.error_of([float(v) for v in seen["by_csv"]], ROWS)
    predictor.delete_endpoint()
    predictor.delete_model()


def register(session, estimator, seen):
    """This SDK deploys from a package; it makes none, so boto3 does."""
    client = session.sagemaker_client
    client.create_model_package_group(ModelPackageGroupName="sdk1-digits")
    package_arn = client.create_model_package(
        ModelPackageGroupName="sdk1-digits", ModelApprovalStatus="Approved", InferenceSpecification={
            "Containers": [{"Image": estimator.image_name, "ModelDataUrl": estimator.model_data}],
            "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]})["ModelPackageArn"]
    package = sagemaker.ModelPackage(ROLE, model_package_arn=package_arn, sagemaker_session=session)
    package.deploy(1, "ml.m4.xlarge", endpoint_name="sdk1-from-package")
    predictor = RealTimePredictor("sdk1-from-package", session, content_type="text/x-libsvm")
    seen["by_package"] = predictor.predict(small_data.libsvm(ROWS)).decode().split(",")
    predictor.delete_endpoint()


def transform(session, bucket, estimator, inputs, seen):
    transformer = estimator.transformer(1, "ml.m4.xlarge", output_path=f"s3://{bucket}/digits/predicted",
                                        assemble_with="Line", accept="text/csv")
    transformer.transform(inputs["batch"], content_type="text/csv", split_type="Line")
    transformer.wait()
    seen["transformed"] = session.read_s3_file(bucket, "digits/predicted/rows.csv.out").split()


def tune(session, estimator, channel, seen):
    ranges = {"eta": ContinuousParameter(0.05, 0.5), "max_depth": IntegerParameter(2, 4)}
    tuner = HyperparameterTuner(estimator, "validation:error", ranges, objective_type="Minimize", max_jobs=3,
                                max_parallel_jobs=2)
    tuner.fit({"train": channel, "validation": channel}, include_cls_metadata=False)
    tuner.wait()
    frame = HyperparameterTuningJobAnalytics(tuner.latest_tuning_job.name, sagemaker_session=session).dataframe()
    attached = HyperparameterTuner.attach(tuner.latest_tuning_job.name, sagemaker_session=session)
    seen.update(trials=frame["TrainingJobName"].tolist(), best=tuner.best_training_job(),
                attached_best=attached.best_training_job())


def main():
    bucket, seen = sys.argv[1], {}
    session = sagemaker.Session(default_bucket=bucket)
    with tempfile.TemporaryDirectory() as folder:
        inputs = upload(session, pathlib.Path(folder))
    estimator, channel = fit(session, bucket, inputs, seen)
    serve(estimator, seen)
    register(session, estimator, seen)
    transform(session, bucket, estimator, inputs, seen)
    tune(session, estimator, channel, seen)
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
