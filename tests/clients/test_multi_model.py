"""Multi-model endpoints through boto3 and the SageMaker SDK: one endpoint, any number of archives below a prefix."""

import concurrent.futures
import json
import time

import pytest
from botocore.exceptions import ClientError
from harness import models
from harness.clients import Clients
from harness.models import LEGACY_IMAGE, MODERN_IMAGE, ROLE
from harness.polling import poll

ARCHIVES = {value: models.constant_archive(float(value)) for value in range(4)}


class MultiModel(models.Hosting):
    """Models of Mode MultiModel over the folder <prefix>/ of the test's bucket."""

    def add(self, name: str, value: int) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=f"{self.prefix}/{name}", Body=ARCHIVES[value])

    def multi_model(self, name: str = "m", *, image: str = LEGACY_IMAGE, **more) -> str:
        full = f"{self.prefix}-{name}"
        self.sagemaker.create_model(ModelName=full, ExecutionRoleArn=ROLE, PrimaryContainer={
            "Image": image, "Mode": "MultiModel", "ModelDataUrl": f"s3://{self.bucket}/{self.prefix}/", **more})
        return full

    def serve_all(self, **more) -> str:
        return self.endpoint("e", self.config("c", {"AllTraffic": (self.multi_model(**more), 1)}))

    def ask(self, endpoint: str, target: str, body: bytes = b"1,2", **more) -> str:
        return self.invoke(endpoint, body, TargetModel=target, **more)["Body"].decode()


@pytest.fixture
def hosting(clients, bucket, unique):
    return MultiModel(clients, bucket, unique)


def refused(call, *arguments, **request) -> tuple[str, str]:
    """(code, text) of the error that the call must end in."""
    with pytest.raises(ClientError) as caught:
        call(*arguments, **request)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_archives_are_invoked_by_name_without_an_update(hosting):
    hosting.add("one.tar.gz", 1)
    endpoint = hosting.serve_all()
    described = hosting.sagemaker.describe_model(ModelName=f"{hosting.prefix}-m")["PrimaryContainer"]
    assert described == {"Image": LEGACY_IMAGE, "Mode": "MultiModel", "Environment": {},
                         "ModelDataUrl": f"s3://{hosting.bucket}/{hosting.prefix}/"}
    answer = hosting.invoke(endpoint, b"1,2\n3,4", TargetModel="one.tar.gz")
    assert (answer["Body"], answer["ContentType"]) == (b"1.0,1.0", "text/csv; charset=utf-8")
    assert answer["InvokedProductionVariant"] == "AllTraffic"
    hosting.add("regions/north/two.tar.gz", 2)
    assert hosting.ask(endpoint, "regions/north/two.tar.gz") == "2.0"
    assert hosting.ask(endpoint, "/regions/north/two.tar.gz") == "2.0", "as SDKs list names of a prefix without a slash"
    hosting.add("one.tar.gz", 3)
    assert hosting.ask(endpoint, "one.tar.gz") == "1.0", "AWS: an overwritten model may be served until it is unloaded"
    hosting.s3.delete_object(Bucket=hosting.bucket, Key=f"{hosting.prefix}/one.tar.gz")
    assert hosting.ask(endpoint, "one.tar.gz") == "1.0"
    hosting.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=f"{hosting.prefix}-c")
    hosting.sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=endpoint, WaiterConfig={"Delay": 1})
    code, text = refused(hosting.ask, endpoint, "one.tar.gz")
    assert (code, text) == ("ValidationError", (
        f"Failed to download model data(bucket: {hosting.bucket}, key: {hosting.prefix}/one.tar.gz). Please ensure that "
        "there is an object located at the URL and that the role passed to CreateModel has permissions to download the "
        "model."))
    assert hosting.ask(endpoint, "regions/north/two.tar.gz") == "2.0"


