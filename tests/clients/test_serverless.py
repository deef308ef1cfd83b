"""Serverless variants through boto3 and the SageMaker SDK: limits, concurrency, updates, what they do not go with."""

import concurrent.futures

import pytest
from botocore.exceptions import ClientError
from harness import models
from harness.clients import Clients
from harness.models import MODERN_IMAGE, ROLE, variant

MODEL = models.constant_archive(1.0)


@pytest.fixture
def hosting(clients, bucket, unique):
    return models.Hosting(clients, bucket, unique)


def serverless(name: str, model: str, memory: int = 2048, concurrency: int = 2, **more) -> dict:
    return {"VariantName": name, "ModelName": model,
            "ServerlessConfig": {"MemorySizeInMB": memory, "MaxConcurrency": concurrency, **more}}


def configure(hosting, name: str, variants: list[dict], **more) -> str:
    full = f"{hosting.prefix}-{name}"
    hosting.sagemaker.create_endpoint_config(EndpointConfigName=full, ProductionVariants=variants, **more)
    return full


def refused(call, *arguments, **request) -> str:
    with pytest.raises(ClientError) as caught:
        call(*arguments, **request)
    assert caught.value.response["Error"]["Code"] == "ValidationException", caught.value
    return caught.value.response["Error"]["Message"]


def shown(hosting, endpoint: str) -> dict:
    described = hosting.sagemaker.describe_endpoint(EndpointName=endpoint)
    assert described["EndpointStatus"] == "InService", described
    (variant,) = described["ProductionVariants"]
    return variant


def test_the_whole_life(server_factory, unique):
    server = server_factory()
    clients = Clients(server)
    clients.s3.create_bucket(Bucket=unique)
    hosting = models.Hosting(clients, unique, unique)
    model = hosting.model("m", MODEL)
    config = configure(hosting, "c", [serverless("v", model, ProvisionedConcurrency=1)])
    described = hosting.sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    wanted = {"MemorySizeInMB": 2048, "MaxConcurrency": 2, "ProvisionedConcurrency": 1}
    assert described == [{"VariantName": "v", "ModelName": model, "InitialVariantWeight": 1.0, "ServerlessConfig": wanted}]
    endpoint = hosting.endpoint("e", config)
    assert hosting.invoke(endpoint, b"1,2")["Body"] == b"1.0"
    assert shown(hosting, endpoint)["CurrentServerlessConfig"] == wanted
    assert shown(hosting, endpoint)["DesiredServerlessConfig"] == wanted
    update = hosting.sagemaker.update_endpoint_weights_and_capacities
    update(EndpointName=endpoint, DesiredWeightsAndCapacities=[
        {"VariantName": "v", "ServerlessUpdateConfig": {"MaxConcurrency": 7, "ProvisionedConcurrency": 5}}])
    wanted = {"MemorySizeInMB": 2048, "MaxConcurrency": 7, "ProvisionedConcurrency": 5}
    server.kill9()
    server.start()
    assert shown(hosting, endpoint)["CurrentServerlessConfig"] == wanted, "an update survives"
    assert hosting.invoke(endpoint, b"1,2")["Body"] == b"1.0"

    def change(**more) -> str:
        return refused(update, EndpointName=endpoint, DesiredWeightsAndCapacities=[{"VariantName": "v", **more}])

    assert "4 is more than 3" in change(ServerlessUpdateConfig={"MaxConcurrency": 3, "ProvisionedConcurrency": 4})
    assert "5 is more than 1" in change(ServerlessUpdateConfig={"MaxConcurrency": 1})
    assert "less than or equal to 200" in change(ServerlessUpdateConfig={"MaxConcurrency": 201})
    assert "is serverless: it has no DesiredInstanceCount" in change(DesiredInstanceCount=2)
    assert shown(hosting, endpoint)["CurrentServerlessConfig"] == wanted
    hosting.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=configure(
        hosting, "larger", [serverless("v", model, 6144, 200)]), RetainAllVariantProperties=True)
    hosting.sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=endpoint, WaiterConfig={"Delay": 1})
    assert shown(hosting, endpoint)["CurrentServerlessConfig"] == {"MemorySizeInMB": 6144, "MaxConcurrency": 200}
    hosting.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=configure(
        hosting, "instances", [variant("v", model, 1)]), RetainAllVariantProperties=True)
    hosting.sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=endpoint, WaiterConfig={"Delay": 1})
    assert shown(hosting, endpoint)["CurrentInstanceCount"] == 1
    assert "cannot become serverless" in refused(
        hosting.sagemaker.update_endpoint, EndpointName=endpoint, EndpointConfigName=config)
    assert "is not serverless" in change(ServerlessUpdateConfig={"MaxConcurrency": 1})


