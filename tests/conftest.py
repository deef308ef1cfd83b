"""Fixtures for everything under tests/. The harness package says what they give."""

from __future__ import annotations

import pathlib
import uuid

import pytest
from harness import mnist, sagemaker_sdk
from harness.clients import Clients, make_session
from harness.recorder import RECORDER
from harness.server import Server, build_folder

_servers: list[Server] = []


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory):
    """One server for all tests that don't mind company. Use `server` in tests; this one is for wider-scoped fixtures."""
    server = Server(tmp_path_factory.mktemp("shared") / "data")
    _servers.append(server)
    server.start()
    yield server
    _servers.remove(server)
    if server.running:
        server.stop()
    else:
        server.abandon()


@pytest.fixture
def server(shared_server):
    """The shared server; a test during which it dies fails, and the next test gets a fresh one."""
    if not shared_server.running:
        shared_server.abandon()
        shared_server.start()
    yield shared_server
    shared_server.check_alive()


@pytest.fixture
def server_factory(tmp_path):
    """Makes servers of a test's own: server_factory(flags=(...), environment={...}, data_dir=...) -> started Server.

    All are stopped at the end of the test, which fails when one of them died, ended badly or left processes behind.
    """
    made: list[Server] = []

    def make(*, data_dir: pathlib.Path | None = None, flags=(), environment=None, wrapper=(), start: bool = True) -> Server:
        server = Server(data_dir or tmp_path / f"data{len(made)}", flags=tuple(flags), environment=environment,
                        wrapper=tuple(wrapper))
        made.append(server)
        _servers.append(server)
        return server.start() if start else server

    yield make
    problems = []
    for server in made:
        _servers.remove(server)
        try:
            if server.process is not None:
                server.stop()
        except AssertionError as error:
            problems.append(str(error))
        finally:
            server.abandon()
    assert not problems, "\n".join(problems)


@pytest.fixture
def clients(server) -> Clients:
    """boto3 clients of the shared server: clients.s3, clients.sagemaker, clients.client('s3', s3={...})."""
    return Clients(server)


@pytest.fixture
def unique() -> str:
    """A short lower-case name that no other test uses; fit for buckets, jobs, models and endpoints."""
    return "t" + uuid.uuid4().hex[:12]


@pytest.fixture
def bucket(clients, unique) -> str:
    """An empty bucket on the shared server."""
    clients.s3.create_bucket(Bucket=unique)
    return unique


@pytest.fixture
def sdk_session(server, monkeypatch, tmp_path):
    """A session of the SageMaker SDK 2; see harness/sagemaker_sdk.py."""
    sdk = sagemaker_sdk.point_at(server, tmp_path, monkeypatch)
    return sdk.Session(boto_session=make_session(server), default_bucket="sdk-default")


@pytest.fixture(scope="session")
def mnist_small():
    """{"train": (2000 rows), "validation": (500), "test": (300)} of MNIST: (images [rows x 784] f32, labels [rows])."""
    return {"train": mnist.rows("train", 2000), "validation": mnist.rows("validation", 500),
            "test": mnist.rows("test", 300)}


@pytest.fixture(scope="session")
def mnist_small_libsvm(mnist_small):
    """The same rows as 1-based libsvm text (bytes) by split."""
    return {split: mnist.libsvm(*data) for split, data in mnist_small.items()}


def pytest_addoption(parser):
    parser.addoption("--full-parity", action="store_true", help="every case of the parity suite; writes docs/parity.md")


def pytest_configure(config):
    config.addinivalue_line("markers", "runs_last: looks at what all other tests of the run did")


def pytest_collection_modifyitems(config, items):
    """Puts runs_last tests at the end, and notes whether this run is the whole set of tests."""
    items.sort(key=lambda item: item.get_closest_marker("runs_last") is not None)
    everything = {str(config.rootpath / "tests"), "tests"}
    narrowed = any(getattr(config.option, name, None) for name in ("keyword", "markexpr", "lf", "ignore", "deselect"))
    config.stash["whole_run"] = set(config.args) <= everything and not narrowed


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for number, server in enumerate(_servers):
            report.sections.append((f"log of server {number} ({server.endpoint_url})", server.log()[-6000:]))


def pytest_sessionfinish(session):
    if session.config.stash["whole_run"] and RECORDER.operations() and build_folder().is_dir():
        RECORDER.save(build_folder() / "operations_seen.json")
