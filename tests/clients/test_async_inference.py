"""InvokeEndpointAsync as boto3 and the SageMaker SDK use it: the answer is an object, so is the failure."""

import json
import time

import pytest
from botocore.exceptions import ClientError
from harness import models
from harness.polling import poll


def async_config(bucket: str, **client) -> dict:
    config = {"OutputConfig": {"S3OutputPath": f"s3://{bucket}/out", "S3FailurePath": f"s3://{bucket}/failed"}}
    if client:
        config["ClientConfig"] = client
    return config


class AsyncEndpoint:
    """An asynchronous endpoint and what its requests end with."""

    def __init__(self, clients, bucket: str, unique: str, **client):
        self.clients = clients
        self.bucket = bucket
        self.hosting = models.Hosting(clients, bucket, unique)
        self.model = self.hosting.model("m", models.constant_archive(4.0))
        config = self.hosting.config("c", {"AllTraffic": (self.model, 1)}, AsyncInferenceConfig=async_config(bucket, **client))
        self.name = self.hosting.endpoint("e", config)

    def put(self, key: str, body: bytes, content_type: str = "text/csv") -> str:
        self.clients.s3.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType=content_type)
        return f"s3://{self.bucket}/{key}"

    def invoke(self, **request) -> dict:
        return self.clients.sagemaker_runtime.invoke_endpoint_async(EndpointName=self.name, **request)

    def read(self, uri: str) -> dict | None:
        """The object, with Body read; None while it is not there."""
        bucket, key = uri.removeprefix("s3://").split("/", 1)
        try:
            answer = self.clients.s3.get_object(Bucket=bucket, Key=key)
        except self.clients.s3.exceptions.NoSuchKey:
            return None
        return {**answer, "Body": answer["Body"].read()}

    def output(self, accepted: dict) -> dict:
        found = poll(lambda: self.read(accepted["OutputLocation"]))
        assert found, self.read(accepted["FailureLocation"])
        return found

    def failure(self, accepted: dict) -> str:
        found = poll(lambda: self.read(accepted["FailureLocation"]))
        assert found and not self.read(accepted["OutputLocation"])
        return found["Body"].decode()


@pytest.fixture
def endpoint(clients, bucket, unique):
    return AsyncEndpoint(clients, bucket, unique, MaxConcurrentInvocationsPerInstance=2)


def error_of(call, **request) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_the_answer_is_an_object(clients, endpoint, bucket):
    accepted = endpoint.invoke(InputLocation=endpoint.put("in", b"1,2\n3,4"), ContentType="text/csv", InferenceId="mine")
    assert accepted["ResponseMetadata"]["HTTPStatusCode"] == 202 and accepted["InferenceId"] == "mine"
    assert accepted["OutputLocation"].startswith(f"s3://{bucket}/out/") and accepted["OutputLocation"].endswith(".out")
    stem = accepted["OutputLocation"].rsplit("/", 1)[1].removesuffix(".out")
    assert accepted["FailureLocation"] == f"s3://{bucket}/failed/{stem}-error.out"
    output = endpoint.output(accepted)
    assert output["Body"] == b"4.0,4.0" and output["ContentType"].startswith("text/csv")
    described = clients.sagemaker.describe_endpoint(EndpointName=endpoint.name)
    assert described["AsyncInferenceConfig"] == async_config(bucket, MaxConcurrentInvocationsPerInstance=2)
    config = clients.sagemaker.describe_endpoint_config(EndpointConfigName=described["EndpointConfigName"])
    assert config["AsyncInferenceConfig"] == described["AsyncInferenceConfig"]


