"""S3 objects: 64 MB and 4 KB, written and read, through boto3 and through a load of our own (signed before the clock starts).

Ours answers a PutObject when the bytes are on the disk; moto keeps them in memory, nginx leaves them in the page cache.
"""

from __future__ import annotations

import hashlib
import os
import time
import zlib
from collections.abc import Callable

import boto3
import botocore.config
import http_load
from contest import Contest
from harness import signing
from harness.server import Server
from results import RowResult, Series
from rows.settings import Settings

LARGE, SMALL = 64 << 20, 4096
OURS, MOTO, NGINX = "ours", "moto server", "nginx WebDAV"


class Stores:
    """The three stores, running, with a bucket `bench`; a key is new each time it is written."""

    def __init__(self, settings: Settings):
        self._settings = settings
        self._count = 0
        self.large = os.urandom(4 << 20) * (1 if settings.quick else LARGE >> 22)
        self.small = os.urandom(SMALL)

    def __enter__(self) -> "Stores":
        self.server = Server(self._settings.work / "data").start()
        self.moto = http_load.Moto().__enter__()
        self.nginx = http_load.Nginx(self._settings.work).__enter__()
        self.clients = {OURS: self._client(self.server.endpoint_url), MOTO: self._client(f"http://127.0.0.1:{self.moto.port}")}
        for client in self.clients.values():
            client.create_bucket(Bucket="bench")
        return self

    def __exit__(self, *error) -> None:
        self.nginx.__exit__()
        self.moto.__exit__()
        self.server.__exit__(*error)

    def _client(self, url: str):
        return boto3.client("s3", endpoint_url=url, region_name=self.server.region, aws_access_key_id=self.server.access_key_id,
                            aws_secret_access_key=self.server.secret_access_key,
                            config=botocore.config.Config(s3={"addressing_style": "path"}))

    def key(self) -> str:
        self._count += 1
        return f"object-{self._count}"

    def port(self, store: str) -> int:
        return {OURS: self.server.host_port[1], MOTO: self.moto.port, NGINX: self.nginx.port}[store]

    def request(self, store: str, method: str, key: str, body: bytes) -> tuple[str, str, dict[str, str], bytes]:
        if store == NGINX:
            return method, f"/files/{key}", {}, body
        target = f"/bench/{key}"
        headers = http_load.signed_headers(signing, self.server, "s3", method, target, body, {})
        if store == MOTO:  # It checks no signature; its own address must stand in Host.
            headers["Host"] = f"127.0.0.1:{self.moto.port}"
        return method, target, headers, body


def digest_pass(body: bytes) -> float:
    """Bytes a second of SHA-256, MD5 and CRC-32 one after the other on one core."""
    started = time.perf_counter()
    hashlib.sha256(body), hashlib.md5(body), zlib.crc32(body)
    return len(body) / (time.perf_counter() - started)


def disk_write(settings: Settings, body: bytes) -> float:
    """Bytes a second of a new file that is synced before the clock stops, where the server keeps its objects."""
    path = settings.work / "written"
    started = time.perf_counter()
    with path.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    seconds = time.perf_counter() - started
    path.unlink()
    return len(body) / seconds


def _contest(settings: Settings, measures: dict[str, Callable[[], tuple[float, dict]]]) -> Contest:
    names = list(measures)
    return Contest((names[0], measures[names[0]]), [(name, measures[name]) for name in names[1:]], False).run(settings.rounds)


def _result(row: str, title: str, unit: str, contest: Contest, note: Callable[[dict], str]) -> RowResult:
    for series in [contest.ours, *contest.peers]:
        if series.name in contest.told:
            series.note = note(contest.told[series.name])
    return RowResult(row, title, unit, False, contest.ours, contest.peers)


def _put_large(stores: Stores, store: str):
    def measure():
        told = http_load.hammer("127.0.0.1", stores.port(store), [stores.request(store, "PUT", stores.key(), stores.large)], 1)
        return len(stores.large) / told["seconds"] / 1e6, told
    return measure


def _put_large_boto3(stores: Stores, store: str):
    def measure():
        started = time.perf_counter()
        stores.clients[store].put_object(Bucket="bench", Key=stores.key(), Body=stores.large)
        seconds = time.perf_counter() - started
        return len(stores.large) / seconds / 1e6, {"seconds": seconds}
    return measure


def put_large(settings: Settings) -> RowResult:
    with Stores(settings) as stores:
        contest = _contest(settings, {
            "ours, own load": _put_large(stores, OURS), "ours, boto3": _put_large_boto3(stores, OURS),
            "nginx WebDAV, own load (not synced)": _put_large(stores, NGINX), "moto, own load (memory)": _put_large(stores, MOTO),
            "moto, boto3 (memory)": _put_large_boto3(stores, MOTO)})
        limits = [Series("disk: write and sync", [disk_write(settings, stores.large) / 1e6 for _ in range(settings.rounds)]),
                  Series("one SHA-256 + MD5 + CRC-32 pass", [digest_pass(stores.large) / 1e6 for _ in range(settings.rounds)])]
    result = _result("put-64m", "PutObject 64 MB", "MB/s", contest, lambda told: f"{told['seconds'] * 1e3:.0f} ms")
    result.limits = limits
    allowed = min(limit.best(False) for limit in limits)
    result.add_goal(">= 60 % of the slower of disk and digests", 100 * result.ours_best() / allowed, 60, "%")
    return result


