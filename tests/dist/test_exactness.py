"""One model, byte for byte: for any number of threads and instances over the same rows."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import numpy as np
import pytest
from harness import training

HYPERPARAMETERS = {"objective": "multi:softmax", "num_class": "3", "num_round": "5", "max_depth": "4", "subsample": "0.7",
                   "colsample_bytree": "0.8", "eval_metric": "merror,mlogloss"}
HOSTS = ("algo-1", "algo-2")
MPI_SECONDS_MAX = 60.0


def parts(count: int, rows: int, seed: int) -> dict[str, str]:
    """`count` files of libsvm rows, enough for packed sums and several blocks."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 30, (rows, 6)).astype(np.float32)
    values[rng.random(values.shape) < 0.2] = np.nan
    values[:, 2] *= rng.random(rows) < 0.3
    labels = (np.nan_to_num(values).sum(axis=1) + rng.normal(0, 8, rows)).astype(int) % 3
    bounds = np.linspace(0, rows, count + 1).astype(int)
    return {f"part-{i}": training.libsvm(values[a:b], labels[a:b]) for i, (a, b) in enumerate(zip(bounds, bounds[1:]))}


@pytest.fixture(scope="module")
def files():
    return {"train": parts(5, 20_000, 1), "validation": parts(1, 2_000, 2)}


@pytest.fixture(scope="module")
def alone(files, tmp_path_factory):
    root = training.write_root(tmp_path_factory.mktemp("alone") / "job", HYPERPARAMETERS, files)
    finished = training.run(root, threads=1)
    assert finished.code == 0, finished.log
    return finished


def two_roots(tmp_path, files, first_parts: int, **overrides) -> list:
    names = sorted(files["train"])
    shares = names[:first_parts], names[first_parts:]
    roots = []
    for host, share in zip(HOSTS, shares):
        channels = {"train": {name: files["train"][name] for name in share},
                    "validation": files["validation"] if host == "algo-1" else {}}
        roots.append(training.write_root(tmp_path / host, HYPERPARAMETERS | overrides, channels, hosts=HOSTS, host=host))
    return roots


def run_mpi(roots, **flags) -> subprocess.CompletedProcess:
    return subprocess.run(training.mpirun(roots, **flags), capture_output=True, text=True, timeout=MPI_SECONDS_MAX,
                          env={**os.environ, **training.MPI_ENVIRONMENT})


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_do_not_change_a_byte(tmp_path, files, alone, threads):
    again = training.run(training.write_root(tmp_path / "job", HYPERPARAMETERS, files), threads=threads)
    assert again.code == 0, again.log
    assert again.model.read_bytes() == alone.model.read_bytes()
    assert again.metrics == alone.metrics


@pytest.mark.parametrize("first_parts", [3, 5], ids=["3 + 2 files", "5 + 0 files"])
def test_two_instances_make_the_model_of_one(tmp_path, files, alone, first_parts):
    done = run_mpi(two_roots(tmp_path, files, first_parts), threads=1)
    assert done.returncode == 0, done.stdout + done.stderr
    assert subprocess.run(["cmp", tmp_path / "algo-1/model/xgboost-model", alone.model]).returncode == 0
    assert not (tmp_path / "algo-2/model/xgboost-model").exists()
    finished = training.Finished(tmp_path / "algo-1", 0, done.stdout)
    assert finished.metrics == alone.metrics
    if first_parts == 5:
        assert "Host algo-2 does not have training data" in done.stdout


def test_no_instance_has_data(tmp_path, files):
    roots = two_roots(tmp_path, {"train": {}, "validation": files["validation"]}, 0)
    done = run_mpi(roots, threads=1)
    assert done.returncode != 0
    assert "No hosts received training data." in (tmp_path / "algo-1/output/failure").read_text()


def test_an_error_on_one_instance_ends_both_with_its_reason(tmp_path, files):
    broken = dict(files["train"], **{"part-4": "1 0:1\n2 x:3\n"})
    done = run_mpi(two_roots(tmp_path, {**files, "train": broken}, 3), threads=1)
    assert done.returncode != 0
    for host in HOSTS:
        failure = (tmp_path / host / "output/failure").read_text()
        assert "part-4, line 2" in failure and "algo-2" in failure


def test_a_label_out_of_range_on_the_second_instance_is_told_by_file_and_line(tmp_path, files):
    bad = dict(files["train"], **{"part-4": files["train"]["part-4"] + "# a comment\n\n7 0:1\n"})
    done = run_mpi(two_roots(tmp_path, {**files, "train": bad}, 3), threads=1)
    assert done.returncode != 0
    lines = bad["part-4"].count("\n")
    failure = (tmp_path / "algo-1/output/failure").read_text()
    assert f"part-4, line {lines}, column 1: label 7" in failure and "num_class" in failure


def test_a_killed_instance_ends_the_other_with_a_message(tmp_path, files):
    roots = two_roots(tmp_path, files, 3, num_round="100000")
    process = subprocess.Popen(training.mpirun(roots, threads=1), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, env={**os.environ, **training.MPI_ENVIRONMENT})
    try:
        for line in process.stdout:
            if line.startswith("[3]\t"):
                break
        victim = subprocess.run(["pgrep", "-f", f"espalier-train --root {roots[1]}"], capture_output=True, text=True)
        pids = [int(pid) for pid in victim.stdout.split() if "mpirun" not in open(f"/proc/{pid}/comm").read()]
        assert len(pids) == 1
        begin = time.monotonic()
        os.kill(pids[0], signal.SIGKILL)
        rest = process.stdout.read()
        assert process.wait(timeout=20) != 0
        assert time.monotonic() - begin < 15
        assert "another instance of this job ended unexpectedly" in rest or "signal 9" in rest, rest
        assert "another instance" in (roots[0] / "output/failure").read_text()
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("stopping", [signal.SIGUSR1, signal.SIGTERM])
def test_a_stopped_instance_keeps_the_model_so_far(tmp_path, files, stopping):
    root = training.write_root(tmp_path / "job", HYPERPARAMETERS | {"num_round": "100000"}, files)
    process = subprocess.Popen(training.command(root, threads=1), stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.startswith("[3]\t"):
            break
    process.send_signal(stopping)
    rest = process.stdout.read()
    assert process.wait(timeout=20) == 0
    assert "the model of" in rest
    assert (root / "model/xgboost-model").stat().st_size > 1000


def test_two_instances_stop_together(tmp_path, files):
    process = subprocess.Popen(training.mpirun(two_roots(tmp_path, files, 3, num_round="100000"), threads=1),
                               stdout=subprocess.PIPE, text=True, env={**os.environ, **training.MPI_ENVIRONMENT})
    for line in process.stdout:
        if line.startswith("[3]\t"):
            break
    process.send_signal(signal.SIGUSR1)
    process.stdout.read()
    assert process.wait(timeout=20) == 0
    assert (tmp_path / "algo-1/model/xgboost-model").exists()


def test_more_hosts_without_mpirun_are_refused(tmp_path, files):
    root = two_roots(tmp_path, files, 3)[0]
    finished = training.run(root)
    assert finished.code == 1
    assert "was not started by mpirun" in finished.failure
