"""S3 objects as boto3 users handle them: bytes of every size, names of every kind, metadata, ranges, conditions, links."""

from __future__ import annotations

import base64
import datetime
import hashlib
import io
import os
import zlib

import pytest
import requests
from botocore.exceptions import ClientError
from harness.clients import Clients
from harness.signing import Keys, V4

MIB = 1 << 20
ODD_KEYS = ["a b", "a+b", "ü", "日本/語", "//", "a//b", "../up", "a/../b", "./x", "dir/", "q?x=1&y=2", "100%", "%41", "#", "~tilde",
            "quote\"'<&>", "k" * 1024]


def code_of(error) -> tuple[str, int]:
    return error.value.response["Error"]["Code"], error.value.response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize("size", [0, 1, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 64 * MIB])
def test_upload_and_download_fileobj(clients, bucket, size):
    data = os.urandom(size)
    clients.s3.upload_fileobj(io.BytesIO(data), bucket, "k")
    head = clients.s3.head_object(Bucket=bucket, Key="k")
    assert head["ContentLength"] == size
    assert head["ContentType"] == "binary/octet-stream"
    back = io.BytesIO()
    clients.s3.download_fileobj(bucket, "k", back)
    assert back.getvalue() == data
    if size < 8 * MIB:
        assert head["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
    else:
        parts = [data[at:at + 8 * MIB] for at in range(0, size, 8 * MIB)]
        joined = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()
        assert head["ETag"] == f'"{joined}-{len(parts)}"'
    listed = clients.s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert [(row["Key"], row["Size"], row["ETag"]) for row in listed] == [("k", size, head["ETag"])]


@pytest.mark.parametrize("key", ODD_KEYS, ids=lambda key: key[:12])
def test_odd_keys(clients, bucket, key):
    body = key.encode()
    clients.s3.put_object(Bucket=bucket, Key=key, Body=body)
    assert clients.s3.get_object(Bucket=bucket, Key=key)["Body"].read() == body
    assert [row["Key"] for row in clients.s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    assert [row["Key"] for row in clients.s3.list_objects(Bucket=bucket)["Contents"]] == [key]
    clients.s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key})
    assert clients.s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == body
    link = clients.s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key})
    if ".." not in key and "./" not in key:  # requests itself normalises dots
        assert requests.get(link, timeout=10).content == body
    assert "Errors" not in clients.s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}, {"Key": "copy"}]})
    assert "Contents" not in clients.s3.list_objects_v2(Bucket=bucket)


def test_keys_that_are_too_long_or_no_utf8(clients, bucket, server):
    with pytest.raises(ClientError) as error:
        clients.s3.put_object(Bucket=bucket, Key="k" * 1025, Body=b"")
    assert code_of(error) == ("KeyTooLongError", 400)
    assert error.value.response["Error"]["Message"] == "Your key is too long"
    assert "Contents" not in clients.s3.list_objects_v2(Bucket=bucket)


def test_metadata_and_system_headers_come_back(clients, bucket):
    expires = datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    clients.s3.put_object(
        Bucket=bucket, Key="k", Body=b"x", Metadata={"Color": "Red", "n": "1 2"}, ContentType="text/plain; charset=utf-8",
        ContentEncoding="gzip", CacheControl="no-cache", ContentDisposition='attachment; filename="a.txt"',
        ContentLanguage="de", Expires=expires)
    for answer in (clients.s3.head_object(Bucket=bucket, Key="k"), clients.s3.get_object(Bucket=bucket, Key="k")):
        assert answer["Metadata"] == {"color": "Red", "n": "1 2"}
        assert answer["ContentType"] == "text/plain; charset=utf-8"
        assert answer["ContentEncoding"] == "gzip"
        assert answer["CacheControl"] == "no-cache"
        assert answer["ContentDisposition"] == 'attachment; filename="a.txt"'
        assert answer["ContentLanguage"] == "de"
        assert answer["ExpiresString"] == "Wed, 02 Jan 2030 03:04:05 GMT"
        assert abs((answer["LastModified"] - datetime.datetime.now(datetime.timezone.utc)).total_seconds()) < 60
    answer = clients.s3.get_object(Bucket=bucket, Key="k", ResponseContentType="application/json",
                                   ResponseCacheControl="max-age=1", ResponseContentDisposition="inline")
    assert (answer["ContentType"], answer["CacheControl"], answer["ContentDisposition"]) == (
        "application/json", "max-age=1", "inline")


