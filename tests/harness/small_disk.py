"""A disk of a few megabytes for one server: a tmpfs over its data directory that only it and its children see.

Root makes it in a mount namespace, anybody else in a user namespace of his own. A machine that allows neither cannot run
these tests: they are skipped with the reason, and the unit tests of src/store and src/jobs, which pretend full disks, are
what is left.
"""

from __future__ import annotations

import os
import pathlib
import subprocess

import pytest

SCRIPT = 'mount -t tmpfs -o size="$1" none "$2" && shift 2 && exec "$@"'


def wrapper(data_dir: pathlib.Path, size: str) -> list[str]:
    """The command before a server's that puts its data directory on a disk of that size."""
    data_dir.mkdir(parents=True, exist_ok=True)
    namespace = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    command = [*namespace, "sh", "-c", SCRIPT, "sh", size, str(data_dir)]
    tried = subprocess.run([*command, "true"], capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {tried.stderr.strip()}")
    return command


class Disk:
    """The server's disk, seen through its process."""

    def __init__(self, server):
        self.folder = pathlib.Path(f"/proc/{server.process.pid}/root{server.data_dir}")

    def free_bytes(self) -> int:
        told = os.statvfs(self.folder)
        return told.f_bavail * told.f_frsize

    def fill(self, leave: int = 0) -> None:
        """Takes all but `leave` bytes."""
        with open(self.folder / "filler", "ab", buffering=0) as filler:
            while (free := self.free_bytes()) > leave:
                try:
                    filler.write(bytes(min(free - leave, 1 << 20)))
                except OSError:
                    return

    def empty(self) -> None:
        (self.folder / "filler").unlink()
