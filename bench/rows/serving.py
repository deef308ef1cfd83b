"""The server under load: invocations through wrk beside nginx answering a constant, idle memory, time to start."""

from __future__ import annotations

import io
import pathlib
import tarfile
import time

import http_load
import numpy as np
from contest import Contest
from harness import mnist, signing
from harness.clients import Clients
from harness.server import Server
from results import RowResult, Series
from rows.settings import NOTEBOOK, NOTEBOOK_ROUNDS, Settings, Training

ROLE = "arn:aws:iam::123456789012:role/LocalSageMakerRole"
IMAGE = "811284229777.dkr.ecr.us-east-1.amazonaws.com/xgboost:1"
TARGET = "/endpoints/bench/invocations"


def deploy(server: Server, model: pathlib.Path) -> Clients:
    """The endpoint `bench` with that model."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(model, arcname="xgboost-model")
    clients = Clients(server)
    clients.s3.create_bucket(Bucket="bench")
    clients.s3.put_object(Bucket="bench", Key="model.tar.gz", Body=packed.getvalue())
    clients.sagemaker.create_model(ModelName="bench", ExecutionRoleArn=ROLE,
                                   PrimaryContainer={"Image": IMAGE, "ModelDataUrl": "s3://bench/model.tar.gz"})
    clients.sagemaker.create_endpoint_config(EndpointConfigName="bench", ProductionVariants=[{
        "VariantName": "AllTraffic", "ModelName": "bench", "InstanceType": "ml.m4.xlarge", "InitialInstanceCount": 1}])
    clients.sagemaker.create_endpoint(EndpointName="bench", EndpointConfigName="bench")
    clients.sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="bench")
    return clients


def served_model(settings: Settings) -> pathlib.Path:
    """The notebook's model, learned from the notebook's text, whose features are counted from 1."""
    folder = settings.digits()
    path = folder / "served.ubj"
    if not path.exists():
        Training(folder / "train", NOTEBOOK, NOTEBOOK_ROUNDS).run(settings.build, settings.work, "served.ubj")
        (settings.work / "served.ubj").rename(path)
    return path


def _invoke(settings: Settings, row: str, title: str, num_rows: int, wanted: float) -> RowResult:
    images, labels = mnist.rows("test", 10_000)
    body = mnist.libsvm(images[:num_rows], labels[:num_rows])
    seconds = 1 if settings.quick else 4
    with Server(settings.work / "data") as server, http_load.Nginx(settings.work) as nginx:
        clients = deploy(server, served_model(settings))
        answer = clients.sagemaker_runtime.invoke_endpoint(EndpointName="bench", ContentType="text/x-libsvm", Body=body)
        predicted = np.array([float(number) for number in answer["Body"].read().split(b",")])
        headers = http_load.signed_headers(signing, server, "sagemaker", "POST", TARGET, body, {"Content-Type": "text/x-libsvm"})

        def ours():
            told = http_load.wrk(server.endpoint_url + TARGET, body, headers, settings.work, seconds)
            return told["requests_per_second"], told

        def constant():
            told = http_load.wrk(f"http://127.0.0.1:{nginx.port}/", body, {"Content-Type": "text/x-libsvm"}, settings.work, seconds)
            return told["requests_per_second"], told

        contest = Contest(("ours, signature verified", ours), [("nginx answering a constant", constant)], False).run(settings.rounds)
    result = RowResult(row, title, "req/s", False, contest.ours, [], contest.peers)
    for series in [contest.ours, *contest.peers]:
        told = contest.told[series.name]
        series.note = f"p50 {told['p50_us']:.0f} us, p99 {told['p99_us']:.0f} us"
    result.add_goal(f">= {wanted:,.0f} req/s", result.ours_best(), wanted, "req/s")
    if num_rows == 1:
        result.add_goal("p99 < 1 ms", contest.told[contest.ours.name]["p99_us"] / 1e3, 1.0, "ms", at_least=False)
    if np.mean(predicted != labels[:num_rows]) > 0.2:
        result.wrong.append("the endpoint predicts the wrong digits")
    return result


def invoke_one(settings: Settings) -> RowResult:
    return _invoke(settings, "invoke-1", "HTTP invoke, one libsvm row of 6.9 KB (wrk -t1 -c8)", 1, 80_000)


def invoke_batch(settings: Settings) -> RowResult:
    return _invoke(settings, "invoke-100", "HTTP invoke, 100 rows, 703 KB (wrk -t1 -c8)", 100, 2500)


def idle(settings: Settings) -> RowResult:
    """A data folder with something in it, restarted; the first start of an empty folder makes its database."""
    starts, sizes = [], []
    data = settings.work / "data"
    with Server(data) as server:
        deploy(server, served_model(settings))
    for _ in range(max(3, settings.rounds)):
        started = time.perf_counter()
        with Server(data) as server:
            starts.append(1e3 * (time.perf_counter() - started))
            sizes.append(server.rss_bytes() / 1e6)
    result = RowResult("idle", "server, one endpoint, restarted: start to ready", "ms", True,
                       ours=Series("ours", starts, f"{max(sizes):.1f} MB resident when idle"))
    result.add_goal("start to ready <= 200 ms", min(starts), 200, "ms", at_least=False)
    result.add_goal("<= 50 MB resident", max(sizes), 50, "MB", at_least=False)
    return result


ROWS = {"invoke-1": invoke_one, "invoke-100": invoke_batch, "idle": idle}
