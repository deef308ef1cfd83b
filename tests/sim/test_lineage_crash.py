"""kill -9 while models and packages are made: whatever is there afterwards has its lineage."""

from __future__ import annotations

import threading

from botocore.exceptions import BotoCoreError, ClientError
from harness import models
from harness.clients import Clients
from harness.jobs import IMAGE, ROLE

KILLS = 6
WRITERS = 3


class Maker(threading.Thread):
    """Makes models and versions of a package group until the server is gone."""

    def __init__(self, server, number: int, answered: threading.Semaphore):
        super().__init__(daemon=True)
        self.sagemaker = Clients(server).sagemaker
        self.number = number
        self.answered = answered

    def run(self) -> None:
        container = {"Image": IMAGE, "ModelDataUrl": "s3://data/model.tar.gz"}
        for count in range(10_000):
            try:
                self.sagemaker.create_model(ModelName=f"m-{self.number}-{count}", ExecutionRoleArn=ROLE,
                                            PrimaryContainer=container)
                self.sagemaker.create_model_package(ModelPackageGroupName="group", InferenceSpecification={
                    "Containers": [container], "SupportedContentTypes": ["text/csv"],
                    "SupportedResponseMIMETypes": ["text/csv"]})
            except (BotoCoreError, ClientError):
                return
            self.answered.release()


def test_a_model_that_is_there_has_its_lineage(server_factory):
    server = server_factory()
    clients = Clients(server)
    clients.s3.create_bucket(Bucket="data")
    clients.s3.put_object(Bucket="data", Key="model.tar.gz", Body=models.constant_archive(1.0))
    clients.sagemaker.create_model_package_group(ModelPackageGroupName="group")
    for kill in range(KILLS):
        answered = threading.Semaphore(0)
        makers = [Maker(server, kill * WRITERS + number, answered) for number in range(WRITERS)]
        for maker in makers:
            maker.start()
        for _ in range(3 + kill):  # The kill meets the others wherever they are.
            assert answered.acquire(timeout=60)
        server.kill9()
        for maker in makers:
            maker.join(60)
        server.start()
    sm = Clients(server).sagemaker
    arns = [row["ModelArn"] for page in sm.get_paginator("list_models").paginate() for row in page["Models"]]
    arns += [row["ModelPackageArn"] for page in sm.get_paginator("list_model_packages").paginate(ModelPackageGroupName="group")
             for row in page["ModelPackageSummaryList"]]
    assert len(arns) > 2 * KILLS
    for arn in arns:
        assert len(sm.list_artifacts(SourceUri=arn)["ArtifactSummaries"]) == 1, arn
