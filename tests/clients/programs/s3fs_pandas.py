"""pandas on s3:// paths, run by .venv-s3fs with a server's environment. Prints one JSON line of what it saw.

usage: s3fs_pandas.py BUCKET     (the bucket holds table.csv, written by boto3: columns name, x; 3 rows)
"""

import json
import sys

import pandas
import s3fs


def main():
    bucket, seen = sys.argv[1], {}
    seen["read"] = pandas.read_csv(f"s3://{bucket}/table.csv").to_dict("list")
    frame = pandas.DataFrame({"id": range(20_000), "text": ["ä" * (i % 7) for i in range(20_000)]})
    frame.to_csv(f"s3://{bucket}/out/frame.csv", index=False)
    frame.to_parquet(f"s3://{bucket}/out/frame.parquet")
    seen["csv_same"] = pandas.read_csv(f"s3://{bucket}/out/frame.csv", keep_default_na=False).equals(frame)
    columns = pandas.read_parquet(f"s3://{bucket}/out/frame.parquet", columns=["id"])
    seen["parquet_sum"] = int(columns["id"].sum())
    files = s3fs.S3FileSystem()
    with files.open(f"{bucket}/out/parts", "wb", block_size=5 << 20) as file:  # Three parts.
        for _ in range(12):
            file.write(b"x" * (1 << 20))
    with files.open(f"{bucket}/out/parts", "rb") as file:
        file.seek(-3, 2)
        seen["tail"] = file.read().decode()
    files.copy(f"{bucket}/out/frame.csv", f"{bucket}/copy/frame.csv")
    seen["found"] = sorted(files.find(bucket))
    seen["info"] = files.info(f"{bucket}/out/parts")["size"]
    files.rm(f"{bucket}/out", recursive=True)
    seen["left"] = sorted(files.find(bucket))
    seen["missing"] = files.exists(f"{bucket}/none")
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
