"""Runs the example notebook against a server of its own, cell by cell, and tells what it gave.

    ./dev demo                                       or: python examples/run_demo.py --build build/release

The server keeps its data in a temporary folder and is stopped at the end. The executed notebook and the picture of the
confusion matrix are written to out/. The notebook asks the SageMaker SDK for the role of the machine it runs on, which
the SDK reads from /opt/ml/metadata/resource-metadata.json: where that folder may be written, `espalier notebook-setup`
makes the file (it is removed again at the end, unless it was there before); elsewhere the role is named in SAGEMAKER_ROLE.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

ROOT = pathlib.Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "examples" / "mnist_xgboost.ipynb"
METADATA_FILE = pathlib.Path("/opt/ml/metadata/resource-metadata.json")
ROLE = "arn:aws:iam::123456789012:role/LocalSageMakerRole"
REGION = "us-east-1"
START_SECONDS_MAX = 20
STOP_SECONDS_MAX = 20
CELL_SECONDS_MAX = 600
TITLE_COLUMNS = 44
ANSI_COLOR = re.compile(r"\x1b\[[0-9;]*m")
READY = re.compile(r"Espalier is ready at (http://\S+)")


class DemoError(Exception):
    """The demo can't go on; the text is for the person at the terminal."""


class Server:
    """`espalier serve` on a free port with the embedded default, and its log in `log_path`."""

    def __init__(self, build: pathlib.Path, data_dir: pathlib.Path, log_path: pathlib.Path):
        self.access_key_id = "AKIA" + secrets.token_hex(8).upper()
        self.secret_access_key = secrets.token_urlsafe(30)
        self.log_path = log_path
        self._program = build / "bin" / "espalier"
        self._data_dir = data_dir
        self._ready = threading.Event()
        self.endpoint_url = ""

    def start(self) -> None:
        environment = dict(os.environ, ESPALIER_ROOT_ACCESS_KEY_ID=self.access_key_id,
                           ESPALIER_ROOT_SECRET_ACCESS_KEY=self.secret_access_key)
        command = [self._program, "serve", "--listen", "127.0.0.1:0", "--data", self._data_dir]
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, errors="replace")
        threading.Thread(target=self._copy_log, daemon=True).start()
        if not self._ready.wait(START_SECONDS_MAX) or not self.endpoint_url:
            self.process.kill()
            raise DemoError(f"the server did not become ready within {START_SECONDS_MAX} s:\n{self.log_tail()}")

    def _copy_log(self) -> None:
        with open(self.log_path, "w") as log:
            for line in self.process.stdout:
                log.write(line)
                log.flush()
                if not self._ready.is_set() and (found := READY.search(line)):
                    self.endpoint_url = found.group(1).rstrip("/")
                    self._ready.set()
        self._ready.set()

    def log_tail(self) -> str:
        lines = self.log_path.read_text(errors="replace").splitlines() if self.log_path.exists() else []
        return "\n".join(lines[-20:])

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise DemoError(f"the server did not end within {STOP_SECONDS_MAX} s of SIGTERM") from None
        if self.process.returncode != 0:
            raise DemoError(f"the server ended with {self.process.returncode}:\n{self.log_tail()}")

    def client_environment(self) -> dict[str, str]:
        return {"AWS_ENDPOINT_URL": self.endpoint_url, "AWS_DEFAULT_REGION": REGION,
                "AWS_ACCESS_KEY_ID": self.access_key_id, "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
                "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
                "AWS_EC2_METADATA_DISABLED": "true"}


@contextmanager
def execution_role(build: pathlib.Path):
    """Yields the environment that makes get_execution_role() or SAGEMAKER_ROLE answer, and says which it is."""
    if METADATA_FILE.exists():
        print(f"role: from {METADATA_FILE}, which was there already")
        yield {}
        return
    done = subprocess.run([build / "bin" / "espalier", "notebook-setup"], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True)
    if done.returncode != 0 or not METADATA_FILE.exists():
        print(f"role: {METADATA_FILE.parent} can't be written here, so it is named in SAGEMAKER_ROLE")
        yield {"SAGEMAKER_ROLE": ROLE}
        return
    print(f"role: espalier notebook-setup wrote {METADATA_FILE} for get_execution_role(); removed again at the end")
    try:
        yield {}
    finally:
        METADATA_FILE.unlink(missing_ok=True)


def heading_of_each_cell(notebook) -> list[str]:
    """The last heading at or before each cell, without its marks."""
    headings, current = [], "Introduction"
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (found := re.search(r"^##? (.+)$", cell.source, re.MULTILINE)):
            current = found.group(1)
        headings.append(current)
    return headings


def text_of(cell) -> str:
    return "".join(output.get("text", "") for output in cell.outputs if output.output_type == "stream"
                   and output.name == "stdout")


def describe_failure(error: Exception, heading: str, cell) -> str:
    """The exception of a failed cell in plain text. The SageMaker SDK shows tracebacks in frames of its own: what follows
    the frame is the exception."""
    if not isinstance(error, CellExecutionError):
        return f"a cell of \"{heading}\" did not end: {error}"
    shown = [text_of(cell)]
    for output in cell.outputs:
        if output.output_type == "error":
            shown.append("\n".join(output.get("traceback", [])))
        elif output.output_type == "display_data":
            shown.append(output.data.get("text/plain", "").rsplit("\u256f", 1)[-1])
    return f"a cell of \"{heading}\" failed:\n\n" + ANSI_COLOR.sub("", "\n".join(s for s in shown if s.strip())).strip()