def get_large(settings: Settings) -> RowResult:
    with Stores(settings) as stores:
        key = stores.key()
        for store in (OURS, MOTO, NGINX):
            method, target, headers, body = stores.request(store, "PUT", key, stores.large)
            http_load.hammer("127.0.0.1", stores.port(store), [(method, target, headers, body)], 1)

        def raw(store: str):
            def measure():
                told = http_load.hammer("127.0.0.1", stores.port(store), [stores.request(store, "GET", key, b"")], 1)
                return len(stores.large) / told["seconds"] / 1e6, told
            return measure

        def through_boto3(store: str):
            def measure():
                started = time.perf_counter()
                body = stores.clients[store].get_object(Bucket="bench", Key=key)["Body"].read()
                seconds = time.perf_counter() - started
                return len(body) / seconds / 1e6, {"seconds": seconds, "right": body == stores.large}
            return measure

        contest = _contest(settings, {
            "ours, own load": raw(OURS), "ours, boto3": through_boto3(OURS), "nginx WebDAV, own load": raw(NGINX),
            "moto, own load": raw(MOTO), "moto, boto3": through_boto3(MOTO)})
        limits = [Series("one SHA-256 + MD5 + CRC-32 pass", [digest_pass(stores.large) / 1e6 for _ in range(settings.rounds)])]
    result = _result("get-64m", "GetObject 64 MB", "MB/s", contest, lambda told: f"{told['seconds'] * 1e3:.0f} ms")
    result.limits = limits
    result.add_goal(">= 60 % of one digest pass", 100 * result.ours_best() / limits[0].best(False), 60, "%")
    if not contest.told["ours, boto3"]["right"]:
        result.wrong.append("the object read is not the object written")
    return result


def put_small(settings: Settings) -> RowResult:
    count = 64 if settings.quick else 800
    with Stores(settings) as stores:

        def raw(store: str):
            def measure():
                requests = [stores.request(store, "PUT", stores.key(), stores.small) for _ in range(count)]
                told = http_load.hammer("127.0.0.1", stores.port(store), requests, 8)
                return told["per_second"], told
            return measure

        def through_boto3(store: str):
            def measure():
                times = []
                for _ in range(count // 4):
                    started = time.perf_counter()
                    stores.clients[store].put_object(Bucket="bench", Key=stores.key(), Body=stores.small)
                    times.append(time.perf_counter() - started)
                times.sort()
                return len(times) / sum(times), {"p50_ms": 1e3 * times[len(times) // 2], "p99_ms": 1e3 * times[len(times) * 99 // 100]}
            return measure

        contest = _contest(settings, {
            "ours, 8 connections": raw(OURS), "ours, boto3, one after the other": through_boto3(OURS),
            "nginx WebDAV, 8 connections (not synced)": raw(NGINX), "moto, 8 connections (memory)": raw(MOTO),
            "moto, boto3, one after the other (memory)": through_boto3(MOTO)})
    note = lambda told: f"p50 {told['p50_ms']:.2f} ms, p99 {told['p99_ms']:.2f} ms"  # noqa: E731
    result = _result("put-4k", "PutObject 4 KB", "req/s", contest, note)
    result.notes.append("every answer of ours comes after two syncs (the file, and the row that names it); writers that wait share one")
    return result


def get_small(settings: Settings) -> RowResult:
    with Stores(settings) as stores:
        key = stores.key()
        for store in (OURS, MOTO, NGINX):
            http_load.hammer("127.0.0.1", stores.port(store), [stores.request(store, "PUT", key, stores.small)], 1)

        def raw(store: str):
            def measure():
                method, target, headers, body = stores.request(store, "GET", key, b"")
                url = f"http://127.0.0.1:{stores.port(store)}{target}"
                told = http_load.wrk(url, body, headers, settings.work, 1 if settings.quick else 3, method)
                return told["requests_per_second"], {"p50_ms": told["p50_us"] / 1e3, "p99_ms": told["p99_us"] / 1e3}
            return measure

        contest = _contest(settings, {"ours, wrk": raw(OURS), "nginx, wrk": raw(NGINX), "moto, wrk": raw(MOTO)})
        right = stores.clients[OURS].get_object(Bucket="bench", Key=key)["Body"].read() == stores.small
    note = lambda told: f"p50 {told['p50_ms']:.2f} ms, p99 {told['p99_ms']:.2f} ms"  # noqa: E731
    result = _result("get-4k", "GetObject 4 KB", "req/s", contest, note)
    if not right:
        result.wrong.append("the object read is not the object written")
    return result


ROWS = {"put-64m": put_large, "get-64m": get_large, "put-4k": put_small, "get-4k": get_small}