def test_a_target_is_named_exactly_when_there_are_several(hosting, unique):
    hosting.add("one.tar.gz", 1)
    endpoint = hosting.serve_all()
    code, text = refused(hosting.invoke, endpoint, b"1,2")
    assert code == "ValidationError" and "is missing a target model header" in text
    single = hosting.serve(ARCHIVES[0], name="single")
    with pytest.raises(ClientError) as caught:
        hosting.ask(single, "one.tar.gz")
    assert caught.value.response["Error"]["Message"] == (
        f"Endpoint {single} is not a multi-model endpoint and does not support target model header.")
    hosting.s3.put_object(Bucket=hosting.bucket, Key="outside.tar.gz", Body=ARCHIVES[2])
    for path in ("../outside.tar.gz", "a/../../outside.tar.gz", "..", "./one.tar.gz"):
        code, text = refused(hosting.ask, endpoint, path)
        assert code == "ValidationError" and "is not below the endpoint's prefix" in text
    code, text = refused(hosting.ask, endpoint, "x" * 1025)
    assert code == "ValidationError" and "less than or equal to 1024" in text
    for path in ("%2e%2e/outside.tar.gz", "no/such", "one.tar.gz/", "one.tar.gz\\..", " one.tar.gz".strip() + "?"):
        assert refused(hosting.ask, endpoint, path)[1].startswith("Failed to download model data(bucket: ")


def test_archives_that_hold_no_model_are_model_errors(hosting):
    hosting.add("one.tar.gz", 1)
    endpoint = hosting.serve_all()
    hosting.s3.put_object(Bucket=hosting.bucket, Key=f"{hosting.prefix}/bad.tar.gz", Body=b"no archive")
    for _ in range(2):
        with pytest.raises(ClientError) as caught:
            hosting.ask(endpoint, "bad.tar.gz")
        answer = caught.value.response
        assert (answer["Error"]["Code"], answer["OriginalStatusCode"]) == ("ModelError", 500)
        assert answer["OriginalMessage"].startswith("Unable to load model: The model archive s3://")
    hosting.s3.put_object(Bucket=hosting.bucket, Key=f"{hosting.prefix}/bad.tar.gz", Body=ARCHIVES[3])
    assert hosting.ask(endpoint, "bad.tar.gz") == "3.0", "failures are not kept"


def test_the_multi_model_container_answers_in_its_own_way(hosting):
    hosting.add("one.tar.gz", 1)
    endpoint = hosting.serve_all(image=MODERN_IMAGE)
    assert hosting.ask(endpoint, "one.tar.gz", b"1,2\n3,4", Accept="*/*") == "1.0,1.0", "one line in every image"
    assert json.loads(hosting.ask(endpoint, "one.tar.gz", b"1,2\n3,4", Accept="application/json")) == [1.0, 1.0]
    with pytest.raises(ClientError) as caught:
        hosting.ask(endpoint, "one.tar.gz", Accept="application/jsonlines")
    assert caught.value.response["OriginalStatusCode"] == 415
    assert "is not an accepted Accept type" in caught.value.response["OriginalMessage"]
    body = hosting.ask(endpoint, "one.tar.gz", b"1,2", Accept="application/jsonlines;output=margin")
    assert json.loads(body) == {"margin": 1.0}


