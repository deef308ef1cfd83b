"""Batch transform of CSV beside the image's serving stack, fed as SageMaker's transform agent feeds it."""

from __future__ import annotations

import concurrent.futures
import http.client
import os
import pathlib
import subprocess
import time

import http_load
import machine
import numpy as np
from contest import Contest
from harness import mnist, transforms
from harness.clients import Clients
from harness.server import Server
from results import RowResult
from rows.serving import deploy, served_model
from rows.settings import Settings

PAYLOAD_BYTES = 6 << 20  # MaxPayloadInMB's default


class Container:
    """The stand-in (bench/peers/container.py) with one worker for each core."""

    def __init__(self, model: pathlib.Path):
        self.port = http_load.free_port()
        command = [machine.PEERS_PYTHON, "-m", "gunicorn", "-w", str(machine.THREADS), "-b", f"127.0.0.1:{self.port}", "--chdir",
                   str(machine.ROOT / "bench" / "peers"), "container:app"]
        self.process = subprocess.Popen(command, env=os.environ | {"MODEL": str(model), "OMP_NUM_THREADS": "1"},
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        http_load.wait_for_port(self.port, self.process)

    def __enter__(self) -> "Container":
        return self

    def __exit__(self, *_) -> None:
        self.process.terminate()
        self.process.wait(30)

    def transform(self, lines: list[bytes]) -> bytes:
        """Payloads of whole lines to as many workers as there are, replies in order."""
        payloads, size, begin = [], 0, 0
        for end, line in enumerate(lines):
            if size + len(line) > PAYLOAD_BYTES:
                payloads.append(b"".join(lines[begin:end]))
                size, begin = 0, end
            size += len(line)
        payloads.append(b"".join(lines[begin:]))
        with concurrent.futures.ThreadPoolExecutor(machine.THREADS) as pool:
            return b"".join(pool.map(self._post, payloads))

    def _post(self, payload: bytes) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        connection.request("POST", "/invocations", payload, {"Content-Type": "text/csv"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise machine.BenchError(f"the stand-in answered {answer.status}")
        return answer.read()


def transform(settings: Settings) -> RowResult:
    count = 2000 if settings.quick else 50_000
    images, labels = mnist.rows("train", count)
    # The served model counts features from 1, so the first column is always missing.
    lines = [b"," + line + b"\n" for line in mnist.csv(images).splitlines()]
    answers: dict[str, np.ndarray] = {}
    with Server(settings.work / "data") as server, Container(served_model(settings)) as container:
        clients: Clients = deploy(server, served_model(settings))
        clients.s3.put_object(Bucket="bench", Key="in/rows.csv", Body=b"".join(lines))
        number = 0

        def ours():
            nonlocal number
            number += 1
            name = f"rows-{number}"
            job = transforms.run(clients, transforms.request("bench", name, "bench"))
            if job["TransformJobStatus"] != "Completed":
                raise machine.BenchError(job["FailureReason"])
            answers["ours"] = np.array(transforms.outputs(clients, "bench", name)["rows.csv.out"].split(), dtype=float)
            return count / (job["TransformEndTime"] - job["TransformStartTime"]).total_seconds(), {}

        def stand_in():
            began = time.perf_counter()
            answers["stand-in"] = np.array(container.transform(lines).split(), dtype=float)
            return count / (time.perf_counter() - began), {}

        contest = Contest(("ours, the whole job", ours), [("stand-in of the image: gunicorn, Flask, pandas, XGBoost", stand_in)],
                          False).run(settings.rounds)
    result = RowResult("transform", f"batch transform, {count:,} rows of MNIST as CSV", "rows/s", False, contest.ours, contest.peers)
    if "stand-in" in answers and not np.array_equal(answers["ours"], answers["stand-in"]):
        result.wrong.append("ours predicts other values than stock XGBoost")
    if np.mean(answers["ours"] != labels[:count]) > 0.2:
        result.wrong.append("the job predicts the wrong digits")
    return result


ROWS = {"transform": transform}