def test_asynchronous_answers_are_captured(clients, bucket, unique):
    """As those of other endpoints; a payload that is larger than what may wait to be captured is answered all the same."""
    hosting = models.Hosting(clients, bucket, unique)
    model = hosting.model("m", models.constant_archive(4.0))
    name = hosting.endpoint("e", hosting.config(
        "c", {"AllTraffic": (model, 1)}, AsyncInferenceConfig=async_config(bucket), DataCaptureConfig={
            "EnableCapture": True, "InitialSamplingPercentage": 100, "DestinationS3Uri": f"s3://{bucket}/captured",
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]}}))
    for key, body in (("small", b"1,2"), ("large", b"1,2,3,4,5,6\n" * 6_000_000)):
        clients.s3.put_object(Bucket=bucket, Key=key, Body=body)
        accepted = clients.sagemaker_runtime.invoke_endpoint_async(
            EndpointName=name, InputLocation=f"s3://{bucket}/{key}", ContentType="text/csv", InferenceId=key)
        stored = accepted["OutputLocation"].removeprefix(f"s3://{bucket}/")
        assert poll(lambda: clients.s3.list_objects_v2(Bucket=bucket, Prefix=stored)["KeyCount"] == 1, 60)
    keys = poll(lambda: clients.s3.list_objects_v2(Bucket=bucket, Prefix="captured/").get("Contents"))
    lines = [json.loads(line) for key in keys
             for line in clients.s3.get_object(Bucket=bucket, Key=key["Key"])["Body"].read().splitlines()]
    (line,) = lines
    assert line["captureData"]["endpointInput"]["data"] == "1,2" and line["captureData"]["endpointOutput"]["data"] == "4.0"
    assert line["eventMetadata"]["inferenceId"] == "small"


def test_the_payload_may_come_along_and_names_may_be_given(endpoint, bucket):
    accepted = endpoint.invoke(Body=b"1,2", ContentType="text/csv", S3OutputPathExtension="day/1", Filename="answer.csv",
                               RequestTTLSeconds=60, InvocationTimeoutSeconds=30)
    assert accepted["OutputLocation"] == f"s3://{bucket}/out/day/1/answer.csv"
    assert endpoint.output(accepted)["Body"] == b"4.0"
    assert accepted["InferenceId"]
    by_object = endpoint.invoke(InputLocation=endpoint.put("rows", b"5 0:1 1:2", "text/x-libsvm"))
    assert endpoint.output(by_object)["Body"] == b"4.0", "without a content type the object's counts"


def test_what_fails_says_why(endpoint, bucket):
    missing = endpoint.invoke(InputLocation=f"s3://{bucket}/nowhere", ContentType="text/csv")
    assert endpoint.failure(missing) == (
        f"ClientError: The input s3://{bucket}/nowhere cannot be read: The specified key does not exist.")
    refused = endpoint.invoke(InputLocation=endpoint.put("bad", b"1,2,3,4,5,6,7,8,9"), ContentType="text/csv")
    with pytest.raises(ClientError) as caught:
        real_time(endpoint).invoke(endpoint.name + "-now", b"1,2,3,4,5,6,7,8,9")
    assert endpoint.failure(refused) == caught.value.response["OriginalMessage"], "the words of the model itself"


def real_time(endpoint: AsyncEndpoint) -> models.Hosting:
    """The same model behind a real-time endpoint called NAME-now."""
    hosting = endpoint.hosting
    hosting.endpoint("e-now", hosting.config("now", {"AllTraffic": (endpoint.model, 1)}))
    return hosting


def test_each_kind_of_endpoint_takes_its_own_invocations(clients, endpoint):
    runtime = clients.sagemaker_runtime
    real_time(endpoint)
    now = endpoint.name + "-now"
    assert error_of(runtime.invoke_endpoint, EndpointName=endpoint.name, Body=b"1,2", ContentType="text/csv") == (
        "ValidationError", f"Endpoint {endpoint.name} does not support InvokeEndpoint: it is an asynchronous endpoint; "
                           "call InvokeEndpointAsync.")
    assert error_of(runtime.invoke_endpoint_async, EndpointName=now, Body=b"1,2") == (
        "ValidationError", f"Endpoint {now} does not support InvokeEndpointAsync: its configuration has no "
                           "AsyncInferenceConfig.")
    code, text = error_of(runtime.invoke_endpoint_async, EndpointName="nobody", Body=b"1,2")
    assert code == "ValidationError" and text.startswith("Endpoint nobody of account ")


