"""Multipart uploads through boto3, part by part."""

from __future__ import annotations

import base64
import concurrent.futures
import hashlib
import os
import zlib

import pytest
from botocore.exceptions import ClientError

MIB = 1 << 20


def failure(call, **arguments):
    with pytest.raises(ClientError) as error:
        call(**arguments)
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.fixture
def upload(clients, bucket):
    """One open upload of key "k": (arguments for every call on it)."""
    answer = clients.s3.create_multipart_upload(Bucket=bucket, Key="k", Metadata={"a": "1"}, ContentType="text/plain")
    assert (answer["Bucket"], answer["Key"]) == (bucket, "k")
    return {"Bucket": bucket, "Key": "k", "UploadId": answer["UploadId"]}


def part(clients, upload, number, body):
    answer = clients.s3.upload_part(**upload, PartNumber=number, Body=body)
    return {"PartNumber": number, "ETag": answer["ETag"]}


def test_parts_out_of_order_and_replaced(clients, upload):
    one, two, three = os.urandom(5 * MIB), os.urandom(6 * MIB + 1), b"end"
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        rows = list(pool.map(lambda row: part(clients, upload, *row), [(7, three), (2, two), (1, b"not this")]))
    rows = sorted([row for row in rows if row["PartNumber"] != 1] + [part(clients, upload, 1, one)], key=lambda row: row["PartNumber"])
    listed = clients.s3.list_parts(**upload)
    assert [(row["PartNumber"], row["Size"], row["ETag"]) for row in listed["Parts"]] == [
        (1, len(one), rows[0]["ETag"]), (2, len(two), rows[1]["ETag"]), (7, 3, rows[2]["ETag"])]
    page = clients.s3.list_parts(**upload, MaxParts=2)
    assert (page["IsTruncated"], page["NextPartNumberMarker"]) == (True, 2)
    page = clients.s3.list_parts(**upload, MaxParts=2, PartNumberMarker=2)
    assert ([row["PartNumber"] for row in page["Parts"]], page["IsTruncated"]) == ([7], False)
    assert failure(clients.s3.get_object, Bucket=upload["Bucket"], Key="k") == ("NoSuchKey", 404)
    done = clients.s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": rows})
    again = clients.s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": rows})
    assert done["ETag"] == again["ETag"]
    assert done["ETag"].endswith('-3"')
    got = clients.s3.get_object(Bucket=upload["Bucket"], Key="k")
    assert got["Body"].read() == one + two + three
    assert (got["ETag"], got["Metadata"], got["ContentType"]) == (done["ETag"], {"a": "1"}, "text/plain")
    second = clients.s3.get_object(Bucket=upload["Bucket"], Key="k", PartNumber=2)
    assert second["Body"].read() == two
    assert (second["PartsCount"], second["ResponseMetadata"]["HTTPStatusCode"]) == (3, 206)
    assert failure(clients.s3.get_object, Bucket=upload["Bucket"], Key="k", PartNumber=4) == ("InvalidRange", 416)
    assert failure(clients.s3.list_parts, **upload) == ("NoSuchUpload", 404)
    assert failure(clients.s3.upload_part, **upload, PartNumber=1, Body=b"") == ("NoSuchUpload", 404)


def test_complete_is_checked(clients, upload):
    one, two = part(clients, upload, 1, b"small"), part(clients, upload, 2, b"end")

    def complete(*parts):
        return failure(clients.s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": list(parts)})

    assert complete(one, two) == ("EntityTooSmall", 400)
    assert complete(two, one) == ("InvalidPartOrder", 400)
    assert complete(one, one) == ("InvalidPartOrder", 400)
    assert complete(one, {"PartNumber": 3, "ETag": two["ETag"]}) == ("InvalidPart", 400)
    assert complete({"PartNumber": 1, "ETag": '"' + "0" * 32 + '"'}) == ("InvalidPart", 400)
    assert complete() == ("MalformedXML", 400)
    for number in (0, 10001):
        assert failure(clients.s3.upload_part, **upload, PartNumber=number, Body=b"") == ("InvalidArgument", 400)
    assert failure(clients.s3.complete_multipart_upload, **upload | {"UploadId": "x"}, MultipartUpload={"Parts": [one]}) == (
        "NoSuchUpload", 404)
    assert failure(clients.s3.complete_multipart_upload, **upload | {"Key": "other"}, MultipartUpload={"Parts": [one]}) == (
        "NoSuchUpload", 404)
    assert failure(clients.s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": [one]}, MpuObjectSize=4) == (
        "InvalidRequest", 400)
    clients.s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [one]}, MpuObjectSize=5, IfNoneMatch="*")


