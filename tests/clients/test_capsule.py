"""Capsules: from what a job leaves in its output prefix the identical bytes are trained again, or the changed input is named."""

import hashlib
import io
import json
import os
import subprocess
import tarfile

import pytest
from harness import small_jobs
from harness.server import program


def model_file(clients, bucket: str, name: str) -> bytes:
    body = clients.s3.get_object(Bucket=bucket, Key=f"out/{name}/output/model.tar.gz")["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        return archive.extractfile("xgboost-model").read()


def capsule_of(clients, bucket: str, name: str) -> dict:
    return json.loads(clients.s3.get_object(Bucket=bucket, Key=f"out/{name}/capsule.json")["Body"].read())


def run(server, command: str, path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run([program("espalier"), "capsule", command, path, *arguments], env=server.client_environment(),
                          capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def trained(server, clients, bucket, tmp_path):
    """Trains a job and gives its capsule's path."""
    def train(name: str, **options):
        clients.sagemaker.create_training_job(**small_jobs.request(bucket, name, **options))
        assert small_jobs.wait_for_end(clients, name)["TrainingJobStatus"] == "Completed"
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(capsule_of(clients, bucket, name)))
        return path
    return train


@pytest.mark.parametrize("instances,sharded", [(1, False), (2, True)])
def test_a_capsule_gives_the_same_bytes_again_and_names_what_has_changed(server, clients, bucket, unique, trained,
                                                                         instances, sharded):
    small_jobs.upload_rows(clients, bucket)
    path = trained(unique, instances=instances, sharded=sharded, Tags=[{"Key": "secret", "Value": "not in capsules"}])
    capsule = json.loads(path.read_text())
    assert capsule["job"] == unique and "Tags" not in capsule["request"] and capsule["seed"] == "0"
    assert capsule["request"]["HyperParameters"]["num_round"] == "3"
    (channel,) = capsule["inputs"]
    for number, entry in enumerate(channel["objects"]):
        body = clients.s3.get_object(Bucket=bucket, Key=entry["key"])["Body"].read()
        assert entry["sha256"] == hashlib.sha256(body).hexdigest() and entry["size"] == len(body)
        assert entry["instances"] == ([1] if instances == 1 else [number % 2 + 1])
    assert [entry["key"] for entry in channel["objects"]] == [f"train/part-{i}" for i in range(5)]
    model = model_file(clients, bucket, unique)
    (file,) = capsule["model"]["files"]
    assert file == {"name": "xgboost-model", "size": len(model), "sha256": hashlib.sha256(model).hexdigest()}

    code, text = run(server, "replay", path)
    assert code == 0 and "the same model: every byte" in text, text
    forged = json.loads(path.read_text())
    forged["model"]["files"][0]["sha256"] = "0" * 64
    path.write_text(json.dumps(forged))
    code, text = run(server, "replay", path)
    assert code == 1 and "xgboost-model differs" in text

    path.write_text(json.dumps(capsule))
    clients.s3.put_object(Bucket=bucket, Key="train/part-3", Body=b"1 1:0.5\n")
    clients.s3.delete_object(Bucket=bucket, Key="train/part-1")
    for command in ("verify", "replay"):
        code, text = run(server, command, path)
        assert code == 1 and f"s3://{bucket}/train/part-3 has changed" in text and "train/part-1 is not there" in text
        assert "part-0" not in text and "same model" not in text


def test_a_folder_stands_in_for_the_server(server, clients, bucket, unique, trained, tmp_path):
    small_jobs.upload_rows(clients, bucket, files=2)
    path = trained(unique)
    for number in range(2):
        target = tmp_path / "data" / bucket / "train" / f"part-{number}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(clients.s3.get_object(Bucket=bucket, Key=f"train/part-{number}")["Body"].read())
    clients.s3.delete_object(Bucket=bucket, Key="train/part-0")
    assert run(server, "verify", path)[0] == 1
    code, text = run(server, "replay", path, "--data", os.fspath(tmp_path / "data"))
    assert code == 0 and "the same model" in text, text


def test_a_job_that_went_on_from_a_model(server, clients, bucket, unique, trained):
    small_jobs.upload_rows(clients, bucket)
    trained(f"{unique}-a")
    channels = small_jobs.request(bucket, "x")["InputDataConfig"]
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/out/{unique}-a/output/model.tar.gz"}
    channels.append({"ChannelName": "model", "ContentType": "application/x-sagemaker-model",
                     "DataSource": {"S3DataSource": source}})
    path = trained(f"{unique}-b", rounds=5, InputDataConfig=channels)
    assert [channel["name"] for channel in json.loads(path.read_text())["inputs"]] == ["train", "model"]
    code, text = run(server, "replay", path)
    assert code == 0 and "the same model" in text, text
    clients.s3.put_object(Bucket=bucket, Key=f"out/{unique}-a/output/model.tar.gz", Body=b"another")
    code, text = run(server, "replay", path)
    assert code == 1 and f"out/{unique}-a/output/model.tar.gz has changed" in text


def test_what_is_no_capsule_is_said(server, tmp_path):
    path = tmp_path / "x.json"
    for text, reason in (("{", "no capsule"), ("{}", "no capsule"), ('{"espalier_capsule": 2}', "has version 2")):
        path.write_text(text)
        code, said = run(server, "verify", path)
        assert code == 1 and reason in said
    assert run(server, "verify", tmp_path / "missing.json")[0] == 1