def test_requests_that_are_refused(hosting, unique):
    sm = hosting.sagemaker
    container = {"Image": LEGACY_IMAGE, "Mode": "MultiModel", "ModelDataUrl": f"s3://{hosting.bucket}/{unique}/"}

    def text(**container):
        return refused(sm.create_model, ModelName=unique, ExecutionRoleArn=ROLE, PrimaryContainer=container)[1]

    assert text(**container) == f"Could not find model data at s3://{hosting.bucket}/{unique}/."
    hosting.add("one.tar.gz", 1)
    assert text(**{**container, "ModelDataUrl": "s3://no-such-bucket-anywhere/x/"}).startswith("Could not find model data")
    assert "MultiModelConfig needs Mode MultiModel" in text(
        Image=LEGACY_IMAGE, ModelDataUrl=hosting.put(unique, ARCHIVES[1]), MultiModelConfig={"ModelCacheSetting": "Enabled"})
    assert "'multimodel'" in text(**{**container, "Mode": "multimodel"})
    assert "enum value set" in text(**container, MultiModelConfig={"ModelCacheSetting": "On"})
    assert "SAGEMAKER_INFERENCE_OUTPUT" in text(**container, Environment={"SAGEMAKER_INFERENCE_OUTPUT": "probability"})
    source = {"S3DataSource": {"S3Uri": container["ModelDataUrl"], "S3DataType": "S3Prefix", "CompressionType": "None"}}
    assert text(Image=LEGACY_IMAGE, Mode="MultiModel", ModelDataSource=source).startswith("ModelDataSource is not supported")
    assert "Mode MultiModel" in text(Image=LEGACY_IMAGE, ModelDataUrl=hosting.put(unique, ARCHIVES[1]),
                                     Environment={"SAGEMAKER_MULTI_MODEL": "true"})
    model = hosting.multi_model()
    single = hosting.model("single", ARCHIVES[1])
    code, mixed = refused(hosting.config, "c", {"a": (model, 1), "b": (single, 1)})
    assert code == "ValidationException" and "must have the same Mode" in mixed
    code, text = refused(
        sm.create_transform_job, TransformJobName=unique, ModelName=model,
        TransformInput={"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{hosting.bucket}/x"}}},
        TransformOutput={"S3OutputPath": f"s3://{hosting.bucket}/out"},
        TransformResources={"InstanceType": "ml.m4.xlarge", "InstanceCount": 1})
    assert code == "ValidationException" and "does not support multi-model" in text


def test_without_caching_every_request_reads_the_archive(hosting):
    hosting.add("one.tar.gz", 1)
    endpoint = hosting.serve_all(MultiModelConfig={"ModelCacheSetting": "Disabled"})
    described = hosting.sagemaker.describe_model(ModelName=f"{hosting.prefix}-m")["PrimaryContainer"]
    assert described["MultiModelConfig"] == {"ModelCacheSetting": "Disabled"}
    assert hosting.ask(endpoint, "one.tar.gz") == "1.0"
    hosting.add("one.tar.gz", 2)
    assert hosting.ask(endpoint, "one.tar.gz") == "2.0"