def test_abort_and_list_uploads(clients, upload):
    bucket = upload["Bucket"]
    part(clients, upload, 1, b"x")
    others = [clients.s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"] for key in ("a/1", "a/2", "k")]
    listed = clients.s3.list_multipart_uploads(Bucket=bucket)
    assert [row["Key"] for row in listed["Uploads"]] == ["a/1", "a/2", "k", "k"]
    assert {row["UploadId"] for row in listed["Uploads"]} == {upload["UploadId"], *others}
    grouped = clients.s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [row["Prefix"] for row in grouped["CommonPrefixes"]] == ["a/"]
    assert len(grouped["Uploads"]) == 2
    pages = clients.s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, PaginationConfig={"PageSize": 1})
    assert [row["Key"] for page in pages for row in page["Uploads"]] == ["a/1", "a/2", "k", "k"]
    assert clients.s3.abort_multipart_upload(**upload)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert failure(clients.s3.abort_multipart_upload, **upload) == ("NoSuchUpload", 404)
    assert failure(clients.s3.get_object, Bucket=bucket, Key="k") == ("NoSuchKey", 404)
    clients.s3.delete_bucket(Bucket=bucket)  # unfinished uploads are no content


@pytest.mark.parametrize("algorithm,kind", [("CRC32", "COMPOSITE"), ("CRC32", "FULL_OBJECT"), ("SHA256", "COMPOSITE")])
def test_checksums_of_uploads(clients, bucket, algorithm, kind):
    bodies = [os.urandom(5 * MIB), os.urandom(1000)]
    raw = {"CRC32": lambda data: zlib.crc32(data).to_bytes(4, "big"), "SHA256": lambda data: hashlib.sha256(data).digest()}[algorithm]
    member = f"Checksum{algorithm}"
    created = clients.s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm=algorithm, ChecksumType=kind)
    assert (created["ChecksumAlgorithm"], created["ChecksumType"]) == (algorithm, kind)
    upload = {"Bucket": bucket, "Key": "k", "UploadId": created["UploadId"]}
    rows = []
    for number, body in enumerate(bodies, 1):
        answer = clients.s3.upload_part(**upload, PartNumber=number, Body=body, ChecksumAlgorithm=algorithm)
        assert answer[member] == base64.b64encode(raw(body)).decode()
        rows.append({"PartNumber": number, "ETag": answer["ETag"], member: answer[member]})
    assert failure(clients.s3.upload_part, **upload, PartNumber=3, Body=b"", ChecksumAlgorithm="SHA1") == ("InvalidRequest", 400)
    if kind == "FULL_OBJECT":
        expected = base64.b64encode(raw(b"".join(bodies))).decode()
        wrong = {"ChecksumType": kind, member: base64.b64encode(b"\0" * 4).decode()}
        assert failure(clients.s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": rows}, **wrong) == ("BadDigest", 400)
    else:
        expected = base64.b64encode(raw(b"".join(raw(body) for body in bodies))).decode() + "-2"
    bad = [dict(rows[0], **{member: base64.b64encode(raw(b"other")).decode()}), rows[1]]
    assert failure(clients.s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": bad}) == ("InvalidPart", 400)
    done = clients.s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": rows})
    assert (done[member], done["ChecksumType"]) == (expected, kind)
    got = clients.s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (got[member], got["ChecksumType"]) == (expected, kind)
    assert got["Body"].read() == b"".join(bodies)


def test_upload_part_copy(clients, bucket, upload):
    data = os.urandom(6 * MIB)
    clients.s3.put_object(Bucket=bucket, Key="source", Body=data)
    source = {"Bucket": bucket, "Key": "source"}
    one = clients.s3.upload_part_copy(**upload, PartNumber=1, CopySource=source)["CopyPartResult"]
    two = clients.s3.upload_part_copy(**upload, PartNumber=2, CopySource=source, CopySourceRange="bytes=10-19")["CopyPartResult"]
    assert two["ETag"] == f'"{hashlib.md5(data[10:20]).hexdigest()}"'
    for wrong in ("bytes=0-99999999", "bytes=5-", "bytes=-5", "0-5"):
        code, status = failure(clients.s3.upload_part_copy, **upload, PartNumber=3, CopySource=source, CopySourceRange=wrong)
        assert (code, status) == ("InvalidArgument", 400), wrong
    clients.s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [
        {"PartNumber": 1, "ETag": one["ETag"]}, {"PartNumber": 2, "ETag": two["ETag"]}]})
    assert clients.s3.get_object(Bucket=bucket, Key="k")["Body"].read() == data + data[10:20]
    # A copy of a joined object is an object of one piece with the md5 of its bytes.
    clients.s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k"})
    assert clients.s3.head_object(Bucket=bucket, Key="copy")["ETag"] == f'"{hashlib.md5(data + data[10:20]).hexdigest()}"'
