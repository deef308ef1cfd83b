"""Lineage: from data to job to model to package to endpoint, noted by the platform, asked through boto3 and the SDK."""

import hashlib

import pytest
from botocore.exceptions import ClientError
from harness import small_jobs
from harness.jobs import IMAGE, ROLE


@pytest.fixture
def chain(clients, bucket, unique):
    """A job, a registered and approved package of its model, a model of it, and an endpoint; the name of them all."""
    sm = clients.sagemaker
    small_jobs.upload_rows(clients, bucket)
    sm.create_training_job(**small_jobs.request(bucket, unique))
    assert small_jobs.wait_for_end(clients, unique)["TrainingJobStatus"] == "Completed"
    container = {"Image": IMAGE, "ModelDataUrl": f"s3://{bucket}/out/{unique}/output/model.tar.gz"}
    sm.create_model_package_group(ModelPackageGroupName=unique)
    package = sm.create_model_package(ModelPackageGroupName=unique, ModelApprovalStatus="Approved", InferenceSpecification={
        "Containers": [container], "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]})
    sm.create_model(ModelName=unique, ExecutionRoleArn=ROLE,
                    PrimaryContainer={"ModelPackageName": package["ModelPackageArn"]})
    sm.create_endpoint_config(EndpointConfigName=unique, ProductionVariants=[
        {"VariantName": "v", "ModelName": unique, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}])
    sm.create_endpoint(EndpointName=unique, EndpointConfigName=unique)
    yield unique
    sm.delete_endpoint(EndpointName=unique)


def artifact(sm, uri: str) -> dict:
    (found,) = sm.list_artifacts(SourceUri=uri)["ArtifactSummaries"]
    return sm.describe_artifact(ArtifactArn=found["ArtifactArn"])


def test_the_platform_notes_the_way_from_data_to_endpoint(clients, bucket, chain):
    sm = clients.sagemaker
    data = artifact(sm, f"s3://{bucket}/train")
    lines = ""
    for number in range(5):
        body = clients.s3.get_object(Bucket=bucket, Key=f"train/part-{number}")["Body"].read()
        lines += f"train/part-{number}\n{len(body)}\n{hashlib.sha256(body).hexdigest()}\n"
    assert data["ArtifactType"] == "DataSet" and data["Source"]["SourceTypes"] == [
        {"SourceIdType": "Custom", "Value": "sha256:" + hashlib.sha256(lines.encode()).hexdigest()}]
    uri = f"s3://{bucket}/out/{chain}/output/model.tar.gz"
    archive = clients.s3.get_object(Bucket=bucket, Key=uri.split("/", 3)[3])["Body"].read()
    model = artifact(sm, uri)
    assert model["Source"]["SourceTypes"][0]["Value"] == "sha256:" + hashlib.sha256(archive).hexdigest()
    assert model["Properties"]["capsule"] == f"s3://{bucket}/out/{chain}/capsule.json"

    context = sm.describe_context(ContextName=f"{chain}-aws-endpoint")
    endpoint_arn = sm.describe_endpoint(EndpointName=chain)["EndpointArn"]
    assert context["Source"] == {"SourceUri": endpoint_arn, "SourceType": "ARN"} and context["ContextType"] == "Endpoint"
    up = sm.query_lineage(StartArns=[context["ContextArn"]], Direction="Ascendants", IncludeEdges=True)
    kinds = [(vertex["LineageType"], vertex["Type"]) for vertex in up["Vertices"]]
    assert kinds[:5] == [("Action", "ModelDeployment"), ("Artifact", "Model"), ("Artifact", "ModelPackage"),
                         ("Artifact", "Model"), ("TrialComponent", "TrainingJob")]
    assert {kind for _, kind in kinds[5:]} == {"DataSet", "Image"}
    edges = {(edge["SourceArn"], edge["DestinationArn"]): edge["AssociationType"] for edge in up["Edges"]}
    job = next(vertex["Arn"] for vertex in up["Vertices"] if vertex["Type"] == "TrainingJob")
    assert edges[(data["ArtifactArn"], job)] == "ContributedTo" and edges[(job, model["ArtifactArn"])] == "Produced"
    assert len(edges) == len(up["Vertices"])
    component = sm.describe_trial_component(TrialComponentName=job.split("/")[1])
    assert component["Source"]["SourceArn"] == sm.describe_training_job(TrainingJobName=chain)["TrainingJobArn"]
    assert component["Parameters"]["num_round"] == {"StringValue": "3"}

    down = sm.query_lineage(StartArns=[data["ArtifactArn"]], Direction="Descendants")
    assert down["Edges"] == [] and {vertex["Type"] for vertex in down["Vertices"]} >= {
        "TrainingJob", "Model", "ModelPackage", "ModelGroup", "ModelDeployment", "Endpoint"}
    near = sm.query_lineage(StartArns=[data["ArtifactArn"]], Direction="Descendants", MaxDepth=1)
    assert {vertex["Type"] for vertex in near["Vertices"]} == {"TrainingJob"}
    only = sm.query_lineage(StartArns=[data["ArtifactArn"]], Direction="Descendants",
                            Filters={"LineageTypes": ["Context"], "Types": ["Endpoint"]})
    assert [vertex["Arn"] for vertex in only["Vertices"]] == [context["ContextArn"]]
    paged, token = [], {}
    while True:
        page = sm.query_lineage(StartArns=[data["ArtifactArn"]], Direction="Both", MaxResults=2, **token)
        paged += [vertex["Arn"] for vertex in page["Vertices"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    whole = sm.query_lineage(StartArns=[data["ArtifactArn"]], Direction="Both")["Vertices"]
    assert paged == [vertex["Arn"] for vertex in whole] and len(set(paged)) == len(paged)


def test_lineage_outlives_what_it_tells_of_and_other_bytes_are_another_artifact(clients, bucket, unique):
    sm = clients.sagemaker
    for number in range(2):
        small_jobs.upload_rows(clients, bucket, seed=number)
        sm.create_training_job(**small_jobs.request(bucket, f"{unique}-{number}"))
        small_jobs.wait_for_end(clients, f"{unique}-{number}")
    assert len(sm.list_artifacts(SourceUri=f"s3://{bucket}/train")["ArtifactSummaries"]) == 2
    sm.delete_training_job(TrainingJobName=f"{unique}-0")
    model = artifact(sm, f"s3://{bucket}/out/{unique}-0/output/model.tar.gz")
    up = sm.query_lineage(StartArns=[model["ArtifactArn"]], Direction="Ascendants", Filters={"Types": ["DataSet"]})
    assert len(up["Vertices"]) == 1


def test_the_sdk_walks_the_graph(clients, bucket, chain, sdk_session):
    from sagemaker.lineage.artifact import DatasetArtifact, ModelArtifact
    from sagemaker.lineage.context import EndpointContext
    from sagemaker.lineage.query import (LineageEntityEnum, LineageFilter, LineageQuery, LineageQueryDirectionEnum,
                                         LineageSourceEnum)

    sm = clients.sagemaker
    job_arn = sm.describe_training_job(TrainingJobName=chain)["TrainingJobArn"]
    context = EndpointContext.load(context_name=f"{chain}-aws-endpoint", sagemaker_session=sdk_session)
    assert context.training_job_arns() == [job_arn]
    (data,) = context.dataset_artifacts()
    assert isinstance(data, DatasetArtifact) and data.source.source_uri == f"s3://{bucket}/train"
    assert [each.context_arn for each in data.endpoint_contexts()] == [context.context_arn]
    uri = f"s3://{bucket}/out/{chain}/output/model.tar.gz"
    archive = ModelArtifact.load(artifact_arn=artifact(sm, uri)["ArtifactArn"], sagemaker_session=sdk_session)
    assert archive.training_job_arns() == [job_arn]
    assert [each.context_name for each in archive.endpoint_contexts()] == [context.context_name]
    served = artifact(sm, sm.describe_model(ModelName=chain)["ModelArn"])
    model = ModelArtifact.load(artifact_arn=served["ArtifactArn"], sagemaker_session=sdk_session)
    assert [each.destination_arn for each in model.endpoints()] == [context.context_arn]
    found = LineageQuery(sdk_session).query(
        start_arns=[context.context_arn], direction=LineageQueryDirectionEnum.ASCENDANTS, include_edges=False,
        query_filter=LineageFilter(entities=[LineageEntityEnum.ARTIFACT], sources=[LineageSourceEnum.IMAGE]))
    assert [vertex.to_lineage_object().source.source_uri for vertex in found.vertices] == [IMAGE]


def test_entities_and_associations_of_ones_own(clients, unique):
    sm = clients.sagemaker
    made = sm.create_artifact(ArtifactName="table", ArtifactType="DataSet", Properties={"rows": "3"}, Tags=[{"Key": "a", "Value": "b"}],
                              Source={"SourceUri": f"s3://x/{unique}", "SourceTypes": [{"SourceIdType": "MD5Hash", "Value": "0"}]})
    action = sm.create_action(ActionName=f"{unique}-Clean", ActionType="Cleaning", Status="InProgress",
                              Source={"SourceUri": f"job/{unique}"})
    context = sm.create_context(ContextName=f"{unique}-ctx", ContextType="Project", Source={"SourceUri": unique},
                                Description="a project")
    arns = [made["ArtifactArn"], action["ActionArn"], context["ContextArn"]]
    assert sm.list_tags(ResourceArn=arns[0])["Tags"] == [{"Key": "a", "Value": "b"}]
    sm.add_association(SourceArn=arns[0], DestinationArn=arns[1], AssociationType="ContributedTo")
    sm.add_association(SourceArn=arns[1], DestinationArn=arns[2])
    (row,) = sm.list_associations(SourceArn=arns[0])["AssociationSummaries"]
    assert (row["SourceType"], row["DestinationType"], row["SourceName"], row["DestinationName"]) == (
        "DataSet", "Cleaning", "table", f"{unique}-Clean")
    assert [each["AssociationType"] for each in sm.list_associations(DestinationArn=arns[2])["AssociationSummaries"]] == ["AssociatedWith"]
    assert sm.list_associations(SourceArn=arns[0], DestinationType="Context")["AssociationSummaries"] == []
    sm.update_action(ActionName=f"{unique}-Clean", Status="Completed", Properties={"a": "1", "b": "2"})
    sm.update_action(ActionName=f"{unique}-Clean", PropertiesToRemove=["a"])
    described = sm.describe_action(ActionName=f"{unique}-clean")
    assert described["ActionName"] == f"{unique}-Clean" and described["Status"] == "Completed" and described["Properties"] == {"b": "2"}

    def refused(call, **request) -> tuple[str, str]:
        with pytest.raises(ClientError) as caught:
            call(**request)
        return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]

    assert refused(sm.delete_artifact, ArtifactArn=arns[0])[1].endswith("Delete them with DeleteAssociation first.")
    assert "exists already" in refused(sm.create_context, ContextName=f"{unique}-CTX", ContextType="x", Source={"SourceUri": "y"})[1]
    assert refused(sm.add_association, SourceArn=arns[0], DestinationArn=arns[0][:-1] + "z")[0] == "ResourceNotFound"
    assert "must be different" in refused(sm.add_association, SourceArn=arns[0], DestinationArn=arns[0])[1]
    assert refused(sm.describe_artifact, ArtifactArn=arns[0][:-1] + "z")[0] == "ResourceNotFound"
    assert "StartArns" in refused(sm.query_lineage)[1]
    for source, destination in ((arns[0], arns[1]), (arns[1], arns[2])):
        sm.delete_association(SourceArn=source, DestinationArn=destination)
    assert refused(sm.delete_association, SourceArn=arns[0], DestinationArn=arns[1])[0] == "ResourceNotFound"
    sm.delete_artifact(ArtifactArn=arns[0])
    sm.delete_action(ActionName=f"{unique}-Clean")
    sm.delete_context(ContextName=f"{unique}-ctx")
    assert sm.list_contexts(SourceUri=unique)["ContextSummaries"] == []


def test_lists_of_more_than_a_thousand(clients, unique):
    sm = clients.sagemaker
    names = [f"{unique}-{i:04}" for i in range(1_050)]
    for i, name in enumerate(names):
        sm.create_context(ContextName=name, ContextType=f"{unique}-{i % 2}", Source={"SourceUri": f"{unique}-{i % 3}"})

    def listed(**request) -> list[str]:
        pages = sm.get_paginator("list_contexts").paginate(PaginationConfig={"PageSize": 97}, **request)
        return [row["ContextName"] for page in pages for row in page["ContextSummaries"] if row["ContextName"].startswith(unique)]

    assert listed(SortBy="Name", SortOrder="Ascending") == names
    assert listed() == names[::-1]
    assert listed(ContextType=f"{unique}-1", SortBy="Name") == names[1::2][::-1]
    assert listed(SourceUri=f"{unique}-2", SortOrder="Ascending") == names[2::3]
    token = sm.list_contexts()["NextToken"]
    with pytest.raises(ClientError, match="Invalid NextToken"):
        sm.list_contexts(SortBy="Name", NextToken=token)
