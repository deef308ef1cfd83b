"""InvokeEndpoint through boto3: formats, reply styles by image version, errors as AWS wraps them; stock xgboost is the oracle."""

import json

import numpy as np
import pytest
import xgboost
from botocore.exceptions import ClientError
from harness import models
from harness.models import LEGACY_IMAGE, MODERN_IMAGE

ACCEPT_TEXT = ("Accept type {} is not supported. Please use supported accept types: ['application/json', "
               "'application/jsonlines', 'application/x-recordio-protobuf', 'text/csv'].")


@pytest.fixture
def hosting(clients, bucket, unique):
    return models.Hosting(clients, bucket, unique)


def expected(objective: str, x: np.ndarray) -> np.ndarray:
    return models.booster(objective).predict(xgboost.DMatrix(x))


def numbers(text: str) -> np.ndarray:
    return np.array([[float(cell) for cell in line.split(",")] for line in text.splitlines()], dtype=np.float32)


@pytest.mark.parametrize("form", ["json", "ubj"])
@pytest.mark.parametrize("objective", ["reg:squarederror", "binary:logistic", "multi:softmax", "multi:softprob"])
def test_stock_models_predict_as_booster_predict_does(hosting, objective, form):
    x = models.data(objective)[0][:50]
    body = models.archive({"xgboost-model": models.model_bytes(models.booster(objective), form)})
    endpoint = hosting.serve(body, image=MODERN_IMAGE)
    want = expected(objective, x).reshape(len(x), -1)
    for text, content_type in ((models.csv_text(x), "text/csv"), (models.libsvm_text(x), "text/libsvm")):
        answer = hosting.invoke(endpoint, text, content_type)
        assert answer["ContentType"] == "text/csv; charset=utf-8"
        np.testing.assert_array_equal(numbers(answer["Body"].decode()), want)


def test_the_legacy_image_joins_with_commas(hosting):
    x = models.data("multi:softmax")[0][:5]
    endpoint = hosting.serve(models.archive({"xgboost-model": models.model_bytes(models.booster("multi:softmax"), "ubj")}))
    answer = hosting.invoke(endpoint, models.libsvm_text(x), "text/x-libsvm", Accept="application/json")
    assert answer["Body"].decode() == ",".join(repr(float(v)) for v in expected("multi:softmax", x))
    assert answer["ContentType"] == "text/csv; charset=utf-8"
    assert answer["InvokedProductionVariant"] == "AllTraffic"


def test_rows_of_several_values_are_python_lists_in_the_old_images(hosting):
    x = models.data("multi:softprob")[0][:3]
    endpoint = hosting.serve(models.archive({"xgboost-model": models.model_bytes(models.booster("multi:softprob"), "json")}))
    want = ",".join(str([float(v) for v in row]) for row in expected("multi:softprob", x))
    assert hosting.invoke(endpoint, models.csv_text(x))["Body"].decode() == want


def test_accept_chooses_the_form_in_the_newer_images(hosting):
    x = models.data("multi:softprob")[0][:3]
    endpoint = hosting.serve(models.archive({"xgboost-model": models.model_bytes(models.booster("multi:softprob"), "json")}),
                             image=MODERN_IMAGE)
    rows = [[float(v) for v in row] for row in expected("multi:softprob", x)]
    text = models.csv_text(x)
    lines = "".join(",".join(map(repr, row)) + "\n" for row in rows)
    for accept in ("text/csv", "*/*", "Text/CSV; charset=utf-8"):
        assert hosting.invoke(endpoint, text, Accept=accept)["Body"].decode() == lines
    answer = hosting.invoke(endpoint, text, Accept="application/json")
    assert answer["Body"].decode() == json.dumps({"predictions": [{"score": row} for row in rows]})
    assert answer["ContentType"] == "application/json"
    error = model_error(hosting, endpoint, text, Accept="application/jsonlines")
    assert error["OriginalStatusCode"] == 500 and "cannot be produced without selectable inference" in error["OriginalMessage"]


