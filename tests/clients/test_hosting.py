"""Models, endpoint configurations, endpoints and tags through boto3: the whole life, every text, traffic, restarts."""

import base64
import concurrent.futures
import io
import json
import tarfile
import threading
import time

import numpy as np
import pytest
import xgboost
from botocore.exceptions import ClientError
from harness import jobs, models
from harness.clients import Clients
from harness.models import LEGACY_IMAGE, MODERN_IMAGE, ROLE, variant

ARN = "arn:aws:sagemaker:us-east-1:123456789012:"


@pytest.fixture
def hosting(clients, bucket, unique):
    return models.Hosting(clients, bucket, unique)


def refused(call, **request) -> str:
    """The text of the ValidationException that `call` must end in."""
    with pytest.raises(ClientError) as caught:
        call(**request)
    assert caught.value.response["Error"]["Code"] == "ValidationException", caught.value
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return caught.value.response["Error"]["Message"]


def poll(condition, seconds: float = 15.0):
    """The first true value of condition(), or the last one when time is up."""
    deadline = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return value


# -- life -------------------------------------------------------------------------------------------------------------


def test_the_whole_life_as_the_notebook_walks_it(hosting, unique):
    sm = hosting.sagemaker
    url = hosting.put(unique, models.constant_archive(3.0)).replace("s3://", "https://s3-us-east-1.amazonaws.com/")
    answer = sm.create_model(ModelName="M-" + unique, ExecutionRoleArn=ROLE,
                             PrimaryContainer={"Image": LEGACY_IMAGE, "ModelDataUrl": url})
    assert answer["ModelArn"] == f"{ARN}model/m-{unique}"
    model = sm.describe_model(ModelName="M-" + unique)
    assert model["PrimaryContainer"] == {
        "Image": LEGACY_IMAGE, "ModelDataUrl": url, "Mode": "SingleModel", "Environment": {},
        "ModelDataSource": {"S3DataSource": {"S3Uri": url, "S3DataType": "S3Object", "CompressionType": "Gzip"}}}
    assert (model["ModelArn"], model["ExecutionRoleArn"], model["EnableNetworkIsolation"]) == (
        answer["ModelArn"], ROLE, False)
    production = {"InstanceType": "ml.m4.xlarge", "InitialVariantWeight": 1, "InitialInstanceCount": 1,
                  "ModelName": "M-" + unique, "VariantName": "AllTraffic"}
    config = sm.create_endpoint_config(EndpointConfigName="C-" + unique, ProductionVariants=[production])
    assert config["EndpointConfigArn"] == f"{ARN}endpoint-config/c-{unique}"
    described = sm.describe_endpoint_config(EndpointConfigName="C-" + unique)
    assert described["ProductionVariants"] == [{**production, "InitialVariantWeight": 1.0}]
    started = time.monotonic()
    endpoint = sm.create_endpoint(EndpointName="E-" + unique, EndpointConfigName="C-" + unique)
    took = time.monotonic() - started
    assert endpoint["EndpointArn"] == f"{ARN}endpoint/e-{unique}"
    assert took < 3, "in service within 300 ms on a quiet machine"
    described = sm.describe_endpoint(EndpointName="E-" + unique)
    assert described["EndpointStatus"] == "InService"
    assert described["EndpointName"] == "E-" + unique
    assert described["EndpointConfigName"] == "C-" + unique
    (shown,) = described["ProductionVariants"]
    image = shown.pop("DeployedImages")[0]
    assert shown == {"VariantName": "AllTraffic", "CurrentWeight": 1.0, "DesiredWeight": 1.0,
                     "CurrentInstanceCount": 1, "DesiredInstanceCount": 1}
    assert image["SpecifiedImage"] == LEGACY_IMAGE
    assert image["ResolvedImage"].startswith(LEGACY_IMAGE.split(":")[0] + "@sha256:")
    sm.get_waiter("endpoint_in_service").wait(EndpointName="E-" + unique, WaiterConfig={"Delay": 1, "MaxAttempts": 1})
    assert hosting.invoke("E-" + unique, b"1,2")["Body"] == b"3.0"
    # predictor.delete_endpoint() of SDK 1 and 2 deletes the configuration first.
    sm.delete_endpoint_config(EndpointConfigName="C-" + unique)
    sm.delete_model(ModelName="M-" + unique)
    assert hosting.invoke("E-" + unique, b"1,2")["Body"] == b"3.0"
    sm.delete_endpoint(EndpointName="E-" + unique)
    sm.get_waiter("endpoint_deleted").wait(EndpointName="E-" + unique, WaiterConfig={"Delay": 1, "MaxAttempts": 1})
    with pytest.raises(ClientError, match="not found"):
        hosting.invoke("E-" + unique, b"1,2")


