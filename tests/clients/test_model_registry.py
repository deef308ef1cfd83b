"""Model packages with and without versions, approval, deployment from a package, and model cards, through boto3."""

from __future__ import annotations

import json

import botocore.exceptions
import pytest
from harness import models

ARN = "arn:aws:sagemaker:us-east-1:123456789012"


@pytest.fixture
def hosting(clients, bucket, unique):
    return models.Hosting(clients, bucket, unique)


@pytest.fixture
def archive_url(hosting, unique):
    return hosting.put(unique, models.constant_archive(0.25))


@pytest.fixture
def group(clients, unique):
    clients.sagemaker.create_model_package_group(ModelPackageGroupName=f"G-{unique}", ModelPackageGroupDescription="digits",
                                                 Tags=[{"Key": "team", "Value": "a"}])
    return f"G-{unique}"


def specification(url: str) -> dict:
    return {"Containers": [{"Image": models.LEGACY_IMAGE, "ModelDataUrl": url}], "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"], "SupportedTransformInstanceTypes": ["ml.m5.large"],
            "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large"]}


def refused(call, code: str = "ValidationException", **arguments) -> str:
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] == code
    return caught.value.response["Error"]["Message"]


def test_a_group_is_described_listed_tagged_and_deleted(clients, group):
    description = clients.sagemaker.describe_model_package_group(ModelPackageGroupName=group)
    assert description["ModelPackageGroupName"] == group and description["ModelPackageGroupStatus"] == "Completed"
    assert description["ModelPackageGroupArn"] == f"{ARN}:model-package-group/{group.lower()}"
    assert description["ModelPackageGroupDescription"] == "digits"
    by_arn = clients.sagemaker.describe_model_package_group(ModelPackageGroupName=description["ModelPackageGroupArn"])
    assert by_arn["ModelPackageGroupName"] == group
    assert clients.sagemaker.list_tags(ResourceArn=by_arn["ModelPackageGroupArn"])["Tags"] == [{"Key": "team", "Value": "a"}]
    listed = clients.sagemaker.list_model_package_groups(NameContains=group.upper())["ModelPackageGroupSummaryList"]
    assert [g["ModelPackageGroupName"] for g in listed] == [group]
    assert "already exists" in refused(clients.sagemaker.create_model_package_group, ModelPackageGroupName=group.lower())
    clients.sagemaker.delete_model_package_group(ModelPackageGroupName=group)
    assert "does not exist" in refused(clients.sagemaker.describe_model_package_group, ModelPackageGroupName=group)


def test_versions_are_numbered_and_approved(clients, group, archive_url):
    arns = [clients.sagemaker.create_model_package(ModelPackageGroupName=group, ModelPackageDescription=f"try {i}",
                                                   InferenceSpecification=specification(archive_url),
                                                   CustomerMetadataProperties={"a": "1", "b": "2"})["ModelPackageArn"]
            for i in range(3)]
    assert arns == [f"{ARN}:model-package/{group.lower()}/{i}" for i in (1, 2, 3)]
    first = clients.sagemaker.describe_model_package(ModelPackageName=arns[0])
    assert first["ModelPackageVersion"] == 1 and first["ModelPackageGroupName"] == group
    assert first["ModelApprovalStatus"] == "PendingManualApproval" and first["ModelPackageStatus"] == "Completed"
    assert first["InferenceSpecification"] == specification(archive_url)
    clients.sagemaker.update_model_package(ModelPackageArn=arns[0], ModelApprovalStatus="Approved", ApprovalDescription="good",
                                           CustomerMetadataProperties={"b": "3", "c": "4"}, CustomerMetadataPropertiesToRemove=["a"])
    first = clients.sagemaker.describe_model_package(ModelPackageName=arns[0])
    assert first["ModelApprovalStatus"] == "Approved" and first["ApprovalDescription"] == "good"
    assert first["CustomerMetadataProperties"] == {"b": "3", "c": "4"}
    listed = clients.sagemaker.list_model_packages(ModelPackageGroupName=group, ModelApprovalStatus="Approved")
    assert [p["ModelPackageVersion"] for p in listed["ModelPackageSummaryList"]] == [1]
    listed = clients.sagemaker.list_model_packages(ModelPackageGroupName=group, SortOrder="Descending")
    assert [p["ModelPackageVersion"] for p in listed["ModelPackageSummaryList"]] == [3, 2, 1]
    # A number is not given again, and a group with packages stays.
    clients.sagemaker.delete_model_package(ModelPackageName=arns[2])
    again = clients.sagemaker.create_model_package(ModelPackageGroupName=group, InferenceSpecification=specification(archive_url))
    assert again["ModelPackageArn"].endswith("/4")
    assert "delete them first" in refused(clients.sagemaker.delete_model_package_group, "ConflictException", ModelPackageGroupName=group)
    both = clients.sagemaker.batch_describe_model_package(ModelPackageArnList=[arns[0], arns[2]])
    assert both["ModelPackageSummaries"][arns[0]]["ModelPackageVersion"] == 1
    assert both["BatchDescribeModelPackageErrorMap"][arns[2]]["ErrorCode"] == "ResourceNotFound"


