"""Batch transform through boto3: every way to split, filter, join and assemble, against stock XGBoost's predictions."""

import gzip
import io
import json

import numpy as np
import pytest
import sagemaker.amazon.common
import xgboost
from botocore.exceptions import ClientError
from harness import models, transforms

ARN = "arn:aws:sagemaker:us-east-1:123456789012:"
RECORDIO = "application/x-recordio-protobuf"


@pytest.fixture
def served(clients, bucket, unique):
    """A model of three classes called m-<unique>; gives its booster and rows."""
    booster = models.booster("multi:softprob")
    archive = models.archive({"xgboost-model": models.model_bytes(booster, "json")})
    clients.s3.put_object(Bucket=bucket, Key=f"{unique}/model.tar.gz", Body=archive)
    clients.sagemaker.create_model(
        ModelName="m-" + unique, ExecutionRoleArn=models.ROLE,
        PrimaryContainer={"Image": models.MODERN_IMAGE, "ModelDataUrl": f"s3://{bucket}/{unique}/model.tar.gz"})
    rows, _ = models.data("multi:softprob")
    return booster, np.nan_to_num(rows[:40], nan=0.5)


def csv_lines(rows: np.ndarray) -> list[str]:
    return [",".join(repr(float(value)) for value in row) for row in rows]


def expected_lines(booster: xgboost.Booster, rows: np.ndarray) -> list[str]:
    predictions = booster.predict(xgboost.DMatrix(rows))
    return [str([float(value) for value in row]) for row in predictions]


def put(clients, bucket, key: str, body) -> None:
    clients.s3.put_object(Bucket=bucket, Key=key, Body=body if isinstance(body, bytes) else body.encode())


