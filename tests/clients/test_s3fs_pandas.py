"""s3fs and pandas (CSV, Parquet) on the buckets that boto3 fills; programs/s3fs_pandas.py runs in an environment of its own."""

from __future__ import annotations

import io
import json

from harness import programs


def test_pandas_reads_and_writes_the_same_buckets(server, clients, bucket):
    clients.s3.put_object(Bucket=bucket, Key="table.csv", Body=b"name,x\na,1\nb,2.5\n\"c,d\",-3\n")
    printed = programs.run(server, [programs.python(".venv-s3fs"), programs.PROGRAMS / "s3fs_pandas.py", bucket])
    seen = json.loads(printed.splitlines()[-1])
    assert seen["read"] == {"name": ["a", "b", "c,d"], "x": [1, 2.5, -3]}
    assert seen["csv_same"] is True and seen["parquet_sum"] == sum(range(20_000))
    assert seen["tail"] == "xxx" and seen["info"] == 12 << 20
    written = [f"{bucket}/{key}" for key in ("copy/frame.csv", "out/frame.csv", "out/frame.parquet", "out/parts", "table.csv")]
    assert seen["found"] == written
    assert seen["left"] == [written[0], written[-1]] and seen["missing"] is False
    body = clients.s3.get_object(Bucket=bucket, Key="copy/frame.csv")["Body"].read()
    assert body.startswith("id,text\n0,\n1,ä\n".encode()) and body.count(b"\n") == 20_001
    assert io.BytesIO(body).readline() == b"id,text\n"