def test_metadata_limit(clients, bucket):
    clients.s3.put_object(Bucket=bucket, Key="k", Body=b"", Metadata={"a": "x" * 2047})
    with pytest.raises(ClientError) as error:
        clients.s3.put_object(Bucket=bucket, Key="k2", Body=b"", Metadata={"a": "x" * 2048})
    assert code_of(error) == ("MetadataTooLarge", 400)


def test_ranges(clients, bucket):
    data = os.urandom(3 * MIB + 7)
    clients.s3.put_object(Bucket=bucket, Key="k", Body=data)

    def ranged(text):
        answer = clients.s3.get_object(Bucket=bucket, Key="k", Range=text, ChecksumMode="ENABLED")
        return answer["Body"].read(), answer.get("ContentRange"), answer["ResponseMetadata"]

    total = len(data)
    for text, first, last in [("bytes=0-0", 0, 0), ("bytes=0-", 0, total - 1), ("bytes=5-9", 5, 9), ("bytes=-3", total - 3, total - 1),
                              (f"bytes=-{total * 2}", 0, total - 1), (f"bytes={total - 1}-{total + 100}", total - 1, total - 1),
                              (f"bytes={MIB - 1}-{2 * MIB}", MIB - 1, 2 * MIB)]:
        body, content_range, metadata = ranged(text)
        assert body == data[first:last + 1], text
        assert content_range == f"bytes {first}-{last}/{total}"
        assert metadata["HTTPStatusCode"] == 206
        assert not [name for name in metadata["HTTPHeaders"] if name.startswith("x-amz-checksum-")]
    for malformed in ("bytes=9-5", "bytes=a-b", "lines=0-1", "bytes=0-1,3-4", "bytes=-"):
        body, content_range, metadata = ranged(malformed)
        assert (body == data, content_range, metadata["HTTPStatusCode"]) == (True, None, 200), malformed
    for outside in (f"bytes={total}-", f"bytes={total}-{total + 5}", "bytes=-0"):
        with pytest.raises(ClientError) as error:
            ranged(outside)
        assert code_of(error) == ("InvalidRange", 416), outside
        assert error.value.response["Error"]["Message"] == "The requested range is not satisfiable"
    head = clients.s3.head_object(Bucket=bucket, Key="k", Range="bytes=5-9")
    assert (head["ContentLength"], head["ResponseMetadata"]["HTTPStatusCode"]) == (5, 206)
    clients.s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    with pytest.raises(ClientError) as error:
        clients.s3.get_object(Bucket=bucket, Key="empty", Range="bytes=0-")
    assert code_of(error) == ("InvalidRange", 416)


def test_conditional_reads(clients, bucket):
    etag = clients.s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    now = clients.s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    before, after = now - datetime.timedelta(hours=1), now + datetime.timedelta(hours=1)
    for good in ({"IfMatch": etag}, {"IfMatch": "*"}, {"IfNoneMatch": '"other"'}, {"IfModifiedSince": before},
                 {"IfUnmodifiedSince": after}, {"IfUnmodifiedSince": now}, {"IfMatch": etag, "IfUnmodifiedSince": before},
                 {"IfNoneMatch": '"other"', "IfModifiedSince": after}):
        assert clients.s3.get_object(Bucket=bucket, Key="k", **good)["Body"].read() == b"x", good
        clients.s3.head_object(Bucket=bucket, Key="k", **good)
    for same in ({"IfNoneMatch": etag}, {"IfNoneMatch": "*"}, {"IfModifiedSince": now}, {"IfModifiedSince": after},
                 {"IfNoneMatch": etag, "IfModifiedSince": before}):
        with pytest.raises(ClientError) as error:
            clients.s3.get_object(Bucket=bucket, Key="k", **same)
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 304, same
        assert error.value.response["ResponseMetadata"]["HTTPHeaders"]["etag"] == etag
    for failed in ({"IfMatch": '"other"'}, {"IfUnmodifiedSince": before}):
        with pytest.raises(ClientError) as error:
            clients.s3.get_object(Bucket=bucket, Key="k", **failed)
        assert code_of(error) == ("PreconditionFailed", 412), failed


