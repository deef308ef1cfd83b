"""Objectives and metrics that look beyond single rows: one model and one log for any number of instances and threads."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
from harness import training
from harness.server import program

ROWS, QUERY = 3_000, 15
CASES = {
    "survival:cox": "cox-nloglik",
    "survival:aft": "aft-nloglik",
    "reg:absoluteerror": "mae,rmse",
    "reg:quantileerror": "quantile",
    "rank:pairwise": "auc,map,ndcg@5,pre@3",
    "rank:ndcg": "ndcg-,aucpr",
    "count:poisson": "poisson-nloglik,tweedie-nloglik@1.3,r2",
    "binary:hinge": "error,auc,aucpr,f1",
}


def write_files(folder, objective: str) -> list[str]:
    """Four files, cut between queries; weights are a query's own."""
    rng = np.random.default_rng(5)
    values = rng.integers(0, 30, (ROWS, 6)).astype(np.float32)
    values[rng.random(values.shape) < 0.2] = np.nan
    signal = np.nan_to_num(values[:, 0]) / 10 + rng.normal(0, 0.4, ROWS)
    labels = (signal > 1.5).astype(np.float32)
    if not objective.startswith(("rank:", "binary:")):
        labels = np.round(np.abs(signal) + 0.1, 1) if objective != "count:poisson" else np.floor(np.abs(signal))
    if objective.startswith("survival:"):
        labels = np.where(rng.random(ROWS) < 0.3, -labels, labels)
    queries = np.arange(ROWS) // QUERY if objective.startswith("rank:") else None
    weights = np.repeat(rng.choice([0.5, 1.0, 2.25], ROWS // QUERY), QUERY)
    paths = []
    for number, part in enumerate(np.split(np.arange(ROWS), [600, 1500, 1800])):
        path = folder / f"part-{number}.libsvm"
        path.write_text(training.libsvm(values[part], labels[part], weights[part],
                                        None if queries is None else queries[part]))
        paths.append(str(path))
    return paths


@pytest.mark.parametrize("objective", CASES)
def test_instances_and_threads_do_not_change_a_byte(tmp_path, objective):
    files = write_files(tmp_path, objective)

    def train(name: str, *flags: str) -> tuple[bytes, str]:
        model = tmp_path / name
        done = subprocess.run([str(program("espalier")), "train", "--train", *files, "--model", str(model), *flags,
                               f"objective={objective}", "num_round=4", "max_depth=3", "subsample=0.7", "quantile_alpha=0.7",
                               f"eval_metric={CASES[objective]}"], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return model.read_bytes(), "\n".join(line for line in done.stdout.splitlines() if line.startswith("["))

    alone = train("alone.ubj", "--threads", "1")
    assert len(alone[1].splitlines()) == 4
    assert train("threads.ubj", "--threads", "3") == alone
    assert train("instances.ubj", "--instances", "3") == alone