def test_the_same_token_makes_one_version(clients, group, archive_url):
    arguments = {"ModelPackageGroupName": group, "InferenceSpecification": specification(archive_url)}
    first, again = (clients.sagemaker.create_model_package(ClientToken="once-only", **arguments) for _ in range(2))
    assert first["ModelPackageArn"] == again["ModelPackageArn"]
    other = clients.sagemaker.create_model_package(ClientToken="another", **arguments)
    assert other["ModelPackageArn"] != first["ModelPackageArn"]
    listed = clients.sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    assert sorted(package["ModelPackageVersion"] for package in listed) == [1, 2]


def test_a_package_without_versions(clients, unique, archive_url):
    name = f"P-{unique}"
    arn = clients.sagemaker.create_model_package(ModelPackageName=name, InferenceSpecification=specification(archive_url))["ModelPackageArn"]
    assert arn == f"{ARN}:model-package/{name.lower()}"
    description = clients.sagemaker.describe_model_package(ModelPackageName=name)
    assert description["ModelPackageName"] == name and "ModelPackageVersion" not in description
    assert "already exists" in refused(clients.sagemaker.create_model_package, ModelPackageName=name,
                                       InferenceSpecification=specification(archive_url))
    for type_, found in (("Unversioned", [name]), ("Versioned", []), ("Both", [name])):
        listed = clients.sagemaker.list_model_packages(NameContains=unique, ModelPackageType=type_)["ModelPackageSummaryList"]
        assert [p["ModelPackageName"] for p in listed] == found
    assert "of a group only" in refused(clients.sagemaker.update_model_package, ModelPackageArn=arn, ModelApprovalStatus="Approved")
    clients.sagemaker.delete_model_package(ModelPackageName=name)
    assert "does not exist" in refused(clients.sagemaker.describe_model_package, ModelPackageName=name)


def test_only_an_approved_version_can_be_deployed_and_only_as_registered(clients, hosting, group, unique, archive_url):
    arn = clients.sagemaker.create_model_package(ModelPackageGroupName=group, InferenceSpecification=specification(archive_url))["ModelPackageArn"]
    container = {"ModelPackageName": arn}
    create = {"ModelName": unique, "ExecutionRoleArn": models.ROLE, "Containers": [container]}
    assert "PendingManualApproval" in refused(clients.sagemaker.create_model, **create)
    clients.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected")
    assert "Rejected" in refused(clients.sagemaker.create_model, **create)
    clients.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    clients.sagemaker.create_model(**create)
    assert clients.sagemaker.describe_model(ModelName=unique)["Containers"][0]["ModelPackageName"] == arn
    endpoint = hosting.endpoint("e", hosting.config("e", {"AllTraffic": (unique, 1)}))
    assert float(hosting.invoke(endpoint, b"1,2,3,4,5,6")["Body"]) == 0.25
    # Other bytes under the registered name are not what was approved.
    hosting.put(unique, models.constant_archive(0.75))
    text = refused(clients.sagemaker.create_model, **create | {"ModelName": f"{unique}-2"})
    assert "are not those that" in text and "SHA-256" in text
    assert "beside ModelPackageName" in refused(
        clients.sagemaker.create_model, ModelName=f"{unique}-3", ExecutionRoleArn=models.ROLE,
        PrimaryContainer=container | {"ModelDataUrl": archive_url, "Image": models.LEGACY_IMAGE})