@pytest.mark.parametrize(("request_members", "text"), [
    ({}, "Body and InputLocation are mutually exclusive. Provide exactly one of them."),
    ({"Body": b"1", "InputLocation": "s3://b/k"}, "Body and InputLocation are mutually exclusive. Provide exactly one of "
                                                  "them."),
    ({"Body": b"1", "RequestTTLSeconds": 59}, "'59' at 'requestTTLSeconds' failed to satisfy constraint: Member must have "
                                              "value greater than or equal to 60"),
    ({"Body": b"1", "InvocationTimeoutSeconds": 3601}, "'3601' at 'invocationTimeoutSeconds' failed to satisfy constraint: "
                                                       "Member must have value less than or equal to 3600"),
    ({"InputLocation": "file:///etc/passwd"}, "'file:///etc/passwd' at 'inputLocation'"),
    ({"Body": b"1", "Filename": "a.b.c"}, "'a.b.c' at 'filename'"),
    ({"Body": b"1", "S3OutputPathExtension": "a b"}, "'a b' at 's3OutputPathExtension'"),
])
def test_what_the_shape_forbids_is_refused(endpoint, request_members, text):
    def call(**request):
        # The client checks minima itself, so they are left to the server.
        runtime = endpoint.clients.session.client("sagemaker-runtime", endpoint_url=endpoint.clients.server.endpoint_url,
                                                  config=no_client_checks())
        return runtime.invoke_endpoint_async(EndpointName=endpoint.name, **request)

    code, message = error_of(call, **request_members)
    assert code == "ValidationError" and text in message


def no_client_checks():
    import botocore.config

    return botocore.config.Config(parameter_validation=False, retries={"total_max_attempts": 1})


def test_a_payload_of_more_than_128000_bytes_has_to_be_an_object(endpoint):
    assert endpoint.output(endpoint.invoke(Body=b"1,2\n" * 32_000, ContentType="text/csv"))
    with pytest.raises(ClientError) as caught:
        endpoint.invoke(Body=b"1,2\n" * 32_000 + b"1", ContentType="text/csv")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


def test_configurations_that_cannot_be_honoured_are_refused(clients, endpoint, bucket, unique):
    def refused(name: str, shadows=None, **changes) -> str:
        config = async_config(bucket)
        config["OutputConfig"].update(changes)
        code, text = error_of(endpoint.hosting.config, name=name, variants={"a": (endpoint.model, 1)}, shadows=shadows,
                              AsyncInferenceConfig=config)
        assert code == "ValidationException"
        return text

    topic = {"SuccessTopic": "arn:aws:sns:us-east-1:123456789012:t"}
    assert refused("n", NotificationConfig=topic).startswith(
        "AsyncInferenceConfig.OutputConfig.NotificationConfig is not supported: there is no SNS here")
    assert "KmsKeyId is not supported" in refused("k", KmsKeyId="key")
    assert refused("s", shadows={"b": (endpoint.model, 1)}) == (
        "ShadowProductionVariants is not supported together with AsyncInferenceConfig.")
    code, text = error_of(endpoint.hosting.config, name="o", variants={"a": (endpoint.model, 1)},
                          AsyncInferenceConfig={"OutputConfig": {}})
    assert (code, text) == ("ValidationException", "AsyncInferenceConfig needs OutputConfig.S3OutputPath.")


def test_requests_wait_while_there_is_no_instance(clients, endpoint):
    sagemaker = clients.sagemaker

    def set_instances(count: int) -> None:
        sagemaker.update_endpoint_weights_and_capacities(EndpointName=endpoint.name, DesiredWeightsAndCapacities=[
            {"VariantName": "AllTraffic", "DesiredInstanceCount": count}])

    set_instances(0)
    accepted = [endpoint.invoke(Body=b"1,2", ContentType="text/csv") for _ in range(5)]
    assert poll(lambda: metric(clients, "HasBacklogWithoutCapacity", "Maximum", endpoint.name) == 1)
    assert metric(clients, "ApproximateBacklogSize", "Maximum", endpoint.name) == 5
    assert not any(endpoint.read(each["OutputLocation"]) for each in accepted)
    set_instances(1)
    assert [endpoint.output(each)["Body"] for each in accepted] == [b"4.0"] * 5
    which = {"variant": "AllTraffic"}
    assert poll(lambda: metric(clients, "InvocationsProcessed", "Sum", endpoint.name, **which) == 5)
    assert metric(clients, "TimeInBacklog", "Maximum", endpoint.name, **which) > 0
    assert metric(clients, "TotalProcessingTime", "SampleCount", endpoint.name, **which) == 5
    assert metric(clients, "ModelLatency", "SampleCount", endpoint.name, **which) == 5
    assert metric(clients, "Invocations", "Sum", endpoint.name, **which) is None