def test_an_endpoint_keeps_its_model_through_deletions_and_restarts(server_factory, unique):
    server = server_factory()
    clients = Clients(server)
    clients.s3.create_bucket(Bucket=unique)
    hosting = models.Hosting(clients, unique, unique)
    endpoint = hosting.serve(models.constant_archive(4.0))
    second = hosting.endpoint("e2", f"{unique}-e")
    hosting.sagemaker.delete_model(ModelName=f"{unique}-e")
    hosting.sagemaker.delete_endpoint_config(EndpointConfigName=f"{unique}-e")
    hosting.s3.delete_object(Bucket=unique, Key=f"{unique}-e/model.tar.gz")
    for stop in (server.stop, server.kill9):
        stop()
        server.start()
        assert hosting.invoke(endpoint, b"1,2")["Body"] == b"4.0"
        assert hosting.sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointStatus"] == "InService"
    archives = server.data_dir / "hosting" / "archives"
    assert len(list(archives.iterdir())) == 1, "two endpoints share one copy"
    hosting.sagemaker.delete_endpoint(EndpointName=endpoint)
    assert len(list(archives.iterdir())) == 1
    hosting.sagemaker.delete_endpoint(EndpointName=second)
    assert not list(archives.iterdir())


# -- models that cannot be served ---------------------------------------------------------------------------------------