@pytest.mark.parametrize("image", [LEGACY_IMAGE, MODERN_IMAGE], ids=["oldest", "1.7-1"])
def test_accept_names_an_output(hosting, image):
    """Whatever the image, `output=NAME` chooses what is answered, in any form."""
    x = models.data("multi:softprob")[0][:3]
    booster = models.booster("multi:softprob")
    endpoint = hosting.serve(models.archive({"xgboost-model": models.model_bytes(booster, "ubj")}), image=image)
    text, matrix = models.csv_text(x), xgboost.DMatrix(x)
    outputs = {"margin": booster.predict(matrix, output_margin=True), "leaf": booster.predict(matrix, pred_leaf=True),
               "probability": booster.predict(matrix)}
    for name, want in outputs.items():
        answer = hosting.invoke(endpoint, text, Accept=f"application/jsonlines; output={name}")
        assert answer["ContentType"] == "application/jsonlines"
        got = [json.loads(line)[name] for line in answer["Body"].decode().splitlines()]
        np.testing.assert_array_equal(np.array(got, np.float32), want.astype(np.float32))
        answer = hosting.invoke(endpoint, text, Accept=f'text/csv;output="{name}"')
        assert [len(line.split(",")) for line in answer["Body"].decode().splitlines()] == [want.shape[1]] * 3
    answer = hosting.invoke(endpoint, text, Accept="application/json;output=contributions")
    got = np.array([row["contributions"] for row in json.loads(answer["Body"])["predictions"]])
    np.testing.assert_allclose(got, booster.predict(matrix, pred_contribs=True).reshape(got.shape), rtol=1e-5, atol=1e-5)
    error = model_error(hosting, endpoint, text, Accept="text/csv;output=colour")
    assert error["OriginalStatusCode"] == 406 and "colour" in error["OriginalMessage"]