def test_every_object_under_the_prefix_becomes_one_output(clients, bucket, unique, served):
    booster, rows = served
    lines = csv_lines(rows)
    put(clients, bucket, f"in-{unique}/a.csv", "\n".join(lines[:15]) + "\n")
    put(clients, bucket, f"in-{unique}/deep/b.csv", "\n".join(lines[15:]))
    put(clients, bucket, f"in-{unique}/empty.csv", "")
    arguments = transforms.request(bucket, unique, "m-" + unique, prefix=f"in-{unique}/", Tags=[{"Key": "team", "Value": "a"}])
    answer = clients.sagemaker.create_transform_job(**arguments)
    assert answer["TransformJobArn"] == f"{ARN}transform-job/{unique}"
    job = transforms.wait_for_end(clients, unique)
    assert job["TransformJobStatus"] == "Completed", job.get("FailureReason")
    assert job["TransformStartTime"] <= job["TransformEndTime"]
    assert job["DataProcessing"] == {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"}
    want = expected_lines(booster, rows)
    assert transforms.outputs(clients, bucket, unique) == {
        "a.csv.out": "\n".join(want[:15]) + "\n", "deep/b.csv.out": "\n".join(want[15:]) + "\n", "empty.csv.out": ""}
    assert any("a.csv" in line for line in transforms.log_lines(clients, unique))
    assert clients.sagemaker.list_tags(ResourceArn=answer["TransformJobArn"])["Tags"] == [{"Key": "team", "Value": "a"}]


@pytest.mark.parametrize("strategy", ["MultiRecord", "SingleRecord"])
@pytest.mark.parametrize("packed", [False, True])
def test_lines_are_split_and_unpacked(clients, bucket, unique, served, strategy, packed):
    booster, rows = served
    body = ("\r\n".join(csv_lines(rows)) + "\r\n").encode()
    put(clients, bucket, f"in-{unique}/rows.csv", gzip.compress(body) if packed else body)
    job = transforms.run(clients, transforms.request(
        bucket, unique, "m-" + unique, prefix=f"in-{unique}/rows", compression="Gzip" if packed else "None",
        BatchStrategy=strategy, MaxPayloadInMB=1, MaxConcurrentTransforms=2))
    assert job["TransformJobStatus"] == "Completed", job.get("FailureReason")
    assert transforms.outputs(clients, bucket, unique) == {
        "rows.csv.out": "\n".join(expected_lines(booster, rows)) + "\n"}


def test_many_payloads_come_out_in_order(clients, bucket, unique, served):
    booster, rows = served
    many = np.tile(rows, (800, 1))  # About 4 MB: several blocks for several threads.
    put(clients, bucket, f"in-{unique}/rows.csv", "\n".join(csv_lines(many)) + "\n")
    job = transforms.run(clients, transforms.request(bucket, unique, "m-" + unique, prefix=f"in-{unique}/"))
    assert job["TransformJobStatus"] == "Completed", job.get("FailureReason")
    assert transforms.outputs(clients, bucket, unique)["rows.csv.out"].splitlines() == expected_lines(booster, rows) * 800


def test_a_whole_object_of_several_blocks_begins_after_its_byte_order_mark(clients, bucket, unique, served):
    booster, rows = served
    many = np.tile(rows, (800, 1))  # About 4 MB, read in blocks and predicted in one piece.
    put(clients, bucket, f"in-{unique}/rows.csv", b"\xef\xbb\xbf" + "\n".join(csv_lines(many)).encode() + b"\n")
    job = transforms.run(clients, transforms.request(
        bucket, unique, "m-" + unique, prefix=f"in-{unique}/", split="None", assemble="None"))
    assert job["TransformJobStatus"] == "Completed", job.get("FailureReason")
    assert transforms.outputs(clients, bucket, unique)["rows.csv.out"].splitlines() == expected_lines(booster, rows) * 800


def test_libsvm_and_a_manifest(clients, bucket, unique, served):
    booster, rows = served
    text = "\n".join("0 " + " ".join(f"{i}:{float(v)!r}" for i, v in enumerate(row)) for row in rows) + "\n"
    for name in ("one", "two", "three"):
        put(clients, bucket, f"in-{unique}/{name}", text)
    put(clients, bucket, f"manifest-{unique}", json.dumps([{"prefix": f"s3://{bucket}/in-{unique}/"}, "two", "one"]))
    job = transforms.run(clients, transforms.request(
        bucket, unique, "m-" + unique, prefix=f"manifest-{unique}", data_type="ManifestFile", content_type="text/libsvm"))
    assert job["TransformJobStatus"] == "Completed", job.get("FailureReason")
    want = "\n".join(expected_lines(booster, rows)) + "\n"
    assert transforms.outputs(clients, bucket, unique) == {"one.out": want, "two.out": want}


def test_csv_filters_and_the_join_keep_the_text_of_cells(clients, bucket, unique, served):
    booster, rows = served
    ids = [f'"row, {i}"' for i in range(len(rows))]
    lines = [f"{name},{line},x{i}" for i, (name, line) in enumerate(zip(ids, csv_lines(rows)))]
    put(clients, bucket, f"in-{unique}/rows.csv", "\n".join(lines) + "\n\n")
    job = transforms.run(clients, transforms.request(
        bucket, unique, "m-" + unique, prefix=f"in-{unique}/",
        processing={"InputFilter": "$[1:-1]", "JoinSource": "Input", "OutputFilter": "$[0,-4:]"}))
    assert job["TransformJobStatus"] == "Completed", job.get("FailureReason")
    want = [f"{ids[i]},x{i},{line}" for i, line in enumerate(expected_lines(booster, rows))]
    assert transforms.outputs(clients, bucket, unique)["rows.csv.out"].splitlines() == want


def test_json_lines_are_joined_as_objects(clients, bucket, unique, served):
    booster, rows = served
    records = [{"id": i, "features": [float(v) for v in row]} for i, row in enumerate(rows)]
    put(clients, bucket, f"in-{unique}/r.jsonl", "\n".join(json.dumps(record) for record in records))
    job = transforms.run(clients, transforms.request(
        bucket, unique, "m-" + unique, prefix=f"in-{unique}/", content_type="application/jsonlines",
        processing={"InputFilter": "$.features", "JoinSource": "Input", "OutputFilter": "$['id','SageMakerOutput']"}))
    assert job["TransformJobStatus"] == "Completed", job.get("FailureReason")
    got = [json.loads(line) for line in transforms.outputs(clients, bucket, unique)["r.jsonl.out"].splitlines()]
    want = [{"id": i, "SageMakerOutput": json.loads(line)} for i, line in enumerate(expected_lines(booster, rows))]
    assert got == want


def test_a_json_object_is_one_record(clients, bucket, unique, served):
    booster, rows = served
    put(clients, bucket, f"in-{unique}/r.json", json.dumps({"rows": [[float(v) for v in row] for row in rows[:3]]}, indent=1))
    put(clients, bucket, f"in-{unique}/s.json", json.dumps({"rows": [float(v) for v in rows[0]]}))
    job = transforms.run(clients, transforms.request(
        bucket, unique, "m-" + unique, prefix=f"in-{unique}/", content_type="application/json", split="None",
        assemble="None", processing={"InputFilter": "$.rows", "JoinSource": "Input", "OutputFilter": "$.SageMakerOutput"}))
    assert job["TransformJobStatus"] == "Completed", job.get("FailureReason")
    want = [json.loads(line) for line in expected_lines(booster, rows[:3])]
    got = transforms.outputs(clients, bucket, unique)
    assert {name: json.loads(text) for name, text in got.items()} == {"r.json.out": want, "s.json.out": want[0]}


def test_a_bad_record_is_named_and_leaves_no_output_of_its_object(clients, bucket, unique, served):
    booster, rows = served
    lines = csv_lines(rows)
    put(clients, bucket, f"in-{unique}/a.csv", "\n".join(lines[:20] + ["1,2,oops,4,5,6"] + lines[20:]) + "\n")
    put(clients, bucket, f"in-{unique}/b.csv", "\n".join(lines[:2]) + "\n")
    job = transforms.run(clients, transforms.request(bucket, unique, "m-" + unique, prefix=f"in-{unique}/"))
    assert job["TransformJobStatus"] == "Failed"
    assert job["FailureReason"].startswith(f"ClientError: s3://{bucket}/in-{unique}/a.csv, line 21: "), job["FailureReason"]
    assert "oops" in job["FailureReason"]
    assert transforms.outputs(clients, bucket, unique) == {
        "b.csv.out": "\n".join(expected_lines(booster, rows[:2])) + "\n"}


@pytest.mark.parametrize("body, processing, line, words", [
    ("1,2,3\n1,2\n", {"InputFilter": "$[2]"}, 2, "index 2 is outside"),
    ("1,2,3\n1,2,3,4,5,6,7,8\n", {"InputFilter": "$[0:]"}, 2, "this line has 8 cells"),
])
def test_a_filter_that_does_not_fit_a_line_names_it(clients, bucket, unique, served, body, processing, line, words):
    put(clients, bucket, f"in-{unique}/a.csv", body)
    job = transforms.run(clients, transforms.request(
        bucket, unique, "m-" + unique, prefix=f"in-{unique}/", processing={**processing, "JoinSource": "Input"}))
    assert job["TransformJobStatus"] == "Failed"
    assert f"a.csv, line {line}: " in job["FailureReason"] and words in job["FailureReason"], job["FailureReason"]


def recordio(rows: np.ndarray) -> bytes:
    out = io.BytesIO()
    sagemaker.amazon.common.write_numpy_to_dense_tensor(out, rows.astype(np.float32))
    return out.getvalue()


@pytest.mark.parametrize("strategy", ["MultiRecord", "SingleRecord"])
@pytest.mark.parametrize("packed", [False, True])
def test_records_are_split_and_unpacked(clients, bucket, unique, served, strategy, packed):
    booster, rows = served
    many = np.tile(rows, (500, 1)) if strategy == "MultiRecord" else rows  # Over a megabyte: several payloads.
    put(clients, bucket, f"in-{unique}/rows.pb", gzip.compress(recordio(many)) if packed else recordio(many))
    put(clients, bucket, f"in-{unique}/rows.pb2", gzip.compress(b"") if packed else b"")
    job = transforms.run(clients, transforms.request(
        bucket, unique, "m-" + unique, prefix=f"in-{unique}/", split="RecordIO", content_type=RECORDIO,
        compression="Gzip" if packed else "None", BatchStrategy=strategy, MaxPayloadInMB=1))
    assert job["TransformJobStatus"] == "Completed", job.get("FailureReason")
    outputs = transforms.outputs(clients, bucket, unique)
    assert outputs["rows.pb2.out"] == ""
    assert outputs["rows.pb.out"].splitlines() == expected_lines(booster, many)


@pytest.mark.parametrize("strategy", ["MultiRecord", "SingleRecord"])
def test_a_bad_record_is_named(clients, bucket, unique, served, strategy):
    _, rows = served
    wide = np.ones((1, rows.shape[1] + 3))
    put(clients, bucket, f"in-{unique}/wide.pb", recordio(rows[:7]) + recordio(wide) + recordio(rows[:2]))
    put(clients, bucket, f"in-{unique}/zcut.pb", recordio(rows[:3])[:-5])
    job = transforms.run(clients, transforms.request(
        bucket, unique, "m-" + unique, prefix=f"in-{unique}/", split="RecordIO", content_type=RECORDIO, BatchStrategy=strategy))
    assert job["TransformJobStatus"] == "Failed"
    assert "wide.pb, record 8: " in job["FailureReason"] and "2 of 2 objects failed" in job["FailureReason"], job["FailureReason"]
    assert any("zcut.pb, record 3: " in line for line in transforms.log_lines(clients, unique))


def test_payloads_are_limited(clients, bucket, unique, served):
    _, rows = served
    many = "\n".join(csv_lines(np.tile(rows, (400, 1))))
    put(clients, bucket, f"in-{unique}/a.csv", many)
    job = transforms.run(clients, transforms.request(
        bucket, unique, "m-" + unique, prefix=f"in-{unique}/", split="None", assemble="None", MaxPayloadInMB=1))
    assert job["TransformJobStatus"] == "Failed"
    assert "larger than 1 MB (MaxPayloadInMB)" in job["FailureReason"]
    whole = transforms.run(clients, transforms.request(
        bucket, unique + "w", "m-" + unique, prefix=f"in-{unique}/", split="None", assemble="None", MaxPayloadInMB=10))
    assert whole["TransformJobStatus"] == "Completed", whole.get("FailureReason")


@pytest.mark.parametrize("change, words", [
    ({"split": "RecordIO"}, "SplitType RecordIO needs the ContentType application/x-recordio-protobuf"),
    ({"split": "RecordIO", "content_type": RECORDIO, "processing": {"JoinSource": "Input"}},
     "DataProcessing needs a TransformInput.ContentType"),
    ({"split": "TFRecord"}, "SplitType TFRecord is not supported"),
    ({"data_type": "AugmentedManifestFile"}, "S3DataType AugmentedManifestFile is not supported"),
    ({"MaxPayloadInMB": 0}, "MaxPayloadInMB 0"),
    ({"MaxPayloadInMB": 60, "MaxConcurrentTransforms": 2}, "must be at most 100 MB"),
    ({"split": "None", "BatchStrategy": "SingleRecord"}, "needs SplitType Line or RecordIO"),
    ({"processing": {"InputFilter": "$..x"}}, "DataProcessing.InputFilter: '$..x' is not a JSONPath"),
    ({"processing": {"InputFilter": "$.x"}}, "$.x does not fit CSV"),
    ({"processing": {"JoinSource": "Input"}, "assemble": "None"}, "SplitType and AssembleWith must be the same"),
    ({"processing": {"JoinSource": "Input"}, "content_type": "text/libsvm"}, "DataProcessing needs a TransformInput.ContentType"),
    ({"Environment": {"SAGEMAKER_PROGRAM": "x.py"}}, "SAGEMAKER_PROGRAM"),
    ({"DataCaptureConfig": {"DestinationS3Uri": "s3://b/x"}}, "DataCaptureConfig is not supported"),
    ({"prefix": "nothing-there"}, "No S3 objects found"),
])
def test_what_cannot_be_done_is_refused_by_name(clients, bucket, unique, served, change, words):
    put(clients, bucket, f"in-{unique}/a.csv", "1,2,3,4,5,6\n")
    with pytest.raises(ClientError) as refused:
        clients.sagemaker.create_transform_job(
            **transforms.request(bucket, unique, "m-" + unique, **{"prefix": f"in-{unique}/", **change}))
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert words in refused.value.response["Error"]["Message"], refused.value


def test_names_states_and_texts(clients, bucket, unique, served):
    put(clients, bucket, f"in-{unique}/a.csv", "1,2,3,4,5,6\n")
    arguments = transforms.request(bucket, "T-" + unique, "m-" + unique, prefix=f"in-{unique}/")
    with pytest.raises(ClientError) as unknown:
        clients.sagemaker.describe_transform_job(TransformJobName="T-" + unique)
    assert unknown.value.response["Error"]["Message"] == f"Could not find requested job with name: T-{unique}"
    transforms.run(clients, arguments)
    with pytest.raises(ClientError) as taken:
        clients.sagemaker.create_transform_job(**{**arguments, "TransformJobName": "t-" + unique})
    assert taken.value.response["Error"]["Code"] == "ResourceInUse"
    with pytest.raises(ClientError) as ended:
        clients.sagemaker.stop_transform_job(TransformJobName="T-" + unique)
    assert "in status Completed" in ended.value.response["Error"]["Message"]
    with pytest.raises(ClientError) as no_model:
        clients.sagemaker.create_transform_job(**{**arguments, "ModelName": "none", "TransformJobName": "u-" + unique})
    assert 'Could not find model "' in no_model.value.response["Error"]["Message"]
    rows = clients.sagemaker.list_transform_jobs(NameContains=unique)["TransformJobSummaries"]
    assert [(row["TransformJobName"], row["TransformJobStatus"]) for row in rows] == [("T-" + unique, "Completed")]


def test_the_job_waiter_and_a_stop(clients, bucket, unique, served):
    _, rows = served
    put(clients, bucket, f"in-{unique}/a.csv", "\n".join(csv_lines(np.tile(rows, (6000, 1)))))
    clients.sagemaker.create_transform_job(**transforms.request(
        bucket, unique, "m-" + unique, prefix=f"in-{unique}/", BatchStrategy="SingleRecord"))
    clients.sagemaker.stop_transform_job(TransformJobName=unique)
    job = transforms.wait_for_end(clients, unique)
    assert job["TransformJobStatus"] == "Stopped"
    clients.sagemaker.get_waiter("transform_job_completed_or_stopped").wait(TransformJobName=unique)
    assert transforms.outputs(clients, bucket, unique) == {}
