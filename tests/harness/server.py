"""One `espalier serve` process under test.

A server listens on a port the system chose, keeps everything in its own data directory and gets its root key pair from
the environment. `restart()` and `kill9()` come back on the same port, so clients and presigned links stay valid.
Nothing here sleeps: readiness is a line on standard output, the end is the end of the process, both with a deadline.

Processes that belong to a server (training instances, mpirun) are found by a token in their environment, by the data
directory in their command line or by their working directory, so a child that left the process group is found as well.
"""

from __future__ import annotations

import os
import pathlib
import re
import secrets
import signal
import subprocess
import threading
import time

import psutil

ROOT = pathlib.Path(__file__).resolve().parents[2]
READY = re.compile(r"Espalier is ready at (http://\S+)")
START_SECONDS_MAX = 30.0
STOP_SECONDS_MAX = 30.0
CHILD_END_SECONDS_MAX = 10.0
LOG_LINES_KEPT = 4000

ROOT_ACCESS_KEY_ID = "AKIAESPALIERTESTROOT"
ROOT_SECRET_ACCESS_KEY = "test/secret+of/the+harness/0123456789abcd"
REGION = "us-east-1"
ACCOUNT_ID = "123456789012"


def build_folder() -> pathlib.Path:
    """The build whose programs are tested: ESPALIER_BUILD, else build/release."""
    return (ROOT / os.environ.get("ESPALIER_BUILD", "build/release")).resolve()


def program(name: str) -> pathlib.Path:
    path = build_folder() / "bin" / name
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist: run ./dev build, or set ESPALIER_BUILD")
    return path


class ServerError(AssertionError):
    """The server did not do what a healthy server does; the text ends with the tail of its log."""


