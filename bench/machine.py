"""The machine and the programs a benchmark runs on it: where they are, and what one run of a command cost."""

from __future__ import annotations

import json
import mmap
import os
import pathlib
import re
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "bench"
PEERS_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
THREADS = 2  # Goals are stated for two; a machine with more cores is held to the same.
WARM_BYTES = 2 << 30  # What the largest of the peers takes for the notebook's data, and half as much again.


class BenchError(Exception):
    """A command of a benchmark failed; the text says which and how its output ended."""


@dataclass(frozen=True)
class Cost:
    """What one run of a process cost."""

    seconds: float
    cpu_seconds: float
    output: str


def warm_memory() -> None:
    """Takes memory from the host before a contender needs it. The host of a virtual machine takes back what a process gave up
    and gives it anew at about 1 GB/s, so a contender would pay for what the one before it had used."""
    with mmap.mmap(-1, WARM_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE):
        pass


def run(command: list, *, seconds_max: float = 600, environment: dict[str, str] | None = None) -> Cost:
    """Runs to the end and fails unless the exit code is 0."""
    words = [str(word) for word in command]
    with tempfile.TemporaryFile("w+") as output:
        started = time.perf_counter()
        process = subprocess.Popen(words, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                   env={**os.environ, **(environment or {})})
        timer = threading.Timer(seconds_max, process.kill)
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode != 0:
        late = f" (stopped after {seconds_max:.0f} s)" if seconds >= seconds_max else ""
        raise BenchError(f"ended with {process.returncode}{late}: {' '.join(words)[:300]}\n{text[-1500:]}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, text)


def run_peer(task: str, peer: str, *, seconds_max: float = 600, num_threads: int = THREADS, **arguments) -> dict:
    """One task of a peer in a process of its own (bench/peers); what it printed, with the cost of the process."""
    request = json.dumps({"task": task, "peer": peer, "threads": num_threads, **arguments}, default=str)
    threads = {"OMP_NUM_THREADS": str(num_threads)}
    cost = run([PEERS_PYTHON, ROOT / "bench" / "peers" / "run.py", request], seconds_max=seconds_max, environment=threads)
    answer = json.loads(cost.output.strip().rsplit("\n", 1)[-1])
    return {**answer, "process_seconds": cost.seconds}


def cpu_name() -> str:
    """The processor's name, its family when the name says little, and the vector sets that matter here."""
    text = pathlib.Path("/proc/cpuinfo").read_text()
    fields = dict(re.findall(r"^([^\t:]+?)\s*: (.*)$", text, re.MULTILINE))
    sets = [name for name in ("avx2", "avx512f", "sha_ni") if name in fields.get("flags", "").split()]
    return f"{fields.get('model name', 'unknown')} (family {fields.get('cpu family')} model {fields.get('model')}; {', '.join(sets)})"


def describe() -> dict:
    """What a result has to say about where it was measured."""
    commit = subprocess.run(["git", "describe", "--always", "--dirty", "--abbrev=10"], cwd=ROOT, capture_output=True, text=True)
    return {"date": time.strftime("%Y-%m-%d %H:%M", time.gmtime()), "cpu": cpu_name(), "cores": os.cpu_count(),
            "commit": commit.stdout.strip(), "load_average": round(os.getloadavg()[0], 1)}
