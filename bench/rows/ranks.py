"""Two instances on one machine against one with the same cores, started as a job starts them, and what they send each other."""

from __future__ import annotations

import os
import pathlib
import re

import machine
from contest import Contest
from harness import training
from results import RowResult
from rows.settings import NOTEBOOK, NOTEBOOK_ROUNDS, Settings

SENT_WITH_FLOATS = 3.51e9  # bytes a rank sends with an allreduce of float64 histograms, computed for this job
SENT = re.compile(r"Bytes sent to other instances: (\d+)")


def instance_roots(folder: pathlib.Path, data: pathlib.Path, num_instances: int) -> list[pathlib.Path]:
    """A folder for each instance; the files of a channel are dealt to them in turn."""
    hosts = [f"algo-{number + 1}" for number in range(num_instances)]
    hyperparameters = {name: str(value) for name, value in {**NOTEBOOK, "num_round": NOTEBOOK_ROUNDS}.items()}
    roots = []
    for number, host in enumerate(hosts):
        root = training.write_root(folder / host, hyperparameters, {"train": {}, "validation": {}}, hosts=hosts, host=host)
        for channel in ("train", "validation"):
            for file in sorted((data / channel).iterdir())[number::num_instances]:
                os.link(file, root / "input" / "data" / channel / file.name)
        roots.append(root)
    return roots


def two_ranks(settings: Settings) -> RowResult:
    alone = instance_roots(settings.work / "one", settings.digits(), 1)
    both = instance_roots(settings.work / "two", settings.digits(), 2)

    def measure(command: list[str]):
        cost = machine.run(command, environment=training.MPI_ENVIRONMENT)
        return cost.seconds, {"bytes_sent": max(int(sent) for sent in SENT.findall(cost.output))}

    one = ("one instance, two threads", lambda: measure(training.command(alone[0], threads=settings.threads)))
    two = ("ours, two instances, one thread each", lambda: measure(training.mpirun(both, threads=settings.threads // 2)))
    contest = Contest(two, [one], True).run(settings.rounds)
    result = RowResult("ranks", "the notebook's whole job on two instances", "s", True, contest.ours, contest.peers)
    sent = contest.told[contest.ours.name]["bytes_sent"]
    contest.ours.note = f"{sent / 1e9:.2f} GB sent by an instance ({SENT_WITH_FLOATS / 1e9} GB with float64 sums)"
    result.add_goal("<= 0.9 GB sent", sent / 1e9, 0.9, "GB", at_least=False)
    slower = 100 * (1 / result.against("one instance") - 1)
    result.add_goal("no slower than one instance + 15 %", slower, 15, "% slower", at_least=False)
    models = [(root / "model" / "xgboost-model").read_bytes() for root in (alone[0], both[0])]
    if models[0] != models[1]:
        result.wrong.append("two instances give another model than one")
    return result


ROWS = {"ranks": two_ranks}
