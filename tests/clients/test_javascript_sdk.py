"""The AWS SDK for JavaScript v3 (programs/javascript): objects with its default checksums, an endpoint, CloudWatch."""

from __future__ import annotations

import json
import shutil

from harness import models, programs


def test_objects_predictions_and_metrics(server, clients, bucket, unique):
    hosting = models.Hosting(clients, bucket, unique)
    endpoint = hosting.serve(models.archive({"xgboost-model": models.model_bytes(models.booster(), "ubj")}))
    node = shutil.which("node")
    assert node, "node is not there: run ./dev setup"
    folder = programs.CLIENTS / "javascript"
    assert (folder / "node_modules").is_dir(), f"{folder} is not filled: run ./dev setup"
    program = folder / "client.mjs"  # Node looks for modules beside the program.
    shutil.copyfile(programs.PROGRAMS / "javascript" / "client.mjs", program)
    seen = json.loads(programs.run(server, [node, program, f"{unique}-js", endpoint]).splitlines()[-1])
    assert seen["text"] == "hello from node" and seen["large"] == 6 << 20
    assert seen["keys"] == ["a b/é.txt", "large"] and seen["missing"] == ["NoSuchKey", 404]
    head = clients.s3.head_object(Bucket=f"{unique}-js", Key="a b/é.txt", ChecksumMode="ENABLED")
    assert seen["crc32"] == head["ChecksumCRC32"]
    assert clients.s3.get_object(Bucket=f"{unique}-js", Key="large")["Body"].read() == b"\7" * (6 << 20)
    rows = b"0.1,0.2,0.3,0.4,0.5,0.6\n0.9,-0.8,0.7,0.6,0.5,0.4\n"
    assert seen["predictions"] == [float(v) for v in hosting.invoke(endpoint, rows)["Body"].split(b",")]
    assert seen["variant"] == "AllTraffic"
    assert seen["streamed"] == ["AllTraffic", 3, 3000]
    assert seen["noEndpoint"][0] == "ValidationError" and "none" in seen["noEndpoint"][1]
    assert seen["metrics"] == ["steps"] and seen["values"] == [3] and seen["timeIsRight"] is True