@pytest.mark.parametrize("more, words", [
    ({"CertifyForMarketplace": True}, "CertifyForMarketplace is not supported"),
    ({"SourceAlgorithmSpecification": {"SourceAlgorithms": [{"AlgorithmName": "a"}]}}, "SourceAlgorithmSpecification is not supported"),
    ({"ModelPackageName": "x"}, "Exactly one of ModelPackageName and ModelPackageGroupName"),
    ({"InferenceSpecification": None}, "InferenceSpecification with one container"),
])
def test_what_a_package_can_not_have_is_refused_by_name(clients, group, archive_url, more, words):
    request = {"ModelPackageGroupName": group, "InferenceSpecification": specification(archive_url)} | more
    request = {name: value for name, value in request.items() if value is not None}
    assert words in refused(clients.sagemaker.create_model_package, **request)


def test_a_package_of_what_is_not_there_is_refused(clients, group, bucket):
    assert "Could not find model data" in refused(
        clients.sagemaker.create_model_package, ModelPackageGroupName=group,
        InferenceSpecification=specification(f"s3://{bucket}/none.tar.gz"))
    assert "ModelPackageGroup" in refused(clients.sagemaker.create_model_package, ModelPackageGroupName="no-such-group",
                                          InferenceSpecification=specification(f"s3://{bucket}/none.tar.gz"))


def test_model_cards_have_versions(clients, unique):
    name = f"C-{unique}"
    content = json.dumps({"model_overview": {"model_description": "digits"}})
    arn = clients.sagemaker.create_model_card(ModelCardName=name, Content=content, ModelCardStatus="Draft")["ModelCardArn"]
    assert arn == f"{ARN}:model-card/{name.lower()}"
    clients.sagemaker.update_model_card(ModelCardName=name, ModelCardStatus="PendingReview")
    clients.sagemaker.update_model_card(ModelCardName=name, Content='{"model_overview": {}}', ModelCardStatus="Approved")
    newest = clients.sagemaker.describe_model_card(ModelCardName=name)
    assert newest["ModelCardVersion"] == 2 and newest["ModelCardStatus"] == "Approved" and newest["Content"] == '{"model_overview": {}}'
    first = clients.sagemaker.describe_model_card(ModelCardName=name, ModelCardVersion=1)
    assert first["Content"] == content and first["ModelCardStatus"] == "PendingReview"
    versions = clients.sagemaker.list_model_card_versions(ModelCardName=name, SortBy="Version", SortOrder="Ascending")
    assert [v["ModelCardVersion"] for v in versions["ModelCardVersionSummaryList"]] == [1, 2]
    listed = clients.sagemaker.list_model_cards(NameContains=unique, ModelCardStatus="Approved")["ModelCardSummaries"]
    assert [c["ModelCardName"] for c in listed] == [name]
    assert clients.sagemaker.list_model_cards(NameContains=unique, ModelCardStatus="Draft")["ModelCardSummaries"] == []
    assert "already exists" in refused(clients.sagemaker.create_model_card, "ConflictException", ModelCardName=name,
                                       Content="{}", ModelCardStatus="Draft")
    assert "JSON object" in refused(clients.sagemaker.update_model_card, ModelCardName=name, Content="no card")
    clients.sagemaker.delete_model_card(ModelCardName=name)
    refused(clients.sagemaker.describe_model_card, "ResourceNotFound", ModelCardName=name)
    refused(clients.sagemaker.delete_model_card, "ResourceNotFound", ModelCardName=name)


def test_pages_of_the_registry_s_lists_are_whole_and_in_order(clients, unique):
    names = [f"{unique}-{i:02d}" for i in range(7)]
    for name in names:
        clients.sagemaker.create_model_package_group(ModelPackageGroupName=name)
    for order, expected in (("Ascending", names), ("Descending", names[::-1])):
        for sort in ("Name", "CreationTime"):
            pages = clients.sagemaker.get_paginator("list_model_package_groups").paginate(
                NameContains=unique, SortBy=sort, SortOrder=order, PaginationConfig={"PageSize": 3})
            found = [[g["ModelPackageGroupName"] for g in page["ModelPackageGroupSummaryList"]] for page in pages]
            assert [len(page) for page in found] == [3, 3, 1]
            assert [name for page in found for name in page] == expected