class Server:
    """Started by the constructor's caller with start(); use it as a context manager to have it stopped and checked."""

    def __init__(self, data_dir: pathlib.Path, *, flags: tuple[str, ...] = (),
                 environment: dict[str, str | None] | None = None, listen: str = "127.0.0.1:0",
                 wrapper: tuple[str, ...] = ()):
        """`flags` follow `serve`; an `environment` value of None removes the variable; `wrapper` is a command that becomes
        the server's (exec)."""
        self.data_dir = pathlib.Path(data_dir)
        self.flags = tuple(flags)
        self.wrapper = tuple(wrapper)
        self.access_key_id = ROOT_ACCESS_KEY_ID
        self.secret_access_key = ROOT_SECRET_ACCESS_KEY
        self.region = REGION
        self.endpoint_url = ""
        self.process: subprocess.Popen | None = None
        self._listen = listen
        self._token = secrets.token_hex(8)
        self._environment = dict(environment or {})
        self._lines: list[str] = []
        self._reader: threading.Thread | None = None

    # -- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> "Server":
        """Starts the process and returns when it has said that it accepts requests."""
        assert self.process is None, "the server runs already"
        self.endpoint_url = ""
        ready = threading.Event()
        command = [*self.wrapper, str(program("espalier")), "serve", "--listen", self._listen, "--data", str(self.data_dir), *self.flags]
        self.process = subprocess.Popen(
            command, env=self._process_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True, text=True, errors="replace", bufsize=1,
        )
        self._reader = threading.Thread(target=self._read_log, args=(self.process, ready), daemon=True)
        self._reader.start()
        if not ready.wait(START_SECONDS_MAX) or not self.endpoint_url:
            code = self.process.poll()
            self._kill_everything()
            self.process = None
            raise ServerError(self.describe(f"no ready line within {START_SECONDS_MAX:.0f} s (exit code {code})"))
        self._listen = self.endpoint_url.split("//", 1)[1]
        return self

    def stop(self) -> None:
        """Ends the server as an operator would, and fails when it does not end with 0 or leaves processes behind."""
        process = self._take_process()
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process = process
            self._kill_everything()
            self.process = None
            raise ServerError(self.describe(f"SIGTERM did not end the server within {STOP_SECONDS_MAX:.0f} s")) from None
        self._join_reader()
        left = self._wait_for_no_children()
        if code != 0:
            raise ServerError(self.describe(f"the server ended with {code} after SIGTERM"))
        if left:
            raise ServerError(self.describe("the server left processes behind: " + "; ".join(left)))

    def kill9(self) -> None:
        """Ends the server as a power cut of the process would. Its training instances are left to their own rules."""
        process = self._take_process()
        process.kill()
        process.wait(STOP_SECONDS_MAX)

    def restart(self) -> None:
        self.stop()
        self.start()

    def abandon(self) -> None:
        """Kills whatever is left, without judging. For the end of a test that has failed already."""
        self._kill_everything()
        self.process = None

    def __enter__(self) -> "Server":
        return self if self.process is not None else self.start()

    def __exit__(self, error_type, error, traceback) -> None:
        if error_type is not None or self.process is None:
            self.abandon()
        else:
            self.check_alive()
            self.stop()

    # -- looking ------------------------------------------------------------------------------------------------------

    @property
    def host_port(self) -> tuple[str, int]:
        host, port = self.endpoint_url.split("//", 1)[1].rsplit(":", 1)
        return host, int(port)

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def check_alive(self) -> None:
        if not self.running:
            code = self.process.returncode if self.process is not None else None
            raise ServerError(self.describe(f"the server died (exit code {code})"))

    def rss_bytes(self) -> int:
        assert self.process is not None
        return psutil.Process(self.process.pid).memory_info().rss

    def num_open_files(self) -> int:
        assert self.process is not None
        return psutil.Process(self.process.pid).num_fds()

    def children(self) -> list[psutil.Process]:
        """Every live process that belongs to this server, the server itself left out."""
        own = self.process.pid if self.process is not None else None
        return [p for p in psutil.process_iter() if p.pid not in (own, os.getpid()) and self._belongs(p)]

    def log(self) -> str:
        return "".join(self._lines)

    def describe(self, text: str) -> str:
        return f"{text}\n--- last lines of the server's log ---\n{''.join(self._lines[-60:])}"

    def client_environment(self) -> dict[str, str]:
        """What a user's shell exports (and what keeps the machine's own AWS set-up out of the test)."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url, "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.access_key_id, "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_EC2_METADATA_DISABLED": "true",
        }

    # -- inside -------------------------------------------------------------------------------------------------------

    def _process_environment(self) -> dict[str, str]:
        values = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ESPALIER_"))}
        values |= {
            "ESPALIER_ROOT_ACCESS_KEY_ID": self.access_key_id, "ESPALIER_ROOT_SECRET_ACCESS_KEY": self.secret_access_key,
            "ESPALIER_TEST_TOKEN": self._token,
        }
        for name, value in self._environment.items():
            if value is None:
                values.pop(name, None)
            else:
                values[name] = value
        return values

    def _read_log(self, process: subprocess.Popen, ready: threading.Event) -> None:
        for line in process.stdout:
            self._lines.append(line)
            if len(self._lines) > LOG_LINES_KEPT:
                del self._lines[: LOG_LINES_KEPT // 4]
            if not ready.is_set() and (found := READY.search(line)):
                self.endpoint_url = found.group(1).rstrip("/")
                ready.set()
        ready.set()  # The process ended before it was ready: nobody need wait longer.

    def _join_reader(self) -> None:
        if self._reader is not None:
            self._reader.join(CHILD_END_SECONDS_MAX)

    def _take_process(self) -> subprocess.Popen:
        self.check_alive()
        process, self.process = self.process, None
        return process

    def _belongs(self, process: psutil.Process) -> bool:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return process.ppid() == (self.process.pid if self.process is not None else -1)
            if str(self.data_dir) in " ".join(process.cmdline()):
                return "espalier" in process.name() or "mpirun" in process.name() or "orte" in process.name()
            return process.environ().get("ESPALIER_TEST_TOKEN") == self._token
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False

    def _wait_for_no_children(self) -> list[str]:
        deadline = time.monotonic() + CHILD_END_SECONDS_MAX
        while children := self.children():
            psutil.wait_procs(children, timeout=max(0.0, deadline - time.monotonic()))
            if time.monotonic() >= deadline:
                return [f"{p.pid} {' '.join(p.cmdline())}" for p in self.children()]
        return []

    def _kill_everything(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(STOP_SECONDS_MAX)
        for process in self.children():
            try:
                process.kill()
            except psutil.NoSuchProcess:
                pass