def test_variants_shadows_capture_and_metrics(hosting, clients, unique):
    hosting.add("one.tar.gz", 1)
    model = hosting.multi_model()
    capture = {"InitialSamplingPercentage": 100, "DestinationS3Uri": f"s3://{hosting.bucket}/captured",
               "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
               "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]}}
    endpoint = hosting.endpoint("e", hosting.config("c", {"a": (model, 1), "b": (model, 1)}, {"s": (model, 2)},
                                                    DataCaptureConfig=capture))
    invoked = [hosting.invoke(endpoint, b"1,2", TargetModel="one.tar.gz")["InvokedProductionVariant"] for _ in range(8)]
    assert set(invoked) == {"a", "b"}
    assert hosting.invoke(endpoint, b"1,2", TargetModel="one.tar.gz", TargetVariant="b")["InvokedProductionVariant"] == "b"

    def metric(name: str, variant: str, statistic: str, namespace: str = "AWS/SageMaker") -> float:
        found = clients.cloudwatch.get_metric_data(
            StartTime=time.time() - 3600, EndTime=time.time() + 60, MetricDataQueries=[{"Id": "q", "MetricStat": {
                "Metric": {"Namespace": namespace, "MetricName": name, "Dimensions": [
                    {"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}]},
                "Period": 86400, "Stat": statistic}}])["MetricDataResults"][0]["Values"]
        return sum(found)

    assert metric("ModelCacheHit", "a", "SampleCount") == invoked.count("a")
    assert metric("ModelCacheHit", "a", "Sum") == invoked.count("a") - 1, "the first request loads the model"
    for name in ("ModelLoadingWaitTime", "ModelDownloadingTime", "ModelLoadingTime"):
        assert metric(name, "b", "SampleCount") == 1 and metric(name, "b", "Sum") > 0
    assert metric("LoadedModelCount", "a", "Maximum", "/aws/sagemaker/Endpoints") == 1
    assert poll(lambda: metric("ShadowRequests", "s", "Sum", "Espalier/Endpoints") == 9), "every request is mirrored"
    assert metric("ShadowIncomparable", "s", "Sum", "Espalier/Endpoints") == 0
    hosting.sagemaker.delete_endpoint(EndpointName=endpoint)  # what was captured is written by then
    keys = [o["Key"] for o in hosting.s3.list_objects_v2(Bucket=hosting.bucket, Prefix=f"captured/{endpoint}/")["Contents"]]
    assert {key.split("/")[2] for key in keys} >= {"a", "b"}
    record = json.loads(hosting.s3.get_object(Bucket=hosting.bucket, Key=keys[0])["Body"].read().splitlines()[0])
    assert record["captureData"]["endpointOutput"]["data"] == "1.0"


def test_more_models_than_memory_with_many_clients_and_kills(server_factory, tmp_path, unique):
    """300 archives through room for some hundreds of kilobytes; the server dies while they are loaded."""
    (tmp_path / "config.toml").write_text("[runtime]\nmulti_model_bytes_max = 1048576\n")
    server = server_factory(flags=("--config", str(tmp_path / "config.toml")))
    clients = Clients(server)
    clients.s3.create_bucket(Bucket=unique)
    hosting = MultiModel(clients, unique, unique)
    for i in range(300):
        hosting.add(f"{i}.tar.gz", i % 4)
    endpoint = hosting.serve_all()
    runtime = clients.client("sagemaker-runtime", max_pool_connections=8)

    def ask(i: int) -> bool:
        answer = runtime.invoke_endpoint(EndpointName=endpoint, Body=b"1,2", ContentType="text/csv",
                                         TargetModel=f"{i * 7 % 300}.tar.gz")
        return answer["Body"].read() == f"{i * 7 % 300 % 4}.0".encode()

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(600)))
        dying = [pool.submit(ask, i) for i in range(200)]
        server.kill9()
        concurrent.futures.wait(dying)
        server.start()
        assert hosting.sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointStatus"] == "InService"
        assert all(pool.map(ask, range(100)))
    assert not list((server.data_dir / "hosting" / "archives").iterdir()), "models of a prefix leave nothing on disk"


def test_the_sdk_deploys_adds_lists_and_predicts(server, clients, bucket, unique, sdk_session, tmp_path):
    from sagemaker.deserializers import CSVDeserializer
    from sagemaker.multidatamodel import MultiDataModel
    from sagemaker.predictor import Predictor
    from sagemaker.serializers import CSVSerializer

    for value in (1, 2):
        (tmp_path / f"model{value}.tar.gz").write_bytes(ARCHIVES[value])
    everything = MultiDataModel(name=unique, model_data_prefix=f"s3://{bucket}/{unique}/", image_uri=MODERN_IMAGE, role=ROLE,
                                sagemaker_session=sdk_session, predictor_cls=Predictor)
    everything.add_model(str(tmp_path / "model1.tar.gz"))
    predictor = everything.deploy(initial_instance_count=1, instance_type="ml.m5.xlarge", serializer=CSVSerializer(),
                                  deserializer=CSVDeserializer(), endpoint_name=unique)
    assert predictor.predict([[1, 2], [3, 4]], target_model="model1.tar.gz") == [["1.0", "1.0"]]
    everything.add_model(str(tmp_path / "model2.tar.gz"), "later/model2.tar.gz")
    assert sorted(everything.list_models()) == ["later/model2.tar.gz", "model1.tar.gz"]
    assert predictor.predict([[1, 2]], target_model="later/model2.tar.gz") == [["2.0"]]
    predictor.delete_model()
    predictor.delete_endpoint()
