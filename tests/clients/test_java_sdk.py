"""The AWS SDK for Java v2 (programs/java): objects with its default checksums, an endpoint, CloudWatch."""

from __future__ import annotations

import shutil

from harness import models, programs


def test_objects_predictions_and_metrics(server, clients, bucket, unique):
    hosting = models.Hosting(clients, bucket, unique)
    endpoint = hosting.serve(models.archive({"xgboost-model": models.model_bytes(models.booster(), "ubj")}))
    java = shutil.which("java")
    assert java, "java is not there: run ./dev setup"
    jars = programs.CLIENTS / "java" / "jars"
    assert jars.is_dir(), f"{jars} is not there: run ./dev setup"
    # The archive of shared classes and the first compiler are quicker for a program of two seconds.
    command = [java, "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8", "-cp", f"{jars}/*",
               programs.PROGRAMS / "java" / "Client.java", f"{unique}-java", endpoint]
    seen = dict(line.split("\t", 1) for line in programs.run(server, command).splitlines() if "\t" in line)
    assert seen["text"] == "hello from java" and seen["large"] == str(3 << 20) and seen["same"] == "true"
    assert seen["keys"] == "[a b/é.txt, large]" and seen["missing"] == "404"
    head = clients.s3.head_object(Bucket=f"{unique}-java", Key="a b/é.txt", ChecksumMode="ENABLED")
    assert seen["crc32"] == head["ChecksumCRC32"]
    rows = b"0.1,0.2,0.3,0.4,0.5,0.6\n0.9,-0.8,0.7,0.6,0.5,0.4\n"
    assert seen["predictions"] == hosting.invoke(endpoint, rows)["Body"].decode().strip()
    assert seen["variant"] == "AllTraffic" and seen["noEndpoint"] == "ValidationError"
    assert seen["metrics"] == "[steps]" and seen["values"] == "[3.0]" and seen["timeIsRight"] == "true"
