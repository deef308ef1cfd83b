"""Bodies stream: the server's memory does not grow with the object. ESPALIER_STREAM_MB=5120 makes it the 5 GB case."""

from __future__ import annotations

import hashlib
import http.client
import os

import psutil

MIB = 1 << 20
STREAM_MB = int(os.environ.get("ESPALIER_STREAM_MB", "300"))
GROWTH_BYTES_MAX = 24 * MIB


def pieces(block: bytes, count: int, process: psutil.Process, peak: list[int]):
    for number in range(count):
        if number % 16 == 0:
            peak[0] = max(peak[0], process.memory_info().rss)
        yield block


def test_put_and_get_of_a_large_object_in_flat_memory(server_factory):
    server = server_factory(flags=("--open",))
    host = server.endpoint_url.split("//")[1]
    process = psutil.Process(server.process.pid)
    connection = http.client.HTTPConnection(host, timeout=120)

    def request(method, target, **arguments):
        connection.request(method, target, **arguments)
        return connection.getresponse()

    assert request("PUT", "/big").read() == b""
    block = os.urandom(MIB)
    # Once small, so that buffers and caches that every request needs are there before the measurement.
    request("PUT", "/big/warm", body=block * 8).read()
    request("GET", "/big/warm").read()
    before = process.memory_info().rss
    peak = [before]
    answer = request("PUT", "/big/k", body=pieces(block, STREAM_MB, process, peak),
                     headers={"Content-Length": str(STREAM_MB * MIB)})
    answer.read()
    assert answer.status == 200
    digest = hashlib.md5()
    for _ in range(STREAM_MB):
        digest.update(block)
    assert answer.headers["ETag"] == f'"{digest.hexdigest()}"'
    answer = request("GET", "/big/k")
    got = hashlib.md5()
    while piece := answer.read(MIB):
        got.update(piece)
        peak[0] = max(peak[0], process.memory_info().rss)
    assert got.digest() == digest.digest()
    print(f"{STREAM_MB} MB: {before // MIB} MiB before, {peak[0] // MIB} MiB at most")
    assert peak[0] - before < GROWTH_BYTES_MAX
