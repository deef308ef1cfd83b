"""What ten times the load does: answers a second, and how long those take that are taken in.

usage: .venv/bin/python bench/overload.py [--build build/release] [--seconds 5]

One endpoint that explains its rows (output=contributions), so that an answer costs milliseconds. First a few clients, one request after the other
each: the peak. Then requests on a clock at ten times that rate, whether answers come or not, over as many connections as
that takes; refusals (429) are counted and not repeated. Wanted: at least 90 % of the peak's answers, a bounded 99th
percentile, and nothing but 200 and 429. The load runs on the same machine, so the peak is what is left beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import pathlib
import sys
import tempfile
import time

import numpy as np
import xgboost

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "bench"), str(ROOT / "examples")]

FEATURES, ROWS, TREES = 28, 40, 300
TARGET = "/endpoints/bench/invocations"


def large_model(path: pathlib.Path) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(1000, FEATURES)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] + x[:, 2] + rng.normal(size=len(x)) > 0).astype(int)
    params = {"objective": "binary:logistic", "max_depth": 8, "tree_method": "hist", "eta": 0.01, "seed": 1, "nthread": 1}
    xgboost.train(params, xgboost.DMatrix(x, y), TREES).save_model(path)


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.reader, self.writer = reader, writer

    async def ask(self, request: bytes) -> int:
        """The status of the answer, which is read whole."""
        self.writer.write(request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
        await self.reader.readexactly(length)
        return int(head.split(b" ", 2)[1])


async def peak(address, request: bytes, clients: int, seconds: float) -> dict:
    latencies: list[float] = []
    end = time.perf_counter() + seconds

    async def client() -> None:
        connection = Connection(*await asyncio.open_connection(*address))
        while (begin := time.perf_counter()) < end:
            assert await connection.ask(request) == 200
            latencies.append(time.perf_counter() - begin)

    await asyncio.gather(*(client() for _ in range(clients)))
    return {"answers_per_second": len(latencies) / seconds, "p99_ms": 1e3 * float(np.percentile(latencies, 99))}


async def flood(address, request: bytes, rate: float, seconds: float) -> dict:
    """Requests `rate` a second on a clock; a connection is opened when none is free."""
    free: list[Connection] = []
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    opened = 0

    async def ask(due: float) -> None:
        nonlocal opened
        if not free:
            opened += 1
        connection = free.pop() if free else Connection(*await asyncio.open_connection(*address))
        status = await connection.ask(request)
        statuses[status] = statuses.get(status, 0) + 1
        if status == 200:
            latencies.append(time.perf_counter() - due)
        free.append(connection)

    start = time.perf_counter()
    tasks = set()
    for number in range(int(rate * seconds)):
        due = start + number / rate
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        task = asyncio.create_task(ask(due))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    sent = time.perf_counter() - start
    await asyncio.gather(*tasks)
    took = time.perf_counter() - start
    return {"offered_per_second": rate * seconds / sent, "answers_per_second": len(latencies) / took,
            "refused": statuses.get(429, 0), "other": sum(n for status, n in statuses.items() if status not in (200, 429)),
            "p50_ms": 1e3 * float(np.percentile(latencies, 50)), "p99_ms": 1e3 * float(np.percentile(latencies, 99)),
            "connections": opened}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--seconds", type=float, default=5)
    arguments = parser.parse_args()
    os.environ["ESPALIER_BUILD"] = arguments.build
    import http_load
    from harness import signing
    from harness.server import Server
    from rows.serving import deploy

    rows = np.random.default_rng(2).normal(size=(ROWS, FEATURES))
    body = "\n".join(",".join(f"{value:.4f}" for value in row) for row in rows).encode()
    with tempfile.TemporaryDirectory() as folder:
        model = pathlib.Path(folder) / "model.ubj"
        large_model(model)
        with Server(pathlib.Path(folder) / "data") as server:
            deploy(server, model)
            headers = http_load.signed_headers(signing, server, "sagemaker", "POST", TARGET, body, {
                "Content-Type": "text/csv", "Accept": "text/csv; output=contributions"})
            head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            request = f"POST {TARGET} HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
            most = asyncio.run(peak(server.host_port, request, 4, arguments.seconds))
            told = asyncio.run(flood(server.host_port, request, 10 * most["answers_per_second"], arguments.seconds))
    print(json.dumps({"peak": most, "overload": told,
                      "goodput_of_peak": told["answers_per_second"] / most["answers_per_second"]}, indent=2))


if __name__ == "__main__":
    main()