def test_the_environment_can_set_the_default_accept(hosting):
    endpoint = hosting.serve(models.constant_archive(2.5), image=MODERN_IMAGE,
                             environment={"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "application/json"})
    assert json.loads(hosting.invoke(endpoint, b"1,2")["Body"]) == {"predictions": [{"score": 2.5}]}
    assert hosting.invoke(endpoint, b"1,2", Accept="text/csv")["Body"] == b"2.5\n"


def test_every_spelling_of_the_content_types(hosting):
    endpoint = hosting.serve(models.constant_archive(1.0))
    for content_type in ("text/libsvm", "text/x-libsvm", "libsvm", "TEXT/LIBSVM", "text/libsvm; charset=utf-8"):
        assert hosting.invoke(endpoint, b"1 0:1 2:3\n0:5\n\n4", content_type)["Body"] == b"1.0,1.0,1.0"
    assert hosting.invoke(endpoint, b"1 0:1 2:3", None)["Body"] == b"1.0", "no content type is libsvm"
    for content_type in ("text/csv", "csv", "text/csv; charset=utf-8", "text/csv;label_size=1"):
        assert hosting.invoke(endpoint, b"1,2\n\n3,\n", content_type)["Body"] == b"1.0,1.0"


def test_numbers_are_written_as_python_writes_them(hosting):
    values = [0.1, 1e-5, 1e16, 123456.789, -0.25, 3e38, 7.0]
    for i, value in enumerate(values):
        endpoint = hosting.serve(models.constant_archive(value), name=f"n{i}")
        want = repr(float(models_prediction(value)))
        assert hosting.invoke(endpoint, b"1,2")["Body"].decode() == want


def models_prediction(value: float) -> np.float32:
    """What the constant model predicts in stock xgboost."""
    import io
    import tarfile

    with tarfile.open(fileobj=io.BytesIO(models.constant_archive(value))) as tar:
        model = xgboost.Booster(model_file=bytearray(tar.extractfile("xgboost-model").read()))
    return model.predict(xgboost.DMatrix(np.array([[1, 2, 0, 0, 0, 0]], dtype=np.float32)))[0]


def model_error(hosting, endpoint, body, content_type="text/csv", **more) -> dict:
    with pytest.raises(ClientError) as caught:
        hosting.invoke(endpoint, body, content_type, **more)
    response = caught.value.response
    assert response["Error"]["Code"] == "ModelError"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
    return response


def test_model_errors_are_wrapped_with_the_containers_status_and_text(hosting):
    endpoint = hosting.serve(models.constant_archive(1.0), image=MODERN_IMAGE)
    error = model_error(hosting, endpoint, b"1,abc\n")
    assert error["OriginalStatusCode"] == 415
    assert error["OriginalMessage"].startswith(
        "Loading csv data failed with Exception, please ensure data is in csv format:\n <class 'ValueError'>\n ")
    assert error["LogStreamArn"] == f"arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/Endpoints/{endpoint}"
    assert error["Error"]["Message"] == (
        f"Received client error (415) from primary with message \"{error['OriginalMessage']}\". See "
        f"https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#logEventViewer:group=/aws/sagemaker/"
        f"Endpoints/{endpoint} in account 123456789012 for more information.")
    error = model_error(hosting, endpoint, b"1 a:b\n", "text/libsvm")
    assert error["OriginalStatusCode"] == 415
    assert error["OriginalMessage"].startswith("Loading libsvm data failed with Exception, please ensure data is in libsvm")
    error = model_error(hosting, endpoint, b"{}", "application/json")
    assert error["OriginalStatusCode"] == 415
    assert "application/json is not an accepted ContentType: csv, libsvm, parquet" in error["OriginalMessage"]
    error = model_error(hosting, endpoint, b"1,2,3,4,5,6,7")
    assert error["OriginalStatusCode"] == 400
    assert error["OriginalMessage"].startswith(
        "Unable to evaluate payload provided: Number of columns does not match number of features in booster.")
    error = model_error(hosting, endpoint, b"0:1 9:1", "text/libsvm")
    assert error["OriginalStatusCode"] == 400
    error = model_error(hosting, endpoint, b"1,2", Accept="image/png")
    assert (error["OriginalStatusCode"], error["OriginalMessage"]) == (406, ACCEPT_TEXT.format("image/png"))
    error = model_error(hosting, endpoint, b"1,2", Accept="application/x-recordio-protobuf")
    assert error["OriginalStatusCode"] == 500
    assert "Received server error (500) from primary" in error["Error"]["Message"]


def test_an_empty_body_has_no_content(hosting):
    endpoint = hosting.serve(models.constant_archive(1.0))
    answer = hosting.invoke(endpoint, b"")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert answer["Body"] == b""


def test_attributes_travel_with_the_request(hosting):
    endpoint = hosting.serve(models.constant_archive(1.0))
    answer = hosting.invoke(endpoint, b"1,2", CustomAttributes="trace=abc; x", InferenceId="id-1")
    assert answer["CustomAttributes"] == "trace=abc; x"
    assert "CustomAttributes" not in hosting.invoke(endpoint, b"1,2")


def validation_error(hosting, endpoint, **more) -> str:
    with pytest.raises(ClientError) as caught:
        hosting.invoke(endpoint, b"1,2", **more)
    assert caught.value.response["Error"]["Code"] == "ValidationError"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return caught.value.response["Error"]["Message"]


def test_requests_an_endpoint_cannot_take(hosting, unique):
    assert validation_error(hosting, unique) == f"Endpoint {unique} of account 123456789012 not found."
    endpoint = hosting.serve(models.constant_archive(1.0))
    assert validation_error(hosting, endpoint.upper()).endswith("not found."), "the case of the name counts here"
    assert validation_error(hosting, endpoint, TargetModel="x.tar.gz") == (
        f"Endpoint {endpoint} is not a multi-model endpoint and does not support target model header.")
    assert validation_error(hosting, endpoint, TargetVariant="other") == f"Variant other of endpoint {endpoint} not found."
    assert "has no inference components" in validation_error(hosting, endpoint, InferenceComponentName="c")
    assert "stateful sessions" in validation_error(hosting, endpoint, SessionId="NEW_SESSION")
    assert "'inferenceId'" in validation_error(hosting, endpoint, InferenceId="x" * 65)


def test_a_payload_over_the_limit_is_refused(hosting):
    endpoint = hosting.serve(models.constant_archive(1.0))
    line = b"1,2,3,4,5,6\n"
    fitting = line * (6291456 // len(line))
    assert hosting.invoke(endpoint, fitting)["Body"].count(b",") == 6291456 // len(line) - 1
    with pytest.raises(ClientError) as caught:
        hosting.invoke(endpoint, fitting + line)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert "larger than 6291456 bytes" in caught.value.response["Error"]["Message"]
    limited = hosting.serve(models.constant_archive(1.0), name="limited", environment={"MAX_CONTENT_LENGTH": "8"})
    assert hosting.invoke(limited, b"1,2,3,45")["Body"] == b"1.0"
    assert model_error(hosting, limited, b"1,2,3,456")["OriginalStatusCode"] == 413


def test_mnist_batches_as_the_notebook_sends_them(hosting, mnist_small, mnist_small_libsvm):
    images, labels = mnist_small["train"]
    x = np.full((len(images), 785), np.nan, dtype=np.float32)
    x[:, 1:] = images
    model = xgboost.train({"objective": "multi:softmax", "num_class": 10, "max_depth": 5, "eta": 0.2},
                          xgboost.DMatrix(x, labels), 5)
    endpoint = hosting.serve(models.archive({"xgboost-model": models.model_bytes(model, "ubj")}))
    test = np.full((100, 785), np.nan, dtype=np.float32)
    test[:, 1:] = mnist_small["test"][0][:100]
    batch = b"\n".join(mnist_small_libsvm["test"].split(b"\n")[:100])
    answer = hosting.invoke(endpoint, batch, "text/x-libsvm")["Body"].decode()
    assert [float(v) for v in answer.split(",")] == model.predict(xgboost.DMatrix(test)).tolist()
