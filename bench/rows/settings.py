"""What every row is given, and the commands of ours that several rows run."""

from __future__ import annotations

import json
import pathlib
from dataclasses import dataclass, field

import datasets
import machine

NOTEBOOK = {"max_depth": 5, "eta": 0.2, "gamma": 4, "min_child_weight": 6, "objective": "multi:softmax", "num_class": 10}
NOTEBOOK_ROUNDS = 10


@dataclass
class Settings:
    build: pathlib.Path
    work: pathlib.Path  # a temporary folder
    rounds: int
    quick: bool
    threads: int = machine.THREADS

    def digits(self) -> pathlib.Path:
        return datasets.digits(5000 if self.quick else 50_000)

    def program(self, name: str) -> pathlib.Path:
        return self.build / "bin" / name


@dataclass
class Training:
    """One run of `espalier train`."""

    train: pathlib.Path
    settings: dict
    rounds: int
    content_type: str = "libsvm"
    validation: pathlib.Path | None = None
    instances: int = 1
    threads: int = machine.THREADS
    seconds: dict = field(default_factory=dict)
    cost: machine.Cost | None = None

    def run(self, build: pathlib.Path, work: pathlib.Path, model: str = "ours.json") -> "Training":
        timings = work / "timings.json"
        command = [build / "bin" / "espalier", "train", "--train", self.train, "--content-type", self.content_type, "--model",
                   work / model, "--timings", timings, "--threads", self.threads, "--instances", self.instances]
        if self.validation:
            command += ["--validation", self.validation]
        pairs = [f"{name}={value}" for name, value in self.settings.items()]
        self.cost = machine.run([*command, *pairs, f"num_round={self.rounds}"])
        self.seconds = json.loads(timings.read_text())
        return self

    @property
    def bins_seconds(self) -> float:
        """Text to bins, as the peers' loading is counted."""
        return self.seconds["load_seconds"] + self.seconds["cuts_seconds"] + self.seconds["bins_seconds"]


def joined(folder: pathlib.Path) -> pathlib.Path:
    """A folder of <split>.libsvm: the part files as one file each, for peers that take only one file."""
    target = folder / "joined"
    if not target.exists():
        target.mkdir()
        for split in ("train", "validation"):
            parts = sorted((folder / split).iterdir())
            (target / f"{split}.libsvm").write_bytes(b"\n".join(part.read_bytes() for part in parts) + b"\n")
    return target


def size_of(path: pathlib.Path) -> int:
    return path.stat().st_size if path.is_file() else sum(part.stat().st_size for part in path.iterdir())
