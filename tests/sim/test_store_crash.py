"""kill -9 under load: nothing acknowledged is lost, nothing is torn, nothing is left behind.

Writers put, copy, delete and upload in parts on keys of their own; the server is killed at random moments, also while it
starts. A request that got no answer may have had its effect or not, but never half of it.
ESPALIER_CRASH_SECONDS=600 makes it long; ESPALIER_CRASH_SEED repeats the random choices (not the timing).
"""

from __future__ import annotations

import hashlib
import http.client
import os
import pathlib
import random
import re
import subprocess
import threading
import time
import urllib.parse

from harness.server import program

WRITERS = 6
KEYS_EACH = 5
SECONDS = float(os.environ.get("ESPALIER_CRASH_SECONDS", "12"))
ABSENT = None


class Unanswered(Exception):
    """The connection broke: nobody knows whether the request had its effect."""


class Connection:
    def __init__(self, server):
        self.host, port = server.endpoint_url.split("//")[1].split(":")
        self.port = int(port)
        self.connection = http.client.HTTPConnection(self.host, self.port, timeout=20)

    def request(self, method, target, body=b"", headers=None, expect=(200, 204)):
        try:
            self.connection.request(method, target, body=body, headers=headers or {})
            answer = self.connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            raise Unanswered from error
        assert answer.status in expect, f"{method} {target}: {answer.status} {data[:300]!r}"
        return answer, data


def tag(body: bytes) -> str:
    return hashlib.md5(body).hexdigest()


