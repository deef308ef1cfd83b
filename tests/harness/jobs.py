"""Training jobs and endpoints as the notebook describes them, for tests that need one rather than test one."""

from __future__ import annotations

import io
import time

from harness import mnist
from harness.clients import Clients

IMAGE = "811284229777.dkr.ecr.us-east-1.amazonaws.com/xgboost:1"
ROLE = "arn:aws:iam::123456789012:role/LocalSageMakerRole"
JOB_SECONDS_MAX = 90.0

HYPERPARAMETERS = {
    "max_depth": "5", "eta": "0.2", "gamma": "4", "min_child_weight": "6", "silent": "0", "objective": "multi:softmax",
    "num_class": "10", "num_round": "10",
}


def upload_mnist(clients: Clients, bucket: str, *, train_rows: int, validation_rows: int, parts: int = 5) -> None:
    """<bucket>/mnist/train/examples0..N and <bucket>/mnist/validation/examples, through upload_fileobj."""
    images, labels = mnist.rows("train", train_rows)
    for part in range(parts):
        rows = slice(part * train_rows // parts, (part + 1) * train_rows // parts)
        body = mnist.libsvm(images[rows], labels[rows])
        clients.s3.upload_fileobj(io.BytesIO(body), bucket, f"mnist/train/examples{part}")
    body = mnist.libsvm(*mnist.rows("validation", validation_rows))
    clients.s3.upload_fileobj(io.BytesIO(body), bucket, "mnist/validation/examples")


def channel(bucket: str, name: str, distribution: str = "FullyReplicated") -> dict:
    return {
        "ChannelName": name,
        "DataSource": {"S3DataSource": {
            "S3DataType": "S3Prefix", "S3Uri": f"https://s3-us-east-1.amazonaws.com/{bucket}/mnist/{name}",
            "S3DataDistributionType": distribution}},
        "ContentType": "libsvm", "CompressionType": "None",
    }


def training_job(bucket: str, name: str, *, instances: int = 1, distribution: str = "FullyReplicated", image: str = IMAGE,
                 **hyperparameters: str) -> dict:
    """The arguments of create_training_job for data that upload_mnist put there."""
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "OutputDataConfig": {"S3OutputPath": f"https://s3-us-east-1.amazonaws.com/{bucket}/mnist/out"},
        "ResourceConfig": {"InstanceCount": instances, "InstanceType": "ml.m4.10xlarge", "VolumeSizeInGB": 5},
        "HyperParameters": {**HYPERPARAMETERS, **hyperparameters},
        "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
        "InputDataConfig": [channel(bucket, "train", distribution), channel(bucket, "validation")],
    }


def wait_for_job(clients: Clients, name: str) -> dict:
    """The description of the job once it is over, however it ended. The server may hold each look for a while."""
    deadline = time.monotonic() + JOB_SECONDS_MAX
    while True:
        description = clients.sagemaker.describe_training_job(TrainingJobName=name)
        if description["TrainingJobStatus"] in ("Completed", "Failed", "Stopped"):
            return description
        assert time.monotonic() < deadline, f"{name} is still {description['SecondaryStatus']}"
        time.sleep(0.05)  # Between two looks; the deadline decides.
