"""Training instances run directly: a /opt/ml-shaped folder, espalier-train on it, and what came out."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import subprocess

import numpy as np

from harness.server import program

TRAIN_SECONDS_MAX = 120.0
LEGACY_IMAGE = "433757028032.dkr.ecr.us-west-2.amazonaws.com/xgboost:1"
MODERN_IMAGE = "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-xgboost:3.2-0"
METRIC = re.compile(r"(\S+?)-(\S+):(\S+)")


def image(tag: str) -> str:
    return MODERN_IMAGE.replace("3.2-0", tag) if tag not in ("1", "latest") else LEGACY_IMAGE.replace(":1", ":" + tag)


def libsvm(values: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None,
           queries: np.ndarray | None = None) -> str:
    """Rows as text with indices from 0; NaN is left out, zeros are written. Every float32 keeps its value."""
    lines = []
    for row, (vector, label) in enumerate(zip(values, labels)):
        head = repr(float(label)) + ("" if weights is None else ":" + repr(float(weights[row])))
        cells = [f"{i}:{float(v)!r}" for i, v in enumerate(vector) if not np.isnan(v)]
        query = [] if queries is None else [f"qid:{int(queries[row])}"]
        lines.append(" ".join([head, *query, *cells]))
    return "\n".join(lines) + "\n"


@dataclasses.dataclass
class Finished:
    root: pathlib.Path
    code: int
    log: str

    @property
    def model(self) -> pathlib.Path:
        return self.root / "model" / "xgboost-model"

    @property
    def failure(self) -> str:
        path = self.root / "output" / "failure"
        return path.read_text() if path.exists() else ""

    @property
    def metrics(self) -> list[dict[str, float]]:
        """[round]{"train-rmse": 0.5}"""
        rounds = []
        for line in self.log.splitlines():
            if re.match(r"\[\d+\]\t", line):
                pairs = (METRIC.fullmatch(cell) for cell in line.split("\t")[1:])
                rounds.append({f"{m[1]}-{m[2]}": float(m[3]) for m in pairs})
        return rounds


def write_root(root: pathlib.Path, hyperparameters: dict[str, str], channels: dict[str, dict[str, str | bytes]], *,
               content_type: str = "text/libsvm", hosts=("algo-1",), host: str = "algo-1") -> pathlib.Path:
    """channels: {"train": {"part-0": text}}. A channel without files gets its empty folder."""
    config = root / "input" / "config"
    config.mkdir(parents=True)
    (config / "hyperparameters.json").write_text(json.dumps(hyperparameters))
    (config / "inputdataconfig.json").write_text(json.dumps({
        name: {"ContentType": content_type, "TrainingInputMode": "File", "S3DistributionType": "FullyReplicated"}
        for name in channels}))
    (config / "resourceconfig.json").write_text(json.dumps({"current_host": host, "hosts": list(hosts)}))
    for name, files in channels.items():
        folder = root / "input" / "data" / name
        folder.mkdir(parents=True)
        for file, text in files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(text.encode() if isinstance(text, str) else text)
    return root


def command(root: pathlib.Path, *, image_uri: str | None = MODERN_IMAGE, threads: int | None = None) -> list[str]:
    flags = ["--root", str(root)]
    if image_uri is not None:
        flags += ["--image", image_uri]
    if threads is not None:
        flags += ["--threads", str(threads)]
    return [str(program("espalier-train")), *flags]


def run(root: pathlib.Path, *, environment: dict[str, str] | None = None, **flags) -> Finished:
    done = subprocess.run(command(root, **flags), capture_output=True, text=True, timeout=TRAIN_SECONDS_MAX,
                          env={**os.environ, **(environment or {})})
    return Finished(root, done.returncode, done.stdout + done.stderr)


# As jobs/launcher_local starts ranks: nothing is looked for that one machine does not need, which takes 0.2 s.
MPI_PARAMETERS = {"plm": "isolated", "oob_tcp_if_include": "lo", "pml": "ob1", "btl": "self,vader",
                  "btl_vader_single_copy_mechanism": "none", "mpi_yield_when_idle": "0"}


def mpirun(roots: list[pathlib.Path], **flags) -> list[str]:
    """The command that starts one rank per root."""
    parameters = [word for name, value in MPI_PARAMETERS.items() for word in ("--mca", name, value)]
    ranks: list[str] = []
    for root in roots:
        ranks += [":"] if ranks else []
        ranks += ["-n", "1", *command(root, **flags)]
    return ["mpirun", "--oversubscribe", "--bind-to", "none", *parameters, *ranks]


MPI_ENVIRONMENT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
                   "HWLOC_COMPONENTS": "no_os,stop", "HWLOC_PLUGINS_PATH": "/dev/null", "PMIX_MCA_gds": "hash"}