class Writer(threading.Thread):
    """Owns KEYS_EACH keys. `states[key]` is the set of contents (md5 of the bytes, ABSENT) the key may have now."""

    def __init__(self, number: int, seed: int):
        super().__init__(daemon=True)
        self.rng = random.Random(seed * 1000 + number)
        self.keys = [f"w{number}/key {i}" for i in range(KEYS_EACH)]
        self.states = {key: {ABSENT} for key in self.keys}
        self.acknowledged = 0
        self.failure = None
        self.server = None
        self.stopping = False

    def target(self, key: str) -> str:
        return "/crash/" + urllib.parse.quote(key)

    def body(self) -> bytes:
        size = self.rng.choice([0, 1, 100, 5000, 70000, 400000])
        return self.rng.randbytes(min(size, 64)) * (size // 64 + 1)

    def step(self, connection: Connection) -> None:
        key = self.rng.choice(self.keys)
        kind = self.rng.choice(["put", "put", "put", "delete", "copy", "multipart", "bulk"])
        if kind == "put":
            body = self.body()
            self.change({key: tag(body)}, lambda: connection.request("PUT", self.target(key), body))
        elif kind == "delete":
            self.change({key: ABSENT}, lambda: connection.request("DELETE", self.target(key)))
        elif kind == "bulk":
            keys = self.rng.sample(self.keys, 3)
            document = "<Delete>" + "".join(f"<Object><Key>{k}</Key></Object>" for k in keys) + "</Delete>"
            self.change(dict.fromkeys(keys, ABSENT), lambda: connection.request("POST", "/crash?delete", document.encode()))
        elif kind == "copy":
            self.copy(connection, self.rng.choice(self.keys), key)
        else:
            self.upload(connection, key)

    def change(self, effects: dict, call) -> None:
        before = {key: self.states[key] for key in effects}
        for key, effect in effects.items():
            self.states[key] = before[key] | {effect}
        call()
        for key, effect in effects.items():
            self.states[key] = {effect}
        self.acknowledged += 1

    def copy(self, connection, source, key) -> None:
        if source == key or len(self.states[source]) != 1 or ABSENT in self.states[source]:
            return
        (effect,) = self.states[source]
        self.change({key: effect}, lambda: connection.request(
            "PUT", self.target(key), headers={"x-amz-copy-source": self.target(source)}))

    def upload(self, connection, key) -> None:
        bodies = [self.body()]
        if self.rng.random() < 0.2:
            bodies.insert(0, self.rng.randbytes(64) * (5 << 14))  # 5 MiB: long enough not to be the last
        _, data = connection.request("POST", self.target(key) + "?uploads")
        upload = re.search(b"<UploadId>(.*?)</UploadId>", data).group(1).decode()
        rows = ""
        for number, body in enumerate(bodies, 1):
            answer, _ = connection.request("PUT", self.target(key) + f"?partNumber={number}&uploadId={upload}", body)
            rows += f"<Part><PartNumber>{number}</PartNumber><ETag>{answer.headers['ETag']}</ETag></Part>"
        document = f"<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>".encode()
        self.change({key: tag(b"".join(bodies))}, lambda: connection.request(
            "POST", self.target(key) + f"?uploadId={upload}", document))

    def run(self) -> None:
        try:
            connection = Connection(self.server)
            while not self.stopping:
                self.step(connection)
        except Unanswered:
            pass  # the kill
        except Exception as error:  # noqa: BLE001 - told by the main thread
            self.failure = error


def check(server, writers) -> None:
    connection = Connection(server)
    listed = set()
    token = ""
    while True:
        _, data = connection.request("GET", "/crash?list-type=2&encoding-type=url" + token)
        listed |= {urllib.parse.unquote(key) for key in re.findall("<Key>(.*?)</Key>", data.decode())}
        more = re.search("<NextContinuationToken>(.*?)</NextContinuationToken>", data.decode())
        if not more:
            break
        token = "&continuation-token=" + urllib.parse.quote(more.group(1), safe="")
    assert listed <= {key for writer in writers for key in writer.keys}
    for writer in writers:
        for key, states in writer.states.items():
            answer, body = connection.request("GET", writer.target(key), expect=(200, 404))
            found = tag(body) if answer.status == 200 else ABSENT
            assert found in states, f"{key} is {found}, may be {states}"
            assert (key in listed) == (found is not ABSENT), f"{key}: list and get disagree"
            writer.states[key] = {found}


def files_below(folder: pathlib.Path) -> int:
    return sum(len(files) for _, _, files in os.walk(folder))


def wait_for_sweep(server) -> None:
    """Uploads are aborted first, so that one blob an object is what must be left."""
    connection = Connection(server)
    _, data = connection.request("GET", "/crash?uploads&encoding-type=url")
    for key, upload in re.findall("<Key>(.*?)</Key><UploadId>(.*?)</UploadId>", data.decode()):
        connection.request("DELETE", f"/crash/{key}?uploadId={upload}")
    _, data = connection.request("GET", "/crash?list-type=2")
    objects = data.count(b"<Contents>")
    deadline = time.monotonic() + 10
    blobs = server.data_dir / "objects" / "blobs"
    while files_below(blobs) != objects and time.monotonic() < deadline:
        time.sleep(0.02)
    assert files_below(blobs) == objects
    assert files_below(server.data_dir / "objects" / "staging") == 0


def kill_while_starting(server, rng) -> None:
    process = subprocess.Popen([str(program("espalier")), "serve", "--open", "--listen", "127.0.0.1:0", "--data",
                                str(server.data_dir)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(rng.uniform(0, 0.06))
    process.kill()
    process.wait(10)


def test_kill_9_under_load(server_factory):
    seed = int(os.environ.get("ESPALIER_CRASH_SEED", time.time_ns() % 1_000_000))
    print("ESPALIER_CRASH_SEED =", seed)
    rng = random.Random(seed)
    server = server_factory(flags=("--open",))
    Connection(server).request("PUT", "/crash")
    writers = [Writer(number, seed) for number in range(WRITERS)]
    end = time.monotonic() + SECONDS
    kills = 0
    while time.monotonic() < end:
        for number, old in enumerate(writers):
            writer = Writer(number, seed + kills + 1)
            writer.states, writer.acknowledged, writer.server = old.states, old.acknowledged, server
            writers[number] = writer
            writer.start()
        time.sleep(rng.uniform(0.05, 0.5))
        server.kill9()
        for writer in writers:
            writer.stopping = True
            writer.join(30)
            assert not writer.is_alive()
            if writer.failure is not None:
                raise writer.failure
        kills += 1
        if rng.random() < 0.3:
            kill_while_starting(server, rng)
        server.start()
        check(server, writers)
        wait_for_sweep(server)
    acknowledged = sum(writer.acknowledged for writer in writers)
    print(f"{kills} kills, {acknowledged} acknowledged operations")
    assert kills >= 5
    assert acknowledged >= 50
