"""Transform jobs on small objects: requests, and what comes of them. The oracle is Booster.predict."""

from __future__ import annotations

import time

from harness.clients import Clients

WAIT_SECONDS_MAX = 60.0


def request(bucket: str, name: str, model: str, *, prefix: str = "in/", content_type: str = "text/csv", split: str = "Line",
            compression: str = "None", data_type: str = "S3Prefix", processing: dict | None = None, accept: str = "",
            assemble: str = "Line", **members) -> dict:
    """create_transform_job's arguments; `members` are added or replace whole members."""
    base = {
        "TransformJobName": name, "ModelName": model,
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": data_type, "S3Uri": f"s3://{bucket}/{prefix}"}},
            "ContentType": content_type, "SplitType": split, "CompressionType": compression},
        "TransformOutput": {"S3OutputPath": f"s3://{bucket}/out/{name}", "AssembleWith": assemble},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }
    if accept:
        base["TransformOutput"]["Accept"] = accept
    if processing is not None:
        base["DataProcessing"] = processing
    return {**base, **members}


def wait_for_end(clients: Clients, name: str) -> dict:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while (job := clients.sagemaker.describe_transform_job(TransformJobName=name))["TransformJobStatus"] in (
            "InProgress", "Stopping"):
        assert time.monotonic() < deadline, f"{name} is still {job['TransformJobStatus']}"
        time.sleep(0.02)
    return job


def run(clients: Clients, arguments: dict) -> dict:
    clients.sagemaker.create_transform_job(**arguments)
    return wait_for_end(clients, arguments["TransformJobName"])


def outputs(clients: Clients, bucket: str, name: str) -> dict[str, str]:
    """Text of each output object, by its key below the job's output path."""
    prefix = f"out/{name}/"
    listed = clients.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    return {entry["Key"].removeprefix(prefix): clients.s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read().decode()
            for entry in listed}


def log_lines(clients: Clients, name: str) -> list[str]:
    group = "/aws/sagemaker/TransformJobs"
    streams = clients.logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=name + "/")["logStreams"]
    return [event["message"] for stream in streams
            for event in clients.logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"],
                                                     startFromHead=True)["events"]]