def test_what_serverless_variants_do_not_go_with(hosting, clients, unique):
    model = hosting.model("m", MODEL)

    def text(variants: list[dict], **more) -> str:
        return refused(configure, hosting, "c", variants, **more)

    good = serverless("v", model)
    for memory in (1025, 1536):
        assert text([serverless("v", model, memory)]) == (
            f"MemorySizeInMB must be one of 1024, 2048, 3072, 4096, 5120 and 6144: {memory}.")
    assert "'productionVariants.1.member.serverlessConfig.memorySizeInMB'" in text([serverless("v", model, 7168)])
    assert "less than or equal to 200" in text([serverless("v", model, concurrency=201)])
    assert "3 is more than 2" in text([serverless("v", model, ProvisionedConcurrency=3)])
    for member, value in (("InstanceType", "ml.m4.xlarge"), ("InitialInstanceCount", 1), ("VolumeSizeInGB", 5),
                          ("RoutingConfig", {"RoutingStrategy": "RANDOM"})):
        assert text([{**good, member: value}]) == (
            f'The variant "v" has ServerlessConfig: {member} cannot be given beside it.')
    capture = {"InitialSamplingPercentage": 10, "DestinationS3Uri": f"s3://{hosting.bucket}/x",
               "CaptureOptions": [{"CaptureMode": "Input"}]}
    unsupported = "A serverless endpoint does not support "
    assert text([good, serverless("w", model)]) == unsupported + "several production variants."
    assert text([good, variant("w", model, 1)]) == unsupported + "several production variants."
    assert text([good], ShadowProductionVariants=[variant("s", model, 1)]) == unsupported + "ShadowProductionVariants."
    assert text([good], DataCaptureConfig=capture) == unsupported + "DataCaptureConfig."
    assert text([good], EnableNetworkIsolation=True) == unsupported + "EnableNetworkIsolation."
    assert text([variant("w", model, 1)], ShadowProductionVariants=[good]) == (
        "ServerlessConfig cannot be given for a shadow variant.")
    hosting.s3.put_object(Bucket=hosting.bucket, Key="many/a.tar.gz", Body=MODEL)
    hosting.sagemaker.create_model(ModelName=unique, ExecutionRoleArn=ROLE, PrimaryContainer={
        "Image": MODERN_IMAGE, "Mode": "MultiModel", "ModelDataUrl": f"s3://{hosting.bucket}/many/"})
    assert "do not support multi-model containers" in text([serverless("v", unique)])
    endpoint = hosting.endpoint("e", configure(hosting, "c", [good]))
    scaling = clients.client("application-autoscaling")
    assert "is serverless: it has no instances to scale" in refused(
        scaling.register_scalable_target, ServiceNamespace="sagemaker", ResourceId=f"endpoint/{endpoint}/variant/v",
        ScalableDimension="sagemaker:variant:DesiredInstanceCount", MinCapacity=1, MaxCapacity=2)


def test_max_concurrency_bounds_what_runs_at_once(hosting, clients):
    model = hosting.model("m", MODEL)
    endpoint = hosting.endpoint("e", configure(hosting, "c", [serverless("v", model, concurrency=1)]))
    runtime = clients.client("sagemaker-runtime", max_pool_connections=8)
    body = b"1,2,3,4,5,6\n" * 100_000

    def invoke(_) -> str:
        try:
            answer = runtime.invoke_endpoint(EndpointName=endpoint, Body=body, ContentType="text/csv")
            return f"{len(answer['Body'].read().split(b','))} rows"
        except ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 429
            assert error.response["Error"]["Message"].startswith("Rate exceeded")
            return error.response["Error"]["Code"]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert set(pool.map(invoke, range(48))) == {"100000 rows", "ThrottlingException"}
        hosting.sagemaker.update_endpoint_weights_and_capacities(EndpointName=endpoint, DesiredWeightsAndCapacities=[
            {"VariantName": "v", "ServerlessUpdateConfig": {"MaxConcurrency": 8}}])
        assert set(pool.map(invoke, range(24))) == {"100000 rows"}, "eight may run for eight clients"


def test_the_sdk_deploys_serverless(server, clients, bucket, unique, sdk_session):
    from sagemaker.model import Model
    from sagemaker.predictor import Predictor
    from sagemaker.serializers import CSVSerializer
    from sagemaker.serverless import ServerlessInferenceConfig

    clients.s3.put_object(Bucket=bucket, Key="model.tar.gz", Body=MODEL)
    model = Model(image_uri=MODERN_IMAGE, model_data=f"s3://{bucket}/model.tar.gz", role=ROLE, name=unique,
                  sagemaker_session=sdk_session, predictor_cls=Predictor)
    predictor = model.deploy(serverless_inference_config=ServerlessInferenceConfig(memory_size_in_mb=4096, max_concurrency=10),
                             endpoint_name=unique, serializer=CSVSerializer())
    assert predictor.predict([[1, 2], [3, 4]]) == b"1.0\n1.0\n"
    (variant,) = clients.sagemaker.describe_endpoint(EndpointName=unique)["ProductionVariants"]
    assert variant["CurrentServerlessConfig"] == {"MemorySizeInMB": 4096, "MaxConcurrency": 10}
    predictor.delete_model()
    predictor.delete_endpoint()
