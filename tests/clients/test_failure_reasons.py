"""Users' mistakes, end to end: the FailureReason says what is wrong, where, and how to mend it.

Each row of the catalogue is one mistake: what is uploaded, what is asked for, and what the reason (or the refusal at
Create) must say. Texts that the images give are matched as the images give them; the place and the remedy are ours.
"""

from __future__ import annotations

import dataclasses
import gzip
import io
import re

import pytest
from botocore.exceptions import ClientError
from harness import small_jobs
from harness.jobs import IMAGE

MODERN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
GOOD = b"".join(b"%d 1:%d.5 2:%d\n" % (row % 2, row, row * 3 % 7) for row in range(40))
GOOD_CSV = b"".join(b"%d,%d.5,%d\n" % (row % 2, row, row * 3 % 7) for row in range(40))
HYPERPARAMETERS = {"num_round": "2", "objective": "binary:logistic"}


@dataclasses.dataclass(frozen=True)
class Mistake:
    name: str
    reason: str  # a regular expression that FailureReason must match from its start
    train: bytes = GOOD
    validation: bytes | None = None
    content_type: str | None = "libsvm"
    hyperparameters: dict = dataclasses.field(default_factory=lambda: HYPERPARAMETERS)
    image: str = IMAGE
    compression: str = "None"
    channel: str = "train"


def after(lines: int, line: bytes, good: bytes = GOOD) -> bytes:
    """Good data with `line` put in as line number lines + 1."""
    rows = good.splitlines(keepends=True)
    return b"".join(rows[:lines]) + line + b"\n" + b"".join(rows[lines:])


CATALOGUE = [
    Mistake("malformed_libsvm", r"ClientError: .*train/part, line 13, column \d+", train=after(12, b"1 1:2 3:x")),
    Mistake("negative_index", r"ClientError: .*train/part, line 6, column \d+", train=after(5, b"1 -1:2")),
    Mistake("csv_with_a_header", r"ClientError: .*(header|Non-numeric)", train=b"label,a,b\n" + GOOD_CSV, content_type="csv"),
    Mistake("csv_called_libsvm", r"ClientError: .*(libsvm|LIBSVM)", train=GOOD_CSV),
    Mistake("libsvm_called_csv", r"ClientError: .*csv", content_type="csv"),
    Mistake("unknown_content_type", r"ClientError: .*(ContentType|content type).*(text/libsvm|csv)",
            content_type="application/x-image"),
    Mistake("label_out_of_range", r"ClientError: train/part, line 8, column 1: label 9 .*must be in \[0, num_class\)", train=after(7, b"9 1:1"),
            hyperparameters={"num_round": "2", "objective": "multi:softmax", "num_class": "3"}),
    Mistake("logistic_label", r"ClientError: train/part, line 4, column 1: label 3 .*must be in \[0,1\]", train=after(3, b"3 1:1")),
    Mistake("missing_num_class", r"ClientError: .*Require input for parameter 'num_class'",
            hyperparameters={"num_round": "2", "objective": "multi:softmax"}),
    Mistake("missing_num_round", r"ClientError: .*num_round", hyperparameters={"objective": "binary:logistic"}),
    Mistake("number_expected", r"ClientError: .*max_depth", hyperparameters={**HYPERPARAMETERS, "max_depth": "deep"}),
    Mistake("out_of_range", r"ClientError: .*'?eta'? ?(should be in range \[0,1\]|: 2\.0 is not in \[0, 1\])",
            hyperparameters={**HYPERPARAMETERS, "eta": "2"}),
    Mistake("unknown_objective", r"ClientError: .*objective", hyperparameters={"num_round": "2", "objective": "multi:magic"}),
    Mistake("unknown_metric", r"ClientError: .*best", hyperparameters={**HYPERPARAMETERS, "eval_metric": "best"}),
    Mistake("hyperparameter_this_image_does_not_know", r"(ClientError|AlgorithmError): .*Extraneous hyperparameter found: silent\. .*Use verbosity",
            image=MODERN, hyperparameters={**HYPERPARAMETERS, "silent": "0"}),
    Mistake("no_train_channel", r"ClientError: .*train", channel="training"),
    Mistake("empty_files", r"ClientError: .*([Nn]o data|No file|empty).*train", train=b""),
    Mistake("blank_lines_only", r"ClientError: .*channel .train. hold no row", train=b"\n\n\n"),
    Mistake("not_gzip", r"ClientError: .*channel 'train' says CompressionType Gzip.*train/part is not gzip", compression="Gzip"),
    Mistake("torn_gzip", r"ClientError: .*train/part", train=gzip.compress(GOOD * 50)[:-20], compression="Gzip"),
    Mistake("validation_is_broken", r"ClientError: .*validation/part, line 2, column \d+", validation=after(1, b"1 2:3:4")),
]