def run_notebook(notebook, environment: dict[str, str], scratch: pathlib.Path) -> dict[str, float]:
    """Executes every code cell with a line of progress each; returns the seconds per heading."""
    headings = heading_of_each_cell(notebook)
    code = [index for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    seconds: dict[str, float] = {}
    client = NotebookClient(notebook, timeout=CELL_SECONDS_MAX, kernel_name="python3",
                            resources={"metadata": {"path": str(NOTEBOOK.parent)}})
    kernel = client.create_kernel_manager()  # Over TCP other users of the machine could listen in.
    kernel.transport, kernel.ip = "ipc", str(scratch / "kernel")
    started = time.perf_counter()
    with client.setup_kernel(env=environment):
        seconds["Kernel start"] = time.perf_counter() - started
        for number, index in enumerate(code, 1):
            cell = notebook.cells[index]
            print(f"[{number:2}/{len(code)}] {headings[index]:<{TITLE_COLUMNS}}", end="", flush=True)
            started = time.perf_counter()
            try:
                client.execute_cell(cell, index)
            except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
                print(" failed")
                raise DemoError(describe_failure(error, headings[index], cell)) from None
            spent = time.perf_counter() - started
            seconds[headings[index]] = seconds.get(headings[index], 0.0) + spent
            last = (text_of(cell).strip().splitlines() or [""])[-1]
            print(f" {spent:5.1f} s  {last[:90]}", flush=True)
    return seconds


def jobs_of(server: Server) -> list[dict]:
    """Every training job of the server as it describes itself."""
    import boto3  # Costs a second: only after the notebook has run.
    sagemaker = boto3.Session(server.access_key_id, server.secret_access_key, region_name=REGION).client(
        "sagemaker", endpoint_url=server.endpoint_url)
    names = [summary["TrainingJobName"] for summary in sagemaker.list_training_jobs()["TrainingJobSummaries"]]
    return [sagemaker.describe_training_job(TrainingJobName=name) for name in names]


def print_summary(notebook, server: Server, seconds: dict[str, float]) -> None:
    print("\nTraining jobs")
    jobs = jobs_of(server)
    for job in jobs:
        metrics = ", ".join(f"{m['MetricName']} {m['Value']:.4f}" for m in job.get("FinalMetricDataList", []))
        print(f"  {job['TrainingJobName']:<44} {job['TrainingJobStatus']} on "
              f"{job['ResourceConfig']['InstanceCount']} instance(s), {metrics}")
        if job["TrainingJobStatus"] != "Completed":
            raise DemoError(f"{job['TrainingJobName']}: {job.get('FailureReason', 'did not complete')}")
    for cell in notebook.cells:
        if "error-rate" in cell.metadata.get("tags", []):
            print(f"\nTest set: {text_of(cell).strip()}")
    print("\nSeconds per stage")
    for heading, spent in seconds.items():
        print(f"  {heading:<{TITLE_COLUMNS}} {spent:6.1f}")
    print(f"  {'All':<{TITLE_COLUMNS}} {sum(seconds.values()):6.1f}")


def picture_path(out: pathlib.Path) -> pathlib.Path:
    picture = out / "confusion_matrix.png"
    if not picture.exists():
        raise DemoError(f"the notebook left no picture at {picture}")
    return picture


def run(build: pathlib.Path, out: pathlib.Path, rows: int | None) -> None:
    out.mkdir(parents=True, exist_ok=True)
    executed = out / NOTEBOOK.name
    for stale in (executed, out / "confusion_matrix.png"):
        stale.unlink(missing_ok=True)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    data_dir = pathlib.Path(tempfile.mkdtemp(prefix="espalier-demo-"))
    server = Server(build, data_dir, out / "server.log")
    try:
        server.start()
        print(f"server: {server.endpoint_url}, data in {data_dir} until the end")
        with execution_role(build) as role:
            environment = dict(os.environ, **server.client_environment(), **role, NOTEBOOK_OUTPUT=str(out),
                               SAGEMAKER_SUPPRESS_V2_WARNING="1")
            if rows:
                environment["MNIST_ROWS"] = str(rows)
            try:
                seconds = run_notebook(notebook, environment, data_dir)
            finally:
                nbformat.write(notebook, executed)
        print_summary(notebook, server, seconds)
        print(f"\nExecuted notebook  {executed}\nConfusion matrix   {picture_path(out)}\nServer log         {server.log_path}")
        server.stop()
    finally:
        if getattr(server, "process", None) is not None and server.process.poll() is None:
            server.process.kill()
        shutil.rmtree(data_dir, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release", help="the build folder")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "out", help="where notebook and picture go")
    parser.add_argument("--rows", type=int, help="train on this many images only (a fifth of it for the other sets)")
    arguments = parser.parse_args()
    try:
        run(arguments.build.resolve(), arguments.out.resolve(), arguments.rows)
    except DemoError as error:
        print(f"\ndemo: {error}\n\nThe server's log is in {arguments.out / 'server.log'}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
