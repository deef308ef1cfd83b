"""Search: training jobs, tuning jobs, models, endpoints and the registry, by what is in them."""

import datetime

import pytest
from botocore.exceptions import ClientError
from harness import small_jobs
from harness.jobs import IMAGE, ROLE


@pytest.fixture(scope="module")
def found(shared_server):
    """Three finished jobs that differ, and something of every other kind; their clients, bucket and mark."""
    import uuid

    from harness.clients import Clients

    clients = Clients(shared_server)
    mark = f"s{uuid.uuid4().hex[:10]}"
    clients.s3.create_bucket(Bucket=mark)
    small_jobs.upload_rows(clients, mark)
    sm = clients.sagemaker
    for number in range(3):
        request = small_jobs.request(mark, f"{mark}-{number}", rounds=number + 2)
        request["HyperParameters"]["eta"] = ["0.1", "0.3", "0.25"][number]
        request["InputDataConfig"].append({**request["InputDataConfig"][0], "ChannelName": "validation"})
        request["Tags"] = [{"Key": "project", "Value": mark}, {"Key": "number", "Value": str(number)}]
        sm.create_training_job(**request)
    for number in range(3):
        assert small_jobs.wait_for_end(clients, f"{mark}-{number}")["TrainingJobStatus"] == "Completed"
    container = {"Image": IMAGE, "ModelDataUrl": f"s3://{mark}/out/{mark}-0/output/model.tar.gz"}
    sm.create_model(ModelName=mark, ExecutionRoleArn=ROLE, PrimaryContainer=container, Tags=[{"Key": "project", "Value": mark}])
    sm.create_endpoint_config(EndpointConfigName=mark, ProductionVariants=[
        {"VariantName": "v", "ModelName": mark, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}])
    sm.create_endpoint(EndpointName=mark, EndpointConfigName=mark)
    sm.create_model_package_group(ModelPackageGroupName=mark)
    for status in ("Approved", "Rejected"):
        sm.create_model_package(ModelPackageGroupName=mark, ModelApprovalStatus=status, InferenceSpecification={
            "Containers": [container], "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]})
    sm.create_model_card(ModelCardName=mark, Content="{}", ModelCardStatus="Draft")
    return clients, mark


def names(found, *filters: tuple, operator: str = "And", **request) -> list[str]:
    """The numbers of the training jobs found, of those of this test."""
    clients, mark = found
    expression = {"Filters": [{"Name": "Tags.project", "Operator": "Equals", "Value": mark}]}
    if filters:
        rows = [dict(zip(("Name", "Operator", "Value"), each)) for each in filters]
        expression["SubExpressions"] = [{"Filters": rows, "Operator": operator}]
    pages = clients.sagemaker.get_paginator("search").paginate(
        Resource="TrainingJob", SearchExpression=expression, **request)
    return [row["TrainingJob"]["TrainingJobName"].removeprefix(mark + "-") for page in pages for row in page["Results"]]


def test_every_operator(found):
    clients, mark = found
    assert names(found) == ["2", "1", "0"], "newest first"
    assert names(found, ("HyperParameters.eta", "Equals", "0.30")) == ["1"], "numbers compare as numbers"
    assert names(found, ("HyperParameters.eta", "GreaterThan", "0.2")) == ["2", "1"]
    assert names(found, ("HyperParameters.num_round", "LessThanOrEqualTo", "3")) == ["1", "0"]
    assert names(found, ("HyperParameters.num_round", "LessThan", "3")) == ["0"]
    assert names(found, ("HyperParameters.num_round", "GreaterThanOrEqualTo", "10")) == []
    assert names(found, ("TrainingJobName", "Contains", "-1")) == ["1"]
    assert names(found, ("TrainingJobName", "NotEquals", f"{mark}-1")) == ["2", "0"]
    assert names(found, ("Tags.number", "In", "0,2")) == ["2", "0"]
    assert names(found, ("FailureReason", "Exists")) == [] and len(names(found, ("FailureReason", "NotExists"))) == 3
    assert len(names(found, ("InputDataConfig.DataSource.S3DataSource.S3Uri", "Equals", f"s3://{mark}/train"))) == 3
    assert len(names(found, ("TrainingJobStatus", "Equals", "Completed"), ("SecondaryStatus", "Equals", "Completed"))) == 3
    assert names(found, ("Tags.number", "Equals", "0"), ("Tags.number", "Equals", "2"), operator="Or") == ["2", "0"]
    job = clients.sagemaker.describe_training_job(TrainingJobName=f"{mark}-1")
    created = job["CreationTime"].astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert "1" in names(found, ("CreationTime", "GreaterThanOrEqualTo", created))
    metric = job["FinalMetricDataList"][0]
    values = {n: next(m["Value"] for m in clients.sagemaker.describe_training_job(TrainingJobName=f"{mark}-{n}")["FinalMetricDataList"]
                      if m["MetricName"] == metric["MetricName"]) for n in "012"}
    wanted = [n for n in "210" if values[n] <= metric["Value"]]
    assert names(found, (f"Metrics.{metric['MetricName']}", "LessThanOrEqualTo", repr(metric["Value"]))) == wanted


def test_orders_pages_nested_filters_and_shapes(found):
    clients, mark = found
    assert names(found, SortBy="HyperParameters.eta", SortOrder="Ascending") == ["0", "2", "1"]
    assert names(found, SortBy="HyperParameters.eta") == ["1", "2", "0"]
    assert names(found, SortBy="CreationTime", SortOrder="Ascending") == ["0", "1", "2"]
    for size in (1, 2):
        for sort in ({}, {"SortBy": "TrainingJobName", "SortOrder": "Ascending"}):
            assert sorted(names(found, PaginationConfig={"PageSize": size}, **sort)) == ["0", "1", "2"]
    nested = {"NestedFilters": [{"NestedPropertyName": "InputDataConfig", "Filters": [
        {"Name": "InputDataConfig.ChannelName", "Operator": "Equals", "Value": "validation"},
        {"Name": "InputDataConfig.DataSource.S3DataSource.S3Uri", "Operator": "Contains", "Value": mark}]}]}
    rows = clients.sagemaker.search(Resource="TrainingJob", SearchExpression=nested)["Results"]
    assert {row["TrainingJob"]["TrainingJobName"] for row in rows} == {f"{mark}-{n}" for n in range(3)}
    nested["NestedFilters"][0]["Filters"][0]["Value"] = "test"
    assert clients.sagemaker.search(Resource="TrainingJob", SearchExpression=nested)["Results"] == []
    job = rows[0]["TrainingJob"]
    assert {tag["Key"] for tag in job["Tags"]} == {"project", "number"} and job["FinalMetricDataList"]


@pytest.mark.parametrize("resource,name,member", [
    ("Model", "ModelName", "Model"), ("Endpoint", "EndpointName", ""), ("ModelPackage", "ModelPackageGroupName", ""),
    ("ModelPackageGroup", "ModelPackageGroupName", ""), ("ModelCard", "ModelCardName", "")])
def test_every_resource_has_its_published_shape(found, resource, name, member):
    clients, mark = found
    answer = clients.sagemaker.search(Resource=resource, SearchExpression={
        "Filters": [{"Name": name, "Operator": "Equals", "Value": mark}]})
    rows = [row[resource][member] if member else row[resource] for row in answer["Results"]]
    assert [row[name] for row in rows] == [mark] * (2 if resource == "ModelPackage" else 1)
    if resource == "ModelPackage":
        approved = clients.sagemaker.search(Resource=resource, SearchExpression={"Filters": [
            {"Name": name, "Operator": "Equals", "Value": mark},
            {"Name": "ModelApprovalStatus", "Operator": "Equals", "Value": "Approved"}]})["Results"]
        assert [row[resource]["ModelPackageVersion"] for row in approved] == [1]


def test_what_cannot_be_searched_is_refused_by_name(found):
    sm = found[0].sagemaker

    def refused(**request) -> str:
        with pytest.raises(ClientError) as caught:
            sm.search(**request)
        assert caught.value.response["Error"]["Code"] == "ValidationException"
        return caught.value.response["Error"]["Message"]

    assert "Search of Pipeline is not supported" in refused(Resource="Pipeline")
    assert "CrossAccount" in refused(Resource="TrainingJob", CrossAccountFilterOption="CrossAccount")
    assert "VisibilityConditions" in refused(Resource="TrainingJob", VisibilityConditions=[{"Key": "a", "Value": "b"}])
    lacking = {"Filters": [{"Name": "TrainingJobName", "Operator": "Equals"}]}
    assert "needs a Value" in refused(Resource="TrainingJob", SearchExpression=lacking)
    extra = {"Filters": [{"Name": "TrainingJobName", "Operator": "Exists", "Value": "x"}]}
    assert "takes no Value" in refused(Resource="TrainingJob", SearchExpression=extra)
    token = sm.search(Resource="TrainingJob", MaxResults=1)["NextToken"]
    assert "Invalid NextToken" in refused(Resource="Model", NextToken=token)


def test_the_sdk_searches_packages(found, sdk_session):
    clients, mark = found
    answer = sdk_session.sagemaker_client.search(Resource="ModelPackageGroup", SearchExpression={
        "Filters": [{"Name": "ModelPackageGroupName", "Operator": "Contains", "Value": mark.upper()}]})
    assert len(answer["Results"]) == 1


def test_updates_of_training_jobs(found, bucket, unique):
    clients, mark = found
    sm = clients.sagemaker

    def refused(name: str, **request) -> str:
        with pytest.raises(ClientError) as caught:
            sm.update_training_job(TrainingJobName=name, **request)
        return caught.value.response["Error"]["Message"]

    assert "is in status Completed" in refused(f"{mark}-0", RemoteDebugConfig={"EnableRemoteDebug": False})
    assert "not found" in refused(f"{mark}-9", ProfilerConfig={"DisableProfiler": True})
    sm.create_training_job(**small_jobs.endless(mark, unique))
    try:
        arn = sm.update_training_job(TrainingJobName=unique, ProfilerConfig={"DisableProfiler": True},
                                     RemoteDebugConfig={"EnableRemoteDebug": False})["TrainingJobArn"]
        assert arn.endswith(f"training-job/{unique}")
        assert "no warm pool" in refused(unique, ResourceConfig={"KeepAlivePeriodInSeconds": 60})
        assert "no profiler" in refused(unique, ProfilerConfig={"S3OutputPath": "s3://x/y"})
        assert "EnableRemoteDebug" in refused(unique, RemoteDebugConfig={"EnableRemoteDebug": True})
    finally:
        sm.stop_training_job(TrainingJobName=unique)


def test_suggestions_are_names_that_search_takes(found):
    clients, mark = found

    def suggested(resource: str, hint: str | None = None) -> list[str]:
        query = {} if hint is None else {"SuggestionQuery": {"PropertyNameQuery": {"PropertyNameHint": hint}}}
        answer = clients.sagemaker.get_search_suggestions(Resource=resource, **query)
        return [each["PropertyName"] for each in answer["PropertyNameSuggestions"]]

    assert {"HyperParameters.eta", "Tags.number", "TrainingJobStatus"} <= set(suggested("TrainingJob"))
    assert "Tags.number" in suggested("TrainingJob", "Tags.num")
    assert all(name.startswith("Metrics.") for name in suggested("TrainingJob", "Metrics.")) and suggested("TrainingJob", "Metrics.")
    assert suggested("TrainingJob", "Nothing") == []
    for resource in ("HyperParameterTuningJob", "Model", "Endpoint", "ModelPackage", "ModelPackageGroup", "ModelCard"):
        for name in suggested(resource)[:5]:
            clients.sagemaker.search(Resource=resource, SearchExpression={"Filters": [{"Name": name, "Operator": "Exists"}]})
    with pytest.raises(ClientError, match="not supported"):
        suggested("Pipeline")