def tar_with(*infos: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for info in infos:
            tar.addfile(info, io.BytesIO(b"x" * info.size))
    return buffer.getvalue()


def info(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size = kind, link, 1 if kind == tarfile.REGTYPE else 0
    return made


GOOD = models.constant_archive(1.0)
HOSTILE = {
    "empty": (b"", "the archive is empty (0 bytes)"),
    "text": (b"this is not an archive", "the archive is not in gzip format"),
    "plain_tar": (models.archive({"xgboost-model": b"x"}, "w"), "the archive is not in gzip format"),
    "truncated": (GOOD[:len(GOOD) // 2], "the archive is truncated"),
    "bad_crc": (GOOD[:-8] + b"\0\0\0\0" + GOOD[-4:], "the archive's gzip data are corrupt (incorrect data check)"),
    "no_model": (models.archive({"code/inference.py": b""}), "there is no model file in it"),
    "two_files": (models.archive({"a": b"x", "b": b"y"}), 'its member "a" cannot be read as a model'),
    "no_json": (models.archive({"xgboost-model": b"{\"learner\": 7}"}), "its member \"xgboost-model\" cannot be read as a model"),
    "pickle": (models.archive({"xgboost-model": b"\x80\x04\x95abc."}), "its member \"xgboost-model\" cannot be read as a model"),
    "symlink": (tar_with(info("xgboost-model", tarfile.SYMTYPE, "/etc/passwd")), "member \"xgboost-model\" is a symbolic link"),
    "hard_link": (tar_with(info("xgboost-model", tarfile.LNKTYPE, "x")), "member \"xgboost-model\" is a hard link"),
    "device": (tar_with(info("xgboost-model", tarfile.CHRTYPE)), "is a device, socket or pipe"),
    "dotted": (tar_with(info("../../etc/passwd")), "has a \"..\" in its name"),
    "absolute": (tar_with(info("/etc/passwd")), "has an absolute name"),
    "bomb": (models.archive({"xgboost-model": bytes(80 << 20)}), "unpacks to more than 200 times its size"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_archives_that_are_none_are_told_by_name(hosting, unique, case):
    body, reason = HOSTILE[case]
    url = hosting.put(unique, body)
    text = refused(hosting.sagemaker.create_model, ModelName=unique, ExecutionRoleArn=ROLE,
                   PrimaryContainer={"Image": LEGACY_IMAGE, "ModelDataUrl": url})
    assert text.startswith(f"The model archive {url} cannot be used: ") and reason in text
    assert refused(hosting.sagemaker.describe_model, ModelName=unique) == f'Could not find model "{ARN}model/{unique}".'


def test_model_requests_that_are_refused(hosting, unique):
    create = hosting.sagemaker.create_model
    url = hosting.put(unique, GOOD)
    container = {"Image": LEGACY_IMAGE, "ModelDataUrl": url}

    def text(**request):
        return refused(create, ModelName=unique, ExecutionRoleArn=ROLE, **request)

    for missing in (f"s3://{hosting.bucket}/no/such", "s3://no-such-bucket-anywhere/k", f"s3://{hosting.bucket}"):
        assert text(PrimaryContainer={**container, "ModelDataUrl": missing}).startswith("Could not find model data at s3://")
    assert text(PrimaryContainer={**container, "Image": "linear-learner:1"}).startswith("The image linear-learner:1 is not")
    assert text() == "Exactly one of PrimaryContainer and Containers must be given."
    assert "needs ModelDataUrl" in text(PrimaryContainer={"Image": LEGACY_IMAGE})
    assert text(Containers=[container, container]).startswith("Containers[1] is not supported: inference pipelines")
    assert text(PrimaryContainer=container, VpcConfig={"SecurityGroupIds": ["sg-1"], "Subnets": ["s-1"]}).startswith(
        "VpcConfig is not supported")
    for name in ("SAGEMAKER_PROGRAM", "SAGEMAKER_INFERENCE_OUTPUT"):
        assert f"environment variable {name} cannot" in text(PrimaryContainer={**container, "Environment": {name: "x"}})
    assert "MAX_CONTENT_LENGTH" in text(PrimaryContainer={**container, "Environment": {"MAX_CONTENT_LENGTH": "6MB"}})
    create(ModelName=unique, ExecutionRoleArn=ROLE, Containers=[container])
    assert hosting.sagemaker.describe_model(ModelName=unique)["Containers"][0]["ModelDataUrl"] == url
    for name in (unique, unique.upper()):
        assert refused(create, ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container) == (
            f'Cannot create already existing model "{ARN}model/{unique}".')
    assert refused(create, ModelName="bad_name", ExecutionRoleArn=ROLE, PrimaryContainer=container).startswith(
        "1 validation error detected: Value 'bad_name' at 'modelName' failed to satisfy constraint: ")


# -- configurations and endpoints: texts --------------------------------------------------------------------------------


def test_texts_for_what_is_not_there_or_there_already(hosting, unique):
    sm = hosting.sagemaker
    no_config, no_endpoint = (f'Could not find {noun} "{ARN}{kind}/{unique}".' for noun, kind in
                              (("endpoint configuration", "endpoint-config"), ("endpoint", "endpoint")))
    assert refused(sm.delete_model, ModelName=unique) == f'Could not find model "{ARN}model/{unique}".'
    assert refused(sm.describe_endpoint_config, EndpointConfigName=unique) == no_config
    assert refused(sm.delete_endpoint_config, EndpointConfigName=unique) == no_config
    assert refused(sm.create_endpoint, EndpointName=unique, EndpointConfigName=unique) == no_config
    assert refused(sm.describe_endpoint, EndpointName=unique) == no_endpoint
    assert refused(sm.delete_endpoint, EndpointName=unique) == no_endpoint
    assert refused(sm.update_endpoint, EndpointName=unique, EndpointConfigName=unique) == no_endpoint
    assert refused(sm.update_endpoint_weights_and_capacities, EndpointName=unique,
                   DesiredWeightsAndCapacities=[{"VariantName": "v", "DesiredWeight": 1}]) == no_endpoint
    assert refused(sm.create_endpoint_config, EndpointConfigName=unique,
                   ProductionVariants=[variant("v", unique, 1)]) == f'Could not find model "{ARN}model/{unique}".'
    endpoint = hosting.serve(GOOD)
    config = f"{unique}-e"
    assert refused(sm.create_endpoint_config, EndpointConfigName=config, ProductionVariants=[variant("v", config, 1)]) == (
        f'Cannot create already existing endpoint configuration "{ARN}endpoint-config/{config}".')
    assert refused(sm.create_endpoint, EndpointName=endpoint, EndpointConfigName=config) == (
        f'Cannot create already existing endpoint "{ARN}endpoint/{endpoint}".')
    assert refused(sm.update_endpoint, EndpointName=endpoint, EndpointConfigName=unique) == no_config
    other = hosting.config("other", {"v": (config, 1)})
    sm.delete_endpoint_config(EndpointConfigName=config)
    assert refused(sm.update_endpoint, EndpointName=endpoint, EndpointConfigName=other) == (
        f'Could not find endpoint configuration "{ARN}endpoint-config/{config}".')


def test_configurations_that_ask_for_what_is_not_built(hosting, unique):
    model = hosting.model("m", GOOD)
    good = variant("v", model, 1)

    def text(variants, **more):
        return refused(hosting.sagemaker.create_endpoint_config, EndpointConfigName=unique, ProductionVariants=variants, **more)

    assert text([good], AsyncInferenceConfig={"OutputConfig": {"S3OutputPath": "s3://b/k"}}).startswith("AsyncInferenceConfig")
    assert text([good], KmsKeyId="alias/key").startswith("KmsKeyId is not supported")
    assert text([good], VpcConfig={"SecurityGroupIds": ["sg-1"], "Subnets": ["s-1"]}).startswith("VpcConfig")
    assert text([good, good]) == 'The variant name "v" is used more than once.'
    assert text([good], ShadowProductionVariants=[good]) == 'The variant name "v" is used more than once.'
    assert text([{"VariantName": "v", "InstanceType": "ml.m4.xlarge", "InitialInstanceCount": 1}]) == (
        'The variant "v" needs ModelName.')
    assert text([{"VariantName": "v", "ModelName": model}]) == (
        'The variant "v" needs InstanceType and InitialInstanceCount, or ServerlessConfig.')
    capture = {"InitialSamplingPercentage": 10, "DestinationS3Uri": f"s3://{unique}-missing/x",
               "CaptureOptions": [{"CaptureMode": "Input"}]}
    assert "names a bucket that does not exist" in text([good], DataCaptureConfig=capture)
    config = hosting.config("c", {"v": (model, 1)})
    canary = {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": {"Type": "CANARY", "WaitIntervalInSeconds": 0}}}
    assert refused(hosting.sagemaker.create_endpoint, EndpointName=unique, EndpointConfigName=config,
                   DeploymentConfig=canary) == "CanarySize is required."
    at_once = {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}}}
    endpoint = hosting.endpoint("e", config, DeploymentConfig=at_once)
    assert hosting.sagemaker.describe_endpoint(EndpointName=endpoint)["LastDeploymentConfig"] == at_once


def test_model_data_that_vanished_fails_the_endpoint(hosting, unique):
    model = hosting.model("m", GOOD)
    config = hosting.config("c", {"v": (model, 1)})
    hosting.s3.delete_object(Bucket=hosting.bucket, Key=f"{model}/model.tar.gz")
    endpoint = hosting.endpoint("e", config)
    described = hosting.sagemaker.describe_endpoint(EndpointName=endpoint)
    assert described["EndpointStatus"] == "Failed"
    assert described["FailureReason"] == ("The container of production variant v could not be started: Could not find model "
                                          f"data at s3://{hosting.bucket}/{model}/model.tar.gz.")
    hosting.sagemaker.delete_endpoint(EndpointName=endpoint)


# -- traffic ------------------------------------------------------------------------------------------------------------


def invoked(hosting, endpoint: str, times: int) -> dict[str, int]:
    counts: dict[str, int] = {}
    for _ in range(times):
        answer = hosting.invoke(endpoint, b"1,2")
        key = answer["InvokedProductionVariant"] + "=" + answer["Body"].decode()
        counts[key] = counts.get(key, 0) + 1
    return counts


def test_traffic_is_split_by_weight_and_reweighted_live(hosting):
    first, second = hosting.model("m1", models.constant_archive(1.0)), hosting.model("m2", models.constant_archive(2.0))
    endpoint = hosting.endpoint("e", hosting.config("c", {"a": (first, 3), "b": (second, 1)}))
    counts = invoked(hosting, endpoint, 200)
    assert set(counts) == {"a=1.0", "b=2.0"}
    assert abs(counts["b=2.0"] - 50) <= 8
    assert hosting.invoke(endpoint, b"1,2", TargetVariant="b")["InvokedProductionVariant"] == "b"
    sm = hosting.sagemaker
    sm.update_endpoint_weights_and_capacities(EndpointName=endpoint, DesiredWeightsAndCapacities=[
        {"VariantName": "a", "DesiredWeight": 0}, {"VariantName": "b", "DesiredInstanceCount": 3}])
    assert invoked(hosting, endpoint, 40) == {"b=2.0": 40}
    assert hosting.invoke(endpoint, b"1,2", TargetVariant="a")["Body"] == b"1.0"
    shown = {v["VariantName"]: v for v in sm.describe_endpoint(EndpointName=endpoint)["ProductionVariants"]}
    assert (shown["a"]["CurrentWeight"], shown["a"]["DesiredWeight"]) == (0.0, 0.0)
    assert (shown["b"]["CurrentWeight"], shown["b"]["CurrentInstanceCount"]) == (1.0, 3)
    assert refused(sm.update_endpoint_weights_and_capacities, EndpointName=endpoint, DesiredWeightsAndCapacities=[
        {"VariantName": "zz", "DesiredWeight": 1}]).startswith('The variant name(s) "zz" is not present within')
    third = hosting.config("c3", {"a": (first, 1), "b": (second, 9)})
    sm.update_endpoint(EndpointName=endpoint, EndpointConfigName=third, RetainAllVariantProperties=True,
                       ExcludeRetainedVariantProperties=[{"VariantPropertyType": "DesiredInstanceCount"}])
    shown = {v["VariantName"]: v for v in sm.describe_endpoint(EndpointName=endpoint)["ProductionVariants"]}
    assert (shown["a"]["CurrentWeight"], shown["b"]["CurrentInstanceCount"]) == (0.0, 1)
    sm.update_endpoint(EndpointName=endpoint, EndpointConfigName=f"{hosting.prefix}-c")
    shown = {v["VariantName"]: v for v in sm.describe_endpoint(EndpointName=endpoint)["ProductionVariants"]}
    assert shown["a"]["CurrentWeight"] == 3.0


def test_an_update_under_load_fails_no_request(hosting):
    first, second = hosting.model("m1", models.constant_archive(1.0)), hosting.model("m2", models.constant_archive(2.0))
    configs = [hosting.config("c1", {"a": (first, 1)}), hosting.config("c2", {"b": (second, 1)})]
    endpoint = hosting.endpoint("e", configs[0])
    done = threading.Event()

    def load() -> dict[str, int]:
        counts: dict[str, int] = {}
        while not done.is_set():
            for key, number in invoked(hosting, endpoint, 5).items():
                counts[key] = counts.get(key, 0) + number
        return counts

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(load) for _ in range(4)]
        try:
            for i in range(1, 9):
                hosting.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=configs[i % 2])
                answer = hosting.invoke(endpoint, b"1,2")
                assert answer["InvokedProductionVariant"] == "ab"[i % 2], "the answer follows the update at once"
        finally:
            done.set()
        seen = [client.result() for client in clients]
    assert set().union(*seen) == {"a=1.0", "b=2.0"}
    assert sum(sum(counts.values()) for counts in seen) > 50


def traffic(clients, endpoint: str, variant_name: str, metric: str = "Invocations", statistic: str = "Sum") -> float:
    now = time.time()
    points = clients.cloudwatch.get_metric_statistics(
        Namespace="AWS/SageMaker", MetricName=metric, StartTime=now - 600, EndTime=now + 60, Period=60,
        Statistics=[statistic], Dimensions=[{"Name": "EndpointName", "Value": endpoint},
                                            {"Name": "VariantName", "Value": variant_name}])["Datapoints"]
    return sum(point[statistic] for point in points)


def shadow_endpoint(hosting, **more) -> str:
    first, second = hosting.model("m1", models.constant_archive(1.0)), hosting.model("m2", models.constant_archive(2.0))
    return hosting.endpoint("e", hosting.config("c", {"a": (first, 2)}, {"s": (second, 1)}, **more))


def captured(hosting, prefix: str) -> list[dict]:
    """All capture lines below a prefix."""
    lines = []
    for page in hosting.s3.get_paginator("list_objects_v2").paginate(Bucket=hosting.bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            body = hosting.s3.get_object(Bucket=hosting.bucket, Key=item["Key"])["Body"].read().decode()
            lines += [{**json.loads(line), "key": item["Key"]} for line in body.splitlines()]
    return lines


def capture_config(hosting, percent: int, modes=("Input", "Output"), **more) -> dict:
    return {"InitialSamplingPercentage": percent, "DestinationS3Uri": f"s3://{hosting.bucket}/cap",
            "CaptureOptions": [{"CaptureMode": mode} for mode in modes], **more}


def test_requests_are_captured_into_s3(hosting):
    model = hosting.model("m", models.constant_archive(1.0), image=MODERN_IMAGE)
    headers = {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]}
    config = hosting.config("c", {"v": (model, 1)}, DataCaptureConfig=capture_config(
        hosting, 50, EnableCapture=True, CaptureContentTypeHeader=headers))
    endpoint = hosting.endpoint("e", config)
    shown = hosting.sagemaker.describe_endpoint(EndpointName=endpoint)["DataCaptureConfig"]
    assert shown == {"EnableCapture": True, "CaptureStatus": "Started", "CurrentSamplingPercentage": 50,
                     "DestinationS3Uri": f"s3://{hosting.bucket}/cap", "KmsKeyId": ""}
    for i in range(60):
        hosting.invoke(endpoint, f"{i},2".encode(), InferenceId=f"id-{i}", Accept="application/json")
    hosting.invoke(endpoint, b"0:1", "text/libsvm")
    prefix = f"cap/{endpoint}/v/"
    lines = poll(lambda: len(found := captured(hosting, prefix)) >= 25 and found)
    assert abs(len(lines) - 30) <= 6
    ids = set()
    for line in lines:
        assert line["eventVersion"] == "0"
        year, month, day, hour, name = line["key"].removeprefix(prefix).split("/")
        assert line["eventMetadata"]["inferenceTime"].startswith(f"{year}-{month}-{day}T{hour}:")
        assert name.endswith(".jsonl")
        data = line["captureData"]
        if data["endpointInput"]["encoding"] == "BASE64":
            assert base64.b64decode(data["endpointInput"]["data"]) == b"0:1"
            continue
        assert data["endpointInput"]["observedContentType"] == "text/csv"
        assert (data["endpointInput"]["mode"], data["endpointInput"]["encoding"]) == ("INPUT", "CSV")
        assert data["endpointOutput"] == {"observedContentType": "application/json", "mode": "OUTPUT", "encoding": "JSON",
                                          "data": '{"predictions": [{"score": 1.0}]}'}
        number = line["eventMetadata"]["inferenceId"].removeprefix("id-")
        assert data["endpointInput"]["data"] == f"{number},2"
        ids.add(line["eventMetadata"]["eventId"])
    assert len(ids) >= len(lines) - 1


def test_capture_without_type_headers_is_base64_and_can_be_input_only(hosting):
    endpoint = shadow_endpoint(hosting, DataCaptureConfig=capture_config(hosting, 100, ("Input",)))
    for _ in range(20):
        hosting.invoke(endpoint, b"1,2")
    hosting.sagemaker.delete_endpoint(EndpointName=endpoint)
    lines = captured(hosting, f"cap/{endpoint}/a/")
    assert len(lines) == 20, "everything is written before DeleteEndpoint answers"
    assert all(set(line["captureData"]) == {"endpointInput"} for line in lines)
    assert {base64.b64decode(line["captureData"]["endpointInput"]["data"]) for line in lines} == {b"1,2"}
    shadows = poll(lambda: len(found := captured(hosting, f"cap/{endpoint}/s/")) >= 7 and found)
    assert abs(len(shadows) - 10) <= 3, "the mirrored half, under the shadow's name"


def test_capture_can_be_off_and_is_flushed_when_the_server_stops(server_factory, unique):
    server = server_factory()
    clients = Clients(server)
    clients.s3.create_bucket(Bucket=unique)
    hosting = models.Hosting(clients, unique, unique)
    model = hosting.model("m", models.constant_archive(1.0))
    off = hosting.endpoint("off", hosting.config("c0", {"v": (model, 1)}, DataCaptureConfig=capture_config(
        hosting, 100, EnableCapture=False)))
    on = hosting.endpoint("on", hosting.config("c1", {"v": (model, 1)}, DataCaptureConfig=capture_config(hosting, 100)))
    assert hosting.sagemaker.describe_endpoint(EndpointName=off)["DataCaptureConfig"]["CaptureStatus"] == "Stopped"
    for _ in range(10):
        hosting.invoke(off, b"1,2")
        hosting.invoke(on, b"1,2")
    server.restart()
    assert len(captured(hosting, f"cap/{on}/")) == 10
    assert not captured(hosting, f"cap/{off}/")


def test_shadow_variants_are_described(hosting):
    endpoint = shadow_endpoint(hosting)
    described = hosting.sagemaker.describe_endpoint(EndpointName=endpoint)
    assert [v["VariantName"] for v in described["ProductionVariants"]] == ["a"]
    (shadow,) = described["ShadowProductionVariants"]
    assert (shadow["VariantName"], shadow["CurrentWeight"]) == ("s", 1.0)
    assert invoked(hosting, endpoint, 20) == {"a=1.0": 20}, "shadows never answer"


def test_invocations_are_counted_by_variant_and_shadow(hosting, clients):
    endpoint = shadow_endpoint(hosting)
    for _ in range(60):
        hosting.invoke(endpoint, b"1,2")
    with pytest.raises(ClientError, match="415"):
        hosting.invoke(endpoint, b"1,x")
    assert traffic(clients, endpoint, "a") == 61
    assert traffic(clients, endpoint, "a", "Invocation4XXErrors") == 1
    assert traffic(clients, endpoint, "a", "InvocationModelErrors") == 1
    assert traffic(clients, endpoint, "a", "Invocation5XXErrors") == 0
    assert traffic(clients, endpoint, "a", "ModelLatency") >= 61
    assert abs(poll(lambda: (n := traffic(clients, endpoint, "s")) >= 26 and n) - 30) <= 5, "half as heavy, so every other"
    assert traffic(clients, endpoint, "no-such-variant") == 0
    now = time.time()
    (point, *_) = clients.cloudwatch.get_metric_statistics(
        Namespace="AWS/SageMaker", MetricName="ModelLatency", StartTime=now - 600, EndTime=now + 60, Period=600,
        Statistics=["SampleCount", "Average", "Minimum", "Maximum", "Sum"],
        Dimensions=[{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "a"}])["Datapoints"]
    assert point["Unit"] == "Microseconds"
    assert 0 < point["Minimum"] <= point["Average"] <= point["Maximum"] <= point["Sum"]


# -- lists and tags -----------------------------------------------------------------------------------------------------


def test_lists_page_filter_and_sort(hosting, unique):
    sm = hosting.sagemaker
    names = [hosting.model(f"m{i}", GOOD) for i in range(5)]
    configs = [hosting.config(f"c{i}", {"v": (names[0], 1)}) for i in range(3)]
    endpoints = [hosting.endpoint(f"e{i}", configs[0]) for i in range(3)]
    for operation, member, name, want in (("list_models", "Models", "ModelName", names),
                                          ("list_endpoint_configs", "EndpointConfigs", "EndpointConfigName", configs),
                                          ("list_endpoints", "Endpoints", "EndpointName", endpoints)):
        call = getattr(sm, operation)

        def listed(**request):
            pages = sm.get_paginator(operation).paginate(NameContains=unique.upper(), PaginationConfig={"PageSize": 2}, **request)
            return [row[name] for page in pages for row in page[member]]

        assert listed() == want[::-1], "newest first is the default"
        assert listed(SortOrder="Ascending") == want
        assert listed(SortBy="Name", SortOrder="Ascending") == want
        assert listed(SortBy="Name") == want[::-1]
        created = {row[name]: row["CreationTime"] for row in call(NameContains=unique)[member]}
        assert set(listed(CreationTimeAfter=created[want[0]])) <= set(want[1:])
        assert listed(CreationTimeBefore=created[want[0]]) == []
        token = call(NameContains=unique, MaxResults=1)["NextToken"]
        assert refused(call, NameContains=unique, SortBy="Name", NextToken=token).startswith("Invalid NextToken")
        other = sm.list_models if operation != "list_models" else sm.list_endpoints
        assert refused(other, NameContains=unique, NextToken=token).startswith("Invalid NextToken")
        assert "NextToken" not in call(NameContains=unique, MaxResults=len(want))
    assert sm.list_endpoints(NameContains=unique, StatusEquals="Failed")["Endpoints"] == []
    assert len(sm.list_endpoints(NameContains=unique, StatusEquals="InService")["Endpoints"]) == 3
    row = sm.list_endpoints(NameContains=unique, MaxResults=1)["Endpoints"][0]
    assert set(row) == {"EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus"}


def test_tags_of_every_kind(hosting, unique):
    sm = hosting.sagemaker
    given = [{"Key": "team", "Value": "a"}]
    url = hosting.put("m", GOOD)
    sm.create_model(ModelName=unique, ExecutionRoleArn=ROLE, Tags=given,
                    PrimaryContainer={"Image": LEGACY_IMAGE, "ModelDataUrl": url})
    sm.create_endpoint_config(EndpointConfigName=unique, ProductionVariants=[variant("v", unique, 1)], Tags=given)
    sm.create_endpoint(EndpointName=unique, EndpointConfigName=unique, Tags=given)
    for kind in ("model", "endpoint-config", "endpoint"):
        arn = f"{ARN}{kind}/{unique}"
        assert sm.list_tags(ResourceArn=arn)["Tags"] == given
        added = sm.add_tags(ResourceArn=arn, Tags=[{"Key": "x", "Value": ""}, {"Key": "team", "Value": "b"}])
        assert added["Tags"] == [{"Key": "team", "Value": "b"}, {"Key": "x", "Value": ""}]
        sm.delete_tags(ResourceArn=arn.replace(unique, unique.upper()), TagKeys=["team", "never"])
        assert sm.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "x", "Value": ""}]
        missing = f"{ARN}{kind}/{unique}-missing"
        assert refused(sm.list_tags, ResourceArn=missing) == f'Could not find resource "{missing}".'
    assert "reserved" in refused(sm.add_tags, ResourceArn=f"{ARN}model/{unique}", Tags=[{"Key": "aws:x", "Value": ""}])
    many = [{"Key": f"k{i}", "Value": ""} for i in range(50)]
    assert "at most 50 tags" in refused(sm.add_tags, ResourceArn=f"{ARN}model/{unique}", Tags=many)
    assert "another account or region" in refused(sm.list_tags, ResourceArn=f"{ARN}model/{unique}".replace("us-east-1", "eu-west-1"))
    sm.delete_model(ModelName=unique)
    sm.create_model(ModelName=unique, ExecutionRoleArn=ROLE, PrimaryContainer={"Image": LEGACY_IMAGE, "ModelDataUrl": url})
    assert sm.list_tags(ResourceArn=f"{ARN}model/{unique}")["Tags"] == [], "tags go with their resource"


def test_a_trained_model_is_tagged_hosted_and_answers_as_stock_xgboost(hosting, clients, bucket, unique, mnist_small,
                                                                       mnist_small_libsvm):
    jobs.upload_mnist(clients, bucket, train_rows=500, validation_rows=100, parts=2)
    request = jobs.training_job(bucket, unique, num_round="3")
    arn = hosting.sagemaker.create_training_job(**request, Tags=[{"Key": "a", "Value": "1"}])["TrainingJobArn"]
    hosting.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}])
    assert [tag["Key"] for tag in hosting.sagemaker.list_tags(ResourceArn=arn)["Tags"]] == ["a", "b"]
    job = jobs.wait_for_job(clients, unique)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    hosting.sagemaker.create_model(ModelName=unique, ExecutionRoleArn=ROLE, PrimaryContainer={
        "Image": LEGACY_IMAGE, "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"]})
    endpoint = hosting.endpoint("e", hosting.config("c", {"AllTraffic": (unique, 1)}))
    answer = hosting.invoke(endpoint, mnist_small_libsvm["test"], "text/x-libsvm")["Body"].decode().split(",")
    key = job["ModelArtifacts"]["S3ModelArtifacts"].split(bucket + "/", 1)[1]
    packed = hosting.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        stock = xgboost.Booster(model_file=bytearray(tar.extractfile("xgboost-model").read()))
    images = mnist_small["test"][0]
    x = np.full((len(images), 785), np.nan, dtype=np.float32)
    x[:, 1:] = images
    assert [float(v) for v in answer] == stock.predict(xgboost.DMatrix(x)).tolist()


def test_a_notebook_instance_of_any_name_tells_the_role(clients):
    answer = clients.sagemaker.describe_notebook_instance(NotebookInstanceName="local")
    assert answer["RoleArn"] == ROLE
    assert answer["NotebookInstanceArn"] == f"{ARN}notebook-instance/local"
    assert answer["NotebookInstanceStatus"] == "InService"


def test_regions_keep_their_names_apart(clients, hosting, unique):
    endpoint = hosting.serve(GOOD)
    elsewhere = clients.client("sagemaker", region="eu-central-1")
    assert refused(elsewhere.describe_endpoint, EndpointName=endpoint) == (
        f'Could not find endpoint "{ARN}endpoint/{endpoint}".'.replace("us-east-1", "eu-central-1"))
    assert elsewhere.list_models(NameContains=unique)["Models"] == []
