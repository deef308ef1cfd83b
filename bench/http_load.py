"""Load on a server: wrk for HTTP, threads of our own for signed S3 requests."""

from __future__ import annotations

import concurrent.futures
import hashlib
import http.client
import pathlib
import re
import socket
import subprocess
import time
from datetime import datetime, timezone

import machine
from machine import BenchError

SCRIPT = """local file = io.open(os.getenv("BODY"), "rb")
wrk.body = file:read("*a")
file:close()
wrk.method = os.getenv("METHOD")
for line in io.lines(os.getenv("HEADERS")) do
    local name, value = line:match("^([^:]+): (.*)$")
    wrk.headers[name] = value
end
function done(summary, latency, requests)
    io.write(string.format("RESULT %d %d %d %d %d %d\\n", summary.requests, summary.duration, latency:percentile(50),
        latency:percentile(99), summary.errors.status, summary.errors.connect + summary.errors.read + summary.errors.timeout))
end
"""
TEMPORARY_KINDS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
UNITS = ("requests", "duration_us", "p50_us", "p99_us", "bad_statuses", "broken")


def wrk(url: str, body: bytes, headers: dict[str, str], work: pathlib.Path, seconds: float, method: str = "POST",
        connections: int = 8) -> dict:
    """One thread and `connections` connections sending the same request; fails on any answer that is not 2xx or 3xx."""
    (work / "load.lua").write_text(SCRIPT)
    (work / "load.body").write_bytes(body)
    (work / "load.headers").write_text("".join(f"{name}: {value}\n" for name, value in headers.items()))
    environment = {"METHOD": method, "BODY": str(work / "load.body"), "HEADERS": str(work / "load.headers")}
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "-s", work / "load.lua", url]
    cost = machine.run(command, environment=environment)
    found = re.search(r"RESULT (.*)", cost.output)
    if found is None:
        raise BenchError(f"wrk gave no result:\n{cost.output}")
    told = dict(zip(UNITS, map(int, found.group(1).split())))
    if told["bad_statuses"] or told["broken"]:
        raise BenchError(f"{url}: {told['bad_statuses']} refusals and {told['broken']} broken answers of {told['requests']}")
    return {**told, "requests_per_second": 1e6 * told["requests"] / told["duration_us"]}


def signed_headers(signing, server, service: str, method: str, target: str, body: bytes, extra: dict[str, str]) -> dict[str, str]:
    """Headers of a request signed now; it may be repeated while the signature is valid, which is longer than any run."""
    host, port = server.host_port
    headers = {"Host": f"{host}:{port}", **extra}
    digest = hashlib.sha256(body).hexdigest()
    if service == "s3":
        headers["x-amz-content-sha256"] = digest
    signer = signing.V4(signing.Keys(server.access_key_id, server.secret_access_key), service, server.region,
                        datetime.now(timezone.utc))
    signer.authorize(method, target, headers, digest)
    return headers


def hammer(host: str, port: int, requests: list[tuple[str, str, dict[str, str], bytes]], num_threads: int) -> dict:
    """Sends every request once over `num_threads` connections; requests a second and the quantiles of their times."""

    def run_share(share: list) -> list[float]:
        connection = http.client.HTTPConnection(host, port)
        times = []
        for method, target, headers, body in share:
            started = time.perf_counter()
            connection.request(method, target, body or None, headers)
            answer = connection.getresponse()
            answer.read()
            times.append(time.perf_counter() - started)
            if answer.status >= 300:
                raise BenchError(f"{method} {target}: {answer.status}")
        connection.close()
        return times

    shares = [requests[i::num_threads] for i in range(num_threads)]
    started = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(num_threads) as pool:
        times = sorted(t for share in pool.map(run_share, shares) for t in share)
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "per_second": len(requests) / seconds, "p50_ms": 1e3 * times[len(times) // 2],
            "p99_ms": 1e3 * times[len(times) * 99 // 100]}


class Moto:
    """moto's server, which keeps objects in memory: what people test against today."""

    def __enter__(self) -> "Moto":
        self.port = free_port()
        program = machine.PEERS_PYTHON.parent / "moto_server"
        self._process = subprocess.Popen([machine.PEERS_PYTHON, program, "-H", "127.0.0.1", "-p", str(self.port)],
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(self.port, self._process)
        return self

    def __exit__(self, *_) -> None:
        self._process.terminate()
        self._process.wait(10)


class Nginx:
    """nginx with one worker per core on a free port: a constant answer at /, and a WebDAV folder at /files/."""

    def __init__(self, work: pathlib.Path):
        self.port, self._folder = free_port(), work / "nginx"
        (self._folder / "files").mkdir(parents=True, exist_ok=True)
        temporary = " ".join(f"{kind}_temp_path {self._folder}/{kind};" for kind in TEMPORARY_KINDS)
        (self._folder / "nginx.conf").write_text(f"""
worker_processes {machine.THREADS}; daemon off; pid {self._folder}/pid; error_log {self._folder}/error.log; user root;
events {{ worker_connections 256; }}
http {{
  access_log off; keepalive_requests 100000000; client_max_body_size 1g; client_body_buffer_size 1m; sendfile on; {temporary}
  server {{
    listen 127.0.0.1:{self.port};
    location / {{ return 200 "7.0"; }}
    location /files/ {{ root {self._folder}; dav_methods PUT DELETE; create_full_put_path on; }}
  }}
}}
""")

    def __enter__(self) -> "Nginx":
        self._process = subprocess.Popen(["nginx", "-c", self._folder / "nginx.conf", "-p", self._folder],
                                         stderr=subprocess.PIPE, text=True)
        wait_for_port(self.port, self._process)
        return self

    def __exit__(self, *_) -> None:
        self._process.terminate()
        self._process.wait(10)


def wait_for_port(port: int, process: subprocess.Popen, seconds_max: float = 120) -> None:
    deadline = time.monotonic() + seconds_max
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise BenchError(f"nothing listens on port {port}") from None
            time.sleep(0.02)  # Between two tries; the deadline decides.


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