def arguments(mistake: Mistake, bucket: str, name: str) -> dict:
    def channel(channel_name: str, folder: str) -> dict:
        entry = {"ChannelName": channel_name, "CompressionType": mistake.compression, "DataSource": {"S3DataSource": {
            "S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/{folder}", "S3DataDistributionType": "FullyReplicated"}}}
        return entry | ({"ContentType": mistake.content_type} if mistake.content_type else {})

    channels = [channel(mistake.channel, f"{mistake.name}/train")]
    if mistake.validation is not None:
        channels.append(channel("validation", f"{mistake.name}/validation"))
    return small_jobs.request(bucket, name, image=mistake.image, InputDataConfig=channels,
                              HyperParameters=mistake.hyperparameters)


@pytest.mark.parametrize("mistake", CATALOGUE, ids=lambda mistake: mistake.name)
def test_the_reason_says_what_where_and_how(clients, bucket, unique, mistake):
    clients.s3.upload_fileobj(io.BytesIO(mistake.train), bucket, f"{mistake.name}/train/part")
    if mistake.validation is not None:
        clients.s3.upload_fileobj(io.BytesIO(mistake.validation), bucket, f"{mistake.name}/validation/part")
    clients.sagemaker.create_training_job(**arguments(mistake, bucket, unique))
    job = small_jobs.wait_for_end(clients, unique)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Failed", "Failed"), job["SecondaryStatusTransitions"]
    reason = job["FailureReason"]
    assert re.match(mistake.reason, reason, re.DOTALL), reason
    assert len(reason.encode()) <= 1024
    assert job["SecondaryStatusTransitions"][-1]["StatusMessage"] == "Training job failed"


def test_the_oldest_image_ignores_names_it_does_not_know_with_a_warning(clients, bucket, unique):
    clients.s3.put_object(Bucket=bucket, Key="train/part", Body=GOOD)
    clients.sagemaker.create_training_job(**small_jobs.request(
        bucket, unique, HyperParameters={**HYPERPARAMETERS, "max_bin": "16", "colour": "red"}))
    job = small_jobs.wait_for_end(clients, unique)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    group = "/aws/sagemaker/TrainingJobs"
    stream = clients.logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{unique}/")["logStreams"][0]
    lines = [event["message"] for event in clients.logs.get_log_events(
        logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)["events"]]
    assert any("colour" in line and ("WARN" in line or "gnor" in line) for line in lines), lines


def test_no_such_prefix_is_refused_at_create(clients, bucket, unique):
    with pytest.raises(ClientError) as refused:
        clients.sagemaker.create_training_job(**small_jobs.request(bucket, unique))
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert f'No S3 objects found under S3 URL "s3://{bucket}/train"' in refused.value.response["Error"]["Message"]


def test_a_missing_output_bucket_is_named(clients, bucket, unique):
    clients.s3.put_object(Bucket=bucket, Key="train/part", Body=GOOD)
    clients.sagemaker.create_training_job(**small_jobs.request(
        bucket, unique, OutputDataConfig={"S3OutputPath": f"s3://none-{unique}/out"}))
    job = small_jobs.wait_for_end(clients, unique)
    assert job["TrainingJobStatus"] == "Failed"
    assert f"the bucket 'none-{unique}' does not exist" in job["FailureReason"]
