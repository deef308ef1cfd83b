"""Buckets and listings through boto3: all list shapes, paging, deletion in bulk, error codes and texts."""

from __future__ import annotations

import datetime

import pytest
from botocore.exceptions import ClientError
from harness.clients import Clients

KEYS = ["a", "a/1", "a/2", "a0", "b//c", "b/c", "d/", "sp ace", "z/y/x", "ü/1", "ü/2"]


@pytest.fixture
def filled(clients, bucket):
    for key in KEYS:
        clients.s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    return bucket


def keys_of(answer):
    return [row["Key"] for row in answer.get("Contents", [])]


def prefixes_of(answer):
    return [row["Prefix"] for row in answer.get("CommonPrefixes", [])]


def failure(call, **arguments):
    with pytest.raises(ClientError) as error:
        call(**arguments)
    response = error.value.response
    return response["Error"]["Code"], response["Error"]["Message"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_list_v2(clients, filled):
    answer = clients.s3.list_objects_v2(Bucket=filled)
    assert keys_of(answer) == KEYS == sorted(KEYS, key=lambda key: key.encode())
    assert (answer["KeyCount"], answer["MaxKeys"], answer["IsTruncated"], answer["Name"]) == (len(KEYS), 1000, False, filled)
    row = answer["Contents"][0]
    assert (row["Size"], row["StorageClass"]) == (1, "STANDARD")
    assert isinstance(row["LastModified"], datetime.datetime)
    assert "Owner" not in row
    assert clients.s3.list_objects_v2(Bucket=filled, FetchOwner=True)["Contents"][0]["Owner"]["ID"]
    answer = clients.s3.list_objects_v2(Bucket=filled, Delimiter="/")
    assert keys_of(answer) == ["a", "a0", "sp ace"]
    assert prefixes_of(answer) == ["a/", "b/", "d/", "z/", "ü/"]
    assert answer["Delimiter"] == "/"
    assert answer["KeyCount"] == 8
    assert keys_of(clients.s3.list_objects_v2(Bucket=filled, Prefix="a/")) == ["a/1", "a/2"]
    assert prefixes_of(clients.s3.list_objects_v2(Bucket=filled, Prefix="b/", Delimiter="/")) == ["b//"]
    assert keys_of(clients.s3.list_objects_v2(Bucket=filled, StartAfter="b/c")) == KEYS[6:]
    assert keys_of(clients.s3.list_objects_v2(Bucket=filled, MaxKeys=0)) == []
    assert keys_of(clients.s3.list_objects_v2(Bucket=filled, Prefix="none")) == []
    assert clients.s3.list_objects_v2(Bucket=filled, MaxKeys=5000)["MaxKeys"] == 1000


def test_list_v1(clients, filled):
    answer = clients.s3.list_objects(Bucket=filled)
    assert keys_of(answer) == KEYS
    assert answer["Contents"][0]["Owner"]["ID"]
    assert (answer["Marker"], answer["IsTruncated"]) == ("", False)
    answer = clients.s3.list_objects(Bucket=filled, MaxKeys=2)
    assert (keys_of(answer), answer["IsTruncated"], answer.get("NextMarker")) == (KEYS[:2], True, None)
    assert keys_of(clients.s3.list_objects(Bucket=filled, Marker=KEYS[1], MaxKeys=2)) == KEYS[2:4]
    answer = clients.s3.list_objects(Bucket=filled, Delimiter="/", MaxKeys=2)
    assert (keys_of(answer), prefixes_of(answer), answer["NextMarker"]) == (["a"], ["a/"], "a/")
    answer = clients.s3.list_objects(Bucket=filled, Delimiter="/", MaxKeys=2, Marker="a/")
    assert (keys_of(answer), prefixes_of(answer), answer["NextMarker"]) == (["a0"], ["b/"], "b/")


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
@pytest.mark.parametrize("delimiter", ["", "/"])
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_paginators(clients, filled, operation, delimiter, size):
    pages = list(clients.s3.get_paginator(operation).paginate(
        Bucket=filled, Delimiter=delimiter, PaginationConfig={"PageSize": size}))
    keys = [key for page in pages for key in keys_of(page)]
    prefixes = [prefix for page in pages for prefix in prefixes_of(page)]
    assert keys == ([key for key in KEYS if "/" not in key] if delimiter else KEYS)
    assert prefixes == (["a/", "b/", "d/", "z/", "ü/"] if delimiter else [])


def test_more_than_one_page_of_real_keys(clients, bucket):
    names = sorted(f"{number:05d}" for number in range(1003))
    # Copies are quick: no bytes are written.
    clients.s3.put_object(Bucket=bucket, Key=names[0], Body=b"x")
    for name in names[1:]:
        clients.s3.copy_object(Bucket=bucket, Key=name, CopySource={"Bucket": bucket, "Key": names[0]})
    first = clients.s3.list_objects_v2(Bucket=bucket)
    assert (first["KeyCount"], first["IsTruncated"]) == (1000, True)
    second = clients.s3.list_objects_v2(Bucket=bucket, ContinuationToken=first["NextContinuationToken"])
    assert keys_of(first) + keys_of(second) == names
    assert not second["IsTruncated"]
    for at in (0, 1000):
        chunk = [{"Key": name} for name in names[at:at + 1000]]
        answer = clients.s3.delete_objects(Bucket=bucket, Delete={"Objects": chunk})
        assert [row["Key"] for row in answer["Deleted"]] == [row["Key"] for row in chunk]
    clients.s3.delete_bucket(Bucket=bucket)


def test_list_arguments_are_checked(clients, filled):
    s3 = clients.s3
    assert failure(s3.list_objects_v2, Bucket=filled, ContinuationToken="nonsense!")[::2] == ("InvalidArgument", 400)
    assert failure(s3.list_objects_v2, Bucket=filled, MaxKeys=-1)[::2] == ("InvalidArgument", 400)


def test_delete_objects(clients, filled):
    answer = clients.s3.delete_objects(Bucket=filled, Delete={"Objects": [{"Key": "a"}, {"Key": "missing"}, {"Key": " "}]})
    assert sorted(row["Key"] for row in answer["Deleted"]) == [" ", "a", "missing"]
    assert "Errors" not in answer
    answer = clients.s3.delete_objects(Bucket=filled, Delete={"Objects": [{"Key": "a/1"}], "Quiet": True})
    assert "Deleted" not in answer
    answer = clients.s3.delete_objects(Bucket=filled, Delete={"Objects": [
        {"Key": "a/2", "VersionId": "7"}, {"Key": "a0", "ETag": '"wrong"'}, {"Key": "k" * 1025}]})
    assert sorted(row["Code"] for row in answer["Errors"]) == ["KeyTooLongError", "NoSuchVersion", "PreconditionFailed"]
    assert keys_of(clients.s3.list_objects_v2(Bucket=filled)) == KEYS[2:]
    assert failure(clients.s3.delete_objects, Bucket=filled, Delete={
        "Objects": [{"Key": str(number)} for number in range(1001)]})[::2] == ("MalformedXML", 400)


def test_buckets(clients, unique):
    s3 = clients.s3
    for name in (unique, unique + "-b"):
        assert s3.create_bucket(Bucket=name)["Location"] == f"/{name}"
    s3.create_bucket(Bucket=unique)  # again: fine in us-east-1
    listed = {row["Name"]: row for row in s3.list_buckets()["Buckets"]}
    assert {unique, unique + "-b"} <= set(listed)
    assert isinstance(listed[unique]["CreationDate"], datetime.datetime)
    assert [row["Name"] for row in s3.list_buckets(Prefix=unique)["Buckets"]] == [unique, unique + "-b"]
    page = s3.list_buckets(Prefix=unique, MaxBuckets=1)
    assert [row["Name"] for row in page["Buckets"]] == [unique]
    page = s3.list_buckets(Prefix=unique, MaxBuckets=1, ContinuationToken=page["ContinuationToken"])
    assert ([row["Name"] for row in page["Buckets"]], page.get("ContinuationToken")) == ([unique + "-b"], None)
    assert s3.head_bucket(Bucket=unique)["BucketRegion"] == "us-east-1"
    assert s3.get_bucket_location(Bucket=unique)["LocationConstraint"] is None
    s3.put_object(Bucket=unique, Key="k", Body=b"")
    assert failure(s3.delete_bucket, Bucket=unique) == ("BucketNotEmpty", "The bucket you tried to delete is not empty", 409)
    s3.delete_object(Bucket=unique, Key="k")
    s3.delete_bucket(Bucket=unique)
    assert failure(s3.head_bucket, Bucket=unique)[::2] == ("404", 404)


def test_buckets_of_another_region(server, unique):
    s3 = Clients(server).client("s3", region="eu-west-1")
    s3.create_bucket(Bucket=unique, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert s3.get_bucket_location(Bucket=unique)["LocationConstraint"] == "eu-west-1"
    assert s3.head_bucket(Bucket=unique)["BucketRegion"] == "eu-west-1"
    assert failure(s3.create_bucket, Bucket=unique, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}) == (
        "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.", 409)


@pytest.mark.parametrize("name", ["ab", "UPPER", "under_score", "-a-", "a..b", "1.2.3.4", "a" * 64])
def test_bucket_names_are_checked(clients, name):
    assert failure(clients.s3.create_bucket, Bucket=name) == (
        "InvalidBucketName", "The specified bucket is not valid.", 400)


def test_missing_things(clients, bucket, unique):
    s3 = clients.s3
    no_bucket = ("NoSuchBucket", "The specified bucket does not exist", 404)
    missing = unique + "-none"
    for call, arguments in [(s3.put_object, {"Key": "k", "Body": b"x"}), (s3.get_object, {"Key": "k"}),
                            (s3.delete_object, {"Key": "k"}), (s3.list_objects_v2, {}), (s3.list_objects, {}),
                            (s3.delete_bucket, {}), (s3.get_bucket_location, {}), (s3.create_multipart_upload, {"Key": "k"}),
                            (s3.delete_objects, {"Delete": {"Objects": [{"Key": "k"}]}}), (s3.list_multipart_uploads, {})]:
        assert failure(call, Bucket=missing, **arguments) == no_bucket
    assert failure(s3.get_object, Bucket=bucket, Key="k") == ("NoSuchKey", "The specified key does not exist.", 404)
    assert failure(s3.head_object, Bucket=bucket, Key="k") == ("404", "Not Found", 404)
    assert failure(s3.head_object, Bucket=missing, Key="k") == ("404", "Not Found", 404)
    assert s3.delete_object(Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert failure(s3.get_object, Bucket=bucket, Key="k", VersionId="v1")[::2] == ("NoSuchVersion", 404)


def test_absent_configurations(clients, bucket, unique):
    s3 = clients.s3
    for call, code in [(s3.get_bucket_cors, "NoSuchCORSConfiguration"), (s3.get_bucket_policy, "NoSuchBucketPolicy"),
                       (s3.get_bucket_tagging, "NoSuchTagSet"), (s3.get_bucket_website, "NoSuchWebsiteConfiguration"),
                       (s3.get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration"),
                       (s3.get_bucket_encryption, "ServerSideEncryptionConfigurationNotFoundError"),
                       (s3.get_public_access_block, "NoSuchPublicAccessBlockConfiguration"),
                       (s3.get_bucket_replication, "ReplicationConfigurationNotFoundError"),
                       (s3.get_object_lock_configuration, "ObjectLockConfigurationNotFoundError"),
                       (s3.get_bucket_ownership_controls, "OwnershipControlsNotFoundError")]:
        assert failure(call, Bucket=bucket)[::2] == (code, 404)
        assert failure(call, Bucket=unique + "-none")[0] == "NoSuchBucket"
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []


def test_what_is_not_there_is_refused_not_ignored(clients, bucket):
    s3 = clients.s3
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    for call, arguments in [
        (s3.get_object_attributes, {"Key": "k", "ObjectAttributes": ["ETag"]}), (s3.get_bucket_acl, {}),
        (s3.get_object_acl, {"Key": "k"}), (s3.list_object_versions, {}),
        (s3.put_bucket_versioning, {"VersioningConfiguration": {"Status": "Enabled"}}),
        (s3.put_object_tagging, {"Key": "k", "Tagging": {"TagSet": [{"Key": "a", "Value": "b"}]}}),
        (s3.put_object, {"Key": "k", "Tagging": "a=b"}), (s3.put_object, {"Key": "k", "ServerSideEncryption": "AES256"}),
    ]:
        code, _, status = failure(call, Bucket=bucket, **arguments)
        assert (code, status) == ("NotImplemented", 501), call
    assert failure(s3.put_object, Bucket=bucket, Key="k", ACL="public-read")[::2] == ("AccessControlListNotSupported", 400)
    assert failure(s3.put_object, Bucket=bucket, Key="k", StorageClass="GLACIER")[::2] == ("InvalidStorageClass", 400)


def test_expected_bucket_owner(clients, bucket):
    account = clients.sts.get_caller_identity()["Account"]
    clients.s3.put_object(Bucket=bucket, Key="k", Body=b"", ExpectedBucketOwner=account)
    assert failure(clients.s3.get_object, Bucket=bucket, Key="k", ExpectedBucketOwner="999999999999") == (
        "AccessDenied", "Access Denied", 403)