def metric(clients, name: str, statistic: str, endpoint: str, variant: str | None = None) -> float | None:
    dimensions = [{"Name": "EndpointName", "Value": endpoint}]
    if variant:
        dimensions.append({"Name": "VariantName", "Value": variant})
    points = clients.cloudwatch.get_metric_statistics(
        Namespace="AWS/SageMaker", MetricName=name, Dimensions=dimensions, StartTime=time.time() - 3600,
        EndTime=time.time() + 60, Period=86400, Statistics=[statistic])["Datapoints"]
    return sum(point[statistic] for point in points) if points else None


def test_a_deleted_endpoint_ends_what_waits(clients, endpoint):
    clients.sagemaker.update_endpoint_weights_and_capacities(EndpointName=endpoint.name, DesiredWeightsAndCapacities=[
        {"VariantName": "AllTraffic", "DesiredInstanceCount": 0}])
    accepted = endpoint.invoke(Body=b"1,2", ContentType="text/csv")
    clients.sagemaker.delete_endpoint(EndpointName=endpoint.name)
    assert endpoint.failure(accepted) == f"ClientError: The endpoint {endpoint.name} was deleted."


def test_asynchronous_endpoints_may_scale_to_nothing(clients, endpoint):
    which = {"ServiceNamespace": "sagemaker", "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
             "ResourceId": f"endpoint/{endpoint.name}/variant/AllTraffic"}
    clients.application_autoscaling.register_scalable_target(**which, MinCapacity=0, MaxCapacity=0)
    sagemaker = clients.sagemaker
    assert poll(lambda: sagemaker.describe_endpoint(EndpointName=endpoint.name)["ProductionVariants"][0][
        "DesiredInstanceCount"] == 0)
    accepted = endpoint.invoke(Body=b"1,2", ContentType="text/csv")
    clients.application_autoscaling.register_scalable_target(**which, MinCapacity=1, MaxCapacity=1)
    assert endpoint.output(accepted)["Body"] == b"4.0"
    clients.application_autoscaling.deregister_scalable_target(**which)


def test_the_sdks_asynchronous_predictor(clients, shared_server, bucket, unique, sdk_session):
    from sagemaker.async_inference import AsyncInferenceConfig
    from sagemaker.deserializers import CSVDeserializer
    from sagemaker.exceptions import AsyncInferenceModelError, ObjectNotExistedError
    from sagemaker.model import Model
    from sagemaker.predictor import Predictor
    from sagemaker.serializers import CSVSerializer

    url = models.Hosting(clients, bucket, unique).put(unique, models.constant_archive(4.0))
    model = Model(models.LEGACY_IMAGE, url, role=models.ROLE, predictor_cls=Predictor, sagemaker_session=sdk_session)
    predictor = model.deploy(
        initial_instance_count=1, instance_type="ml.m5.large", endpoint_name=unique, wait=False,
        async_inference_config=AsyncInferenceConfig(max_concurrent_invocations_per_instance=4))
    predictor.serializer, predictor.deserializer = CSVSerializer(), CSVDeserializer()

    def result(response):
        """What get_result gives; its own waiter leaves threads behind that outlive the test."""
        try:
            return response.get_result()
        except ObjectNotExistedError:
            return None

    response = predictor.predict_async(data=[[1, 2], [3, 4]])
    assert poll(lambda: result(response)) == [["4.0", "4.0"]]
    failing = predictor.predict_async(data=[list(range(9))])
    with pytest.raises(AsyncInferenceModelError, match="Unable to evaluate payload"):
        poll(lambda: result(failing))
    predictor.delete_endpoint()