def test_conditional_writes(clients, bucket):
    with pytest.raises(ClientError) as error:
        clients.s3.put_object(Bucket=bucket, Key="k", Body=b"0", IfMatch='"x"')
    assert code_of(error) == ("NoSuchKey", 404)
    first = clients.s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    with pytest.raises(ClientError) as error:
        clients.s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    assert code_of(error) == ("PreconditionFailed", 412)
    assert error.value.response["Error"]["Message"] == "At least one of the pre-conditions you specified did not hold"
    with pytest.raises(ClientError) as error:
        clients.s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch='"x"')
    assert code_of(error) == ("PreconditionFailed", 412)
    second = clients.s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch=first)["ETag"]
    with pytest.raises(ClientError) as error:
        clients.s3.delete_object(Bucket=bucket, Key="k", IfMatch=first)
    assert code_of(error) == ("PreconditionFailed", 412)
    clients.s3.delete_object(Bucket=bucket, Key="k", IfMatch=second)


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_checksums_are_verified_stored_and_returned(clients, bucket, algorithm):
    body = os.urandom(10000)
    put = clients.s3.put_object(Bucket=bucket, Key="k", Body=body, ChecksumAlgorithm=algorithm)
    member = f"Checksum{algorithm}"
    expected = {
        "CRC32": base64.b64encode(zlib.crc32(body).to_bytes(4, "big")),
        "SHA1": base64.b64encode(hashlib.sha1(body).digest()),
        "SHA256": base64.b64encode(hashlib.sha256(body).digest()),
    }[algorithm].decode()
    assert put[member] == expected
    assert put["ChecksumType"] == "FULL_OBJECT"
    got = clients.s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == body
    assert (got[member], got["ChecksumType"]) == (expected, "FULL_OBJECT")
    assert member not in clients.s3.head_object(Bucket=bucket, Key="k")
    assert clients.s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")[member] == expected
    assert clients.s3.list_objects_v2(Bucket=bucket)["Contents"][0]["ChecksumAlgorithm"] == [algorithm]
    with pytest.raises(ClientError) as error:
        clients.s3.put_object(Bucket=bucket, Key="bad", Body=body, **{member: base64.b64encode(b"\0" * {
            "CRC32": 4, "SHA1": 20, "SHA256": 32}[algorithm]).decode()})
    assert code_of(error) == ("BadDigest", 400)
    assert error.value.response["Error"]["Message"] == (
        f"The {algorithm} you specified did not match the calculated checksum.")
    with pytest.raises(ClientError) as error:
        clients.s3.head_object(Bucket=bucket, Key="bad")
    assert code_of(error) == ("404", 404)


def test_content_md5_is_verified_if_sent(clients, bucket):
    digest = base64.b64encode(hashlib.md5(b"x").digest()).decode()
    clients.s3.put_object(Bucket=bucket, Key="k", Body=b"x", ContentMD5=digest)
    for value, code in ((base64.b64encode(b"\0" * 16).decode(), "BadDigest"), ("nonsense", "InvalidDigest")):
        with pytest.raises(ClientError) as error:
            clients.s3.put_object(Bucket=bucket, Key="k", Body=b"y", ContentMD5=value)
        assert code_of(error) == (code, 400)
    assert clients.s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


@pytest.mark.parametrize("signature", ["s3", "s3v4"])
def test_presigned_links(server, bucket, signature):
    s3 = Clients(server).client("s3", signature_version=signature)
    put = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "p q/ü"})
    assert requests.put(put, data=b"by link", timeout=10).status_code == 200
    get = s3.generate_presigned_url("get_object", Params={
        "Bucket": bucket, "Key": "p q/ü", "ResponseContentType": "text/x-test"})
    answer = requests.get(get, timeout=10)
    assert (answer.content, answer.headers["Content-Type"]) == (b"by link", "text/x-test")
    head = s3.generate_presigned_url("head_object", Params={"Bucket": bucket, "Key": "p q/ü"})
    assert requests.head(head, timeout=10).headers["Content-Length"] == "7"
    refused = requests.get(get.replace("Signature=", "Signature=0"), timeout=10)
    assert (refused.status_code, "SignatureDoesNotMatch" in refused.text) == (403, True)


