"""Programs of other ages and languages that talk to a server under test: where `./dev setup` put what they need.

A program is started with the environment a user's shell would have, and says what it saw on standard output. What is not
there is a failure that names the set-up, never a skipped test.
"""

from __future__ import annotations

import os
import pathlib
import subprocess

from harness.server import ROOT, Server

PROGRAMS = ROOT / "tests" / "clients" / "programs"
CLIENTS = ROOT / ".clients"
SECONDS_MAX = 240


def run(server: Server, command: list[str | pathlib.Path], *, environment: dict[str, str] | None = None) -> str:
    """Standard output of a program that must end well."""
    done = finish(server, command, environment=environment)
    assert done.returncode == 0, f"{command} ended with {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
    return done.stdout


def finish(server: Server, command: list[str | pathlib.Path], *,
           environment: dict[str, str] | None = None) -> subprocess.CompletedProcess:
    """A program however it ends, with what it printed."""
    if not (pathlib.Path(command[0]).exists() or pathlib.Path(command[0]).name == str(command[0])):
        raise FileNotFoundError(f"{command[0]} is not there: run ./dev setup")
    values = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PYTHON"))}
    values |= server.client_environment() | (environment or {})
    return subprocess.run([str(word) for word in command], env=values, capture_output=True, text=True, timeout=SECONDS_MAX,
                          stdin=subprocess.DEVNULL)


def python(environment: str) -> pathlib.Path:
    """The interpreter of the environment that `./dev setup` makes under that name."""
    return ROOT / environment / "bin" / "python"
