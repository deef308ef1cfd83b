"""The SageMaker Python SDK 2 as its users write it: Estimator.fit, deploy, predict, delete, analytics, attach."""

from __future__ import annotations

import numpy as np
import pytest
from harness import jobs, mnist, sagemaker_sdk
from harness.clients import make_session

TRAIN_ROWS = 1500


@pytest.fixture(scope="module")
def sdk(shared_server, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        yield sagemaker_sdk.point_at(shared_server, tmp_path_factory.mktemp("sdk"), patch)


@pytest.fixture(scope="module")
def session(sdk, shared_server):
    return sdk.Session(boto_session=make_session(shared_server), default_bucket="sdk2-default")


@pytest.fixture(scope="module")
def inputs(session, tmp_path_factory):
    """Session.upload_data makes the default bucket and answers with s3:// locations."""
    folder = tmp_path_factory.mktemp("rows")
    (folder / "train.libsvm").write_bytes(mnist.libsvm(*mnist.rows("train", TRAIN_ROWS)))
    (folder / "validation.csv").write_bytes(mnist.csv(*mnist.rows("validation", 300)))
    uri = session.upload_data(str(folder / "train.libsvm"), key_prefix="digits/train")
    assert uri == "s3://sdk2-default/digits/train/train.libsvm"
    return uri


@pytest.fixture(scope="module")
def estimator(sdk, session, inputs):
    """A fitted estimator; fit(logs=True) has printed the job's log."""
    from sagemaker import image_uris
    from sagemaker.estimator import Estimator
    from sagemaker.inputs import TrainingInput

    made = Estimator(
        image_uris.retrieve("xgboost", "us-east-1", version="1.0-1"), role=jobs.ROLE, instance_count=1,
        instance_type="ml.m5.xlarge", output_path="s3://sdk2-default/digits/out", sagemaker_session=session,
        hyperparameters={**jobs.HYPERPARAMETERS, "num_round": 5},
        tags=[{"Key": "team", "Value": "front"}],
    )
    made.fit({"train": TrainingInput(inputs, content_type="libsvm"),
              "validation": TrainingInput(inputs, content_type="libsvm")}, logs=True)
    return made


@pytest.fixture(scope="module")
def predictor(sdk, estimator):
    from sagemaker.serializers import CSVSerializer

    return estimator.deploy(initial_instance_count=1, instance_type="ml.m5.large", serializer=CSVSerializer())


def test_fit_leaves_a_completed_job_with_the_sdks_extra_fields(estimator, session):
    description = session.describe_training_job(estimator.latest_training_job.name)
    assert description["TrainingJobStatus"] == "Completed", description.get("FailureReason")
    assert estimator.model_data == description["ModelArtifacts"]["S3ModelArtifacts"]
    assert description["ProfilerConfig"]["DisableProfiler"] is False
    assert description["DebugHookConfig"]["S3OutputPath"]


def test_fit_prints_the_log_of_the_job(estimator, capsys):
    estimator.latest_training_job.sagemaker_session.logs_for_job(estimator.latest_training_job.name, wait=False)
    printed = capsys.readouterr().out
    assert "[0]#011train-merror:" in printed and "[4]#011train-merror:" in printed
    assert "Completed" in printed or "Training job completed" in printed


def test_predict_with_csv_and_libsvm(predictor):
    from sagemaker.deserializers import CSVDeserializer
    from sagemaker.serializers import CSVSerializer, LibSVMSerializer

    images, labels = mnist.rows("test", 200)
    # Trained from 1-based text, the model has 785 columns of which the first is always absent.
    padded = [",".join(["", *(repr(v) for v in image)]) for image in images.tolist()]
    predictor.serializer, predictor.deserializer = CSVSerializer(), CSVDeserializer()
    by_csv = [float(v) for row in predictor.predict("\n".join(padded)) for v in row if v]
    predictor.serializer = LibSVMSerializer()
    by_libsvm = [float(v) for row in predictor.predict(mnist.libsvm(images, labels).decode()) for v in row if v]
    assert by_csv == by_libsvm and len(by_csv) == 200
    assert np.mean(np.array(by_csv) != labels) < 0.3


def test_training_job_analytics(sdk, estimator, session):
    from sagemaker.analytics import TrainingJobAnalytics

    frame = TrainingJobAnalytics(estimator.latest_training_job.name, ["train:merror", "validation:merror"],
                                 sagemaker_session=session).dataframe()
    assert set(frame["metric_name"]) == {"train:merror", "validation:merror"}
    assert frame["value"].between(0, 1).all()
    by_default = TrainingJobAnalytics(estimator.latest_training_job.name, sagemaker_session=session).dataframe()
    assert "train:merror" in set(by_default["metric_name"])


def test_attach(sdk, estimator, session):
    from sagemaker.estimator import Estimator

    attached = Estimator.attach(estimator.latest_training_job.name, sagemaker_session=session)
    assert attached.hyperparameters()["num_class"] == "10"
    assert attached.model_data == estimator.model_data and attached.instance_count == 1
    assert {"Key": "team", "Value": "front"} in attached.tags


def test_get_execution_role_reads_what_notebook_setup_writes(sdk, session, tmp_path, monkeypatch):
    import subprocess

    from harness.server import program
    written = tmp_path / "resource-metadata.json"
    done = subprocess.run([program("espalier"), "notebook-setup", "--path", written], capture_output=True, text=True,
                          timeout=20)
    assert done.returncode == 0, done.stderr
    assert str(written) in done.stdout
    monkeypatch.setattr("sagemaker.session.NOTEBOOK_METADATA_FILE", str(written))
    assert sdk.get_execution_role(session) == jobs.ROLE


def test_the_role_look_up_of_sdk_1_goes_through_describe_notebook_instance(session):
    answer = session.sagemaker_client.describe_notebook_instance(NotebookInstanceName="local")
    assert answer["RoleArn"] == jobs.ROLE
    assert session.boto_session.client("sts").get_caller_identity()["Account"] == "123456789012"
    assert session.boto_session.client("iam").get_role(RoleName="LocalSageMakerRole")["Role"]["Arn"] == jobs.ROLE


def test_the_transformer_writes_one_output_per_object(sdk, session, estimator):
    images, labels = mnist.rows("test", 40)
    rows = "\n".join(",".join(["0"] + [f"{value:g}" for value in row]) for row in images)  # Column 0 as libsvm counts.
    session.upload_string_as_file_body(rows, bucket="sdk2-default", key="digits/batch/rows.csv")
    transformer = estimator.transformer(1, "ml.m5.large", output_path="s3://sdk2-default/digits/predicted",
                                        assemble_with="Line", accept="text/csv", strategy="MultiRecord")
    transformer.transform("s3://sdk2-default/digits/batch/", content_type="text/csv", split_type="Line", wait=True, logs=True)
    text = session.read_s3_file("sdk2-default", "digits/predicted/rows.csv.out")
    predicted = [float(line) for line in text.splitlines()]
    assert len(predicted) == 40 and np.mean(np.array(predicted) == labels) > 0.6


def test_the_tuner_fits_tells_the_best_and_its_analytics(sdk, session, estimator, inputs):
    from sagemaker.inputs import TrainingInput
    from sagemaker.parameter import ContinuousParameter, IntegerParameter
    from sagemaker.tuner import HyperparameterTuner

    tuner = HyperparameterTuner(
        estimator, "validation:merror", {"eta": ContinuousParameter(0.05, 0.5), "max_depth": IntegerParameter(2, 4)},
        objective_type="Minimize", max_jobs=4, max_parallel_jobs=2, random_seed=3)
    tuner.fit({"train": TrainingInput(inputs, content_type="libsvm"),
               "validation": TrainingInput(inputs, content_type="libsvm")}, wait=True)
    frame = tuner.analytics().dataframe()
    assert len(frame) == 4 and set(frame["TrainingJobStatus"]) == {"Completed"}
    best = frame.loc[frame["FinalObjectiveValue"].idxmin()]
    assert tuner.best_training_job() == best["TrainingJobName"] or (
        frame["FinalObjectiveValue"] == best["FinalObjectiveValue"]).sum() > 1
    assert tuner.best_estimator().latest_training_job.name == tuner.best_training_job()


def test_a_model_is_registered_approved_and_deployed_from_its_package(sdk, session, estimator):
    from sagemaker.deserializers import CSVDeserializer
    from sagemaker.serializers import LibSVMSerializer

    package = estimator.register(
        content_types=["text/csv", "text/libsvm"], response_types=["text/csv"], inference_instances=["ml.m5.large"],
        transform_instances=["ml.m5.large"], model_package_group_name="sdk2-digits", approval_status="PendingManualApproval",
        description="digits by the SDK")
    assert package.model_package_arn.endswith(":model-package/sdk2-digits/1")
    described = session.sagemaker_client.describe_model_package(ModelPackageName=package.model_package_arn)
    (container,) = described["InferenceSpecification"]["Containers"]
    assert container["ModelDataUrl"] == estimator.model_data and described["ModelApprovalStatus"] == "PendingManualApproval"
    package.update_approval_status("Approved")
    assert session.sagemaker_client.describe_model_package(
        ModelPackageName=package.model_package_arn)["ModelApprovalStatus"] == "Approved"

    deployed = sdk.ModelPackage(role=jobs.ROLE, model_package_arn=package.model_package_arn, sagemaker_session=session)
    deployed.deploy(initial_instance_count=1, instance_type="ml.m5.large", endpoint_name="sdk2-from-package", wait=False)
    session.sagemaker_client.get_waiter("endpoint_in_service").wait(EndpointName="sdk2-from-package")
    predictor = sdk.Predictor("sdk2-from-package", session, LibSVMSerializer(), CSVDeserializer())
    images, labels = mnist.rows("test", 100)
    predicted = [float(value) for row in predictor.predict(mnist.libsvm(images, labels).decode()) for value in row if value]
    assert np.mean(np.array(predicted) != labels) < 0.3
    predictor.delete_endpoint()


def test_delete_endpoint_and_model(predictor, session):
    """Last in the file. The SDK deletes the configuration before the endpoint, and looks at it for delete_model."""
    predictor.delete_model()
    predictor.delete_endpoint()
    assert predictor.endpoint_name not in [e["EndpointName"] for e in session.sagemaker_client.list_endpoints()["Endpoints"]]