def test_copies(clients, bucket, unique):
    other = unique + "-2"
    clients.s3.create_bucket(Bucket=other)
    clients.s3.put_object(Bucket=bucket, Key="k", Body=b"bytes", Metadata={"a": "1"}, ContentType="text/plain")
    etag = clients.s3.head_object(Bucket=bucket, Key="k")["ETag"]
    source = {"Bucket": bucket, "Key": "k"}
    copied = clients.s3.copy_object(Bucket=other, Key="c", CopySource=source)["CopyObjectResult"]
    assert copied["ETag"] == etag and copied["LastModified"]
    head = clients.s3.head_object(Bucket=other, Key="c")
    assert (head["Metadata"], head["ContentType"]) == ({"a": "1"}, "text/plain")
    clients.s3.copy_object(Bucket=other, Key="c", CopySource=source, MetadataDirective="REPLACE", Metadata={"b": "2"},
                           ChecksumAlgorithm="SHA256")
    head = clients.s3.head_object(Bucket=other, Key="c", ChecksumMode="ENABLED")
    assert (head["Metadata"], head["ContentType"]) == ({"b": "2"}, "binary/octet-stream")
    assert head["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(b"bytes").digest()).decode()
    # Onto itself only with something changed.
    with pytest.raises(ClientError) as error:
        clients.s3.copy_object(Bucket=bucket, Key="k", CopySource=source)
    assert code_of(error) == ("InvalidRequest", 400)
    clients.s3.copy_object(Bucket=bucket, Key="k", CopySource=source, MetadataDirective="REPLACE", Metadata={"c": "3"})
    assert clients.s3.head_object(Bucket=bucket, Key="k")["Metadata"] == {"c": "3"}
    assert clients.s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"bytes"
    for condition in ({"CopySourceIfMatch": '"x"'}, {"CopySourceIfNoneMatch": etag}, {"IfNoneMatch": "*"}):
        with pytest.raises(ClientError) as error:
            clients.s3.copy_object(Bucket=other, Key="c", CopySource=source, **condition)
        assert code_of(error) == ("PreconditionFailed", 412), condition
    for wrong, code in (({"Bucket": bucket, "Key": "none"}, "NoSuchKey"), ({"Bucket": "no-such-b", "Key": "k"}, "NoSuchBucket")):
        with pytest.raises(ClientError) as error:
            clients.s3.copy_object(Bucket=other, Key="c", CopySource=wrong)
        assert code_of(error) == (code, 404)
        named = error.value.response["Error"]
        assert (named["Key"] if code == "NoSuchKey" else named["BucketName"]) in wrong.values()
    clients.s3.delete_object(Bucket=bucket, Key="k")
    assert clients.s3.get_object(Bucket=other, Key="c")["Body"].read() == b"bytes"


def test_managed_copy_of_a_large_object(clients, bucket):
    data = os.urandom(9 * MIB)
    clients.s3.upload_fileobj(io.BytesIO(data), bucket, "k")
    clients.s3.copy({"Bucket": bucket, "Key": "k"}, bucket, "copy")
    assert clients.s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == data


def test_overwriting_while_reading(clients, bucket):
    old = os.urandom(20 * MIB)
    clients.s3.put_object(Bucket=bucket, Key="k", Body=old)
    body = clients.s3.get_object(Bucket=bucket, Key="k")["Body"]
    begin = body.read(1000)
    clients.s3.put_object(Bucket=bucket, Key="k", Body=b"new")
    clients.s3.delete_object(Bucket=bucket, Key="k")
    assert begin + body.read() == old


def test_virtual_host_style(server, clients, bucket):
    port = server.endpoint_url.rsplit(":", 1)[1]
    signer = V4(Keys(server.access_key_id, server.secret_access_key), "s3", "us-east-1",
                datetime.datetime.now(datetime.timezone.utc))
    for method, body in (("PUT", b"virtual"), ("GET", b"")):
        digest = hashlib.sha256(body).hexdigest()
        headers = {"Host": f"{bucket}.localhost:{port}", "x-amz-content-sha256": digest}
        signer.authorize(method, "/a%20key", headers, digest)
        answer = requests.request(method, server.endpoint_url + "/a%20key", headers=headers, data=body, timeout=10)
        assert answer.status_code == 200, answer.text
    assert answer.content == b"virtual"
    assert clients.s3.get_object(Bucket=bucket, Key="a key")["Body"].read() == b"virtual"
