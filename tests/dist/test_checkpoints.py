"""A job that dies and starts again ends with the bytes of one that never died; training goes on from a model."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tarfile

import numpy as np
import pytest
import xgboost
from harness import training

HYPERPARAMETERS = {"objective": "multi:softprob", "num_class": "3", "num_round": "30", "max_depth": "4", "subsample": "0.7",
                   "colsample_bytree": "0.8", "eval_metric": "mlogloss"}
HOSTS = ("algo-1", "algo-2")


def rows(count: int, seed: int):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 30, (count, 6)).astype(np.float32)
    values[rng.random(values.shape) < 0.2] = np.nan
    return values, (np.nan_to_num(values).sum(axis=1) + rng.normal(0, 8, count)).astype(int) % 3


def write(root, hyperparameters, channels, **where):
    training.write_root(root, hyperparameters, channels, **where)
    (root / "input/config/checkpointconfig.json").write_text(json.dumps({"LocalPath": "/opt/ml/checkpoints"}))
    return root


@pytest.fixture(scope="module")
def files():
    return {"train": {"part-0": training.libsvm(*rows(3000, 1)), "part-1": training.libsvm(*rows(2000, 2))},
            "validation": {"part-0": training.libsvm(*rows(500, 3))}}


@pytest.fixture(scope="module")
def undisturbed(files, tmp_path_factory):
    finished = training.run(training.write_root(tmp_path_factory.mktemp("whole") / "job", HYPERPARAMETERS, files))
    assert finished.code == 0, finished.log
    return finished.model.read_bytes()


def kill_at(command, round_: int, victim) -> str:
    """Runs until the line of the round, then kills -9 what `victim(process)` names. What was printed."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={**os.environ, **training.MPI_ENVIRONMENT}) as process:
        printed = []
        for line in process.stdout:
            printed.append(line)
            if line.startswith(f"[{round_}]\t"):
                os.kill(victim(process), 9)
        process.wait(timeout=training.TRAIN_SECONDS_MAX)
    assert process.returncode != 0
    return "".join(printed)


def newest_checkpoint(root) -> int:
    names = [path.name for path in (root / "checkpoints").glob("xgboost-checkpoint.*")]
    return max((int(name.split(".")[1]) for name in names if name[-1].isdigit()), default=-1)


def test_killed_again_and_again(tmp_path, files, undisturbed):
    root = write(tmp_path / "job", HYPERPARAMETERS, files)
    for round_ in sorted(np.random.default_rng(5).choice(range(2, 28), 3, replace=False).tolist()):
        if round_ > newest_checkpoint(root):
            kill_at(training.command(root), round_, lambda process: process.pid)
    resumed_at = newest_checkpoint(root) + 1
    assert resumed_at > 0
    finished = training.run(root)
    assert finished.code == 0, finished.log
    assert f"Resuming from iteration {resumed_at}\n" in finished.log and f"\n[{resumed_at}]\t" in finished.log
    assert f"\n[{resumed_at - 1}]\t" not in finished.log
    assert finished.model.read_bytes() == undisturbed
    assert newest_checkpoint(root) < 30 and len(list((root / "checkpoints").glob("xgboost-checkpoint.*"))) <= 5


def test_a_killed_rank(tmp_path, files, undisturbed):
    """Two instances; the second is killed; both start again and end with the model of one instance."""
    roots = []
    for host, part in zip(HOSTS, ("part-0", "part-1")):
        channels = {"train": {part: files["train"][part]}, "validation": files["validation"] if host == "algo-1" else {}}
        roots.append(write(tmp_path / host, HYPERPARAMETERS, channels, hosts=HOSTS, host=host))

    def second_rank(process) -> int:
        found = subprocess.run(["pgrep", "-P", str(process.pid), "-f", str(roots[1])], capture_output=True, text=True)
        return int(found.stdout.split()[0])

    kill_at(training.mpirun(roots, threads=1), 9, second_rank)
    done = subprocess.run(training.mpirun(roots, threads=1), capture_output=True, text=True, check=False,
                          timeout=training.TRAIN_SECONDS_MAX, env={**os.environ, **training.MPI_ENVIRONMENT})
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Resuming from iteration [1-9]", done.stdout)
    assert (roots[0] / "model/xgboost-model").read_bytes() == undisturbed
    assert not (roots[1] / "checkpoints").exists() or not any((roots[1] / "checkpoints").iterdir())


def test_a_damaged_checkpoint_is_passed_over(tmp_path, files, undisturbed):
    root = write(tmp_path / "job", HYPERPARAMETERS, files)
    (root / "checkpoints").mkdir()
    (root / "checkpoints/xgboost-checkpoint.7").write_bytes(undisturbed[: len(undisturbed) // 2])
    finished = training.run(root)
    assert finished.code == 0 and "The checkpoint of round 7 is passed over" in finished.log
    assert finished.model.read_bytes() == undisturbed


@pytest.mark.parametrize("packed", [False, True], ids=["bare file", "model.tar.gz"])
def test_training_goes_on_from_a_model_of_stock(tmp_path, packed):
    """As stock's own continuation does: the same trees after the model's, from the model's margins."""
    values, labels = rows(400, 7)
    parameters = {"objective": "multi:softprob", "num_class": 3, "tree_method": "hist", "max_depth": 3, "eta": 0.3}
    matrix = xgboost.DMatrix(values, labels)
    first = xgboost.train(parameters, matrix, 4)
    stock = xgboost.train(parameters, matrix, 3, xgb_model=first)
    first.save_model(tmp_path / "first.ubj")
    channel = {"xgboost-model": (tmp_path / "first.ubj").read_bytes()}
    if packed:
        with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
            archive.add(tmp_path / "first.ubj", "xgboost-model")
        channel = {"model.tar.gz": (tmp_path / "model.tar.gz").read_bytes()}
    hyperparameters = {"objective": "multi:softprob", "num_class": "3", "num_round": "3", "max_depth": "3"}
    root = write(tmp_path / "job", hyperparameters, {"train": {"a": training.libsvm(values, labels)}, "model": channel})
    finished = training.run(root)
    assert finished.code == 0, finished.log
    assert "goes on from the model of channel 'model', which has 4 rounds" in finished.log
    assert [len(finished.metrics), newest_checkpoint(root)] == [3, 2]
    ours = xgboost.Booster(model_file=str(finished.model.rename(tmp_path / "model.ubj")))
    assert ours.num_boosted_rounds() == 7
    np.testing.assert_allclose(ours.predict(matrix), stock.predict(matrix), rtol=2e-5)
    # A job that goes on from its checkpoint knows which rounds were the imported model's.
    before = (tmp_path / "model.ubj").read_bytes()
    for name in ("xgboost-checkpoint.1", "xgboost-checkpoint.2"):
        (root / "checkpoints" / name).unlink(missing_ok=True)
    again = training.run(root)
    assert "Resuming from iteration 1\n" in again.log and again.model.read_bytes() == before


def test_the_model_file_is_there_before_the_end(tmp_path, files):
    """save_model_on_termination: after a kill that leaves no time, the model of an earlier round is there and whole."""
    root = training.write_root(tmp_path / "job", HYPERPARAMETERS | {"save_model_on_termination": "true"}, files)
    kill_at(training.command(root), 12, lambda process: process.pid)
    booster = xgboost.Booster(model_file=str((root / "model/xgboost-model").rename(tmp_path / "model.ubj")))
    assert 1 <= booster.num_boosted_rounds() <= 13
    assert not (root / "checkpoints").exists()


def test_a_checkpoint_folder_elsewhere_is_refused(tmp_path, files):
    root = write(tmp_path / "job", HYPERPARAMETERS, files)
    (root / "input/config/checkpointconfig.json").write_text(json.dumps({"LocalPath": "/opt/ml/../../etc"}))
    finished = training.run(root)
    assert finished.code == 1 and "LocalPath '/opt/ml/../../etc' must be a folder under /opt/ml/" in finished.failure


def test_a_rank_that_hangs_is_named_in_seconds(tmp_path, files):
    roots = [write(tmp_path / host, HYPERPARAMETERS | {"num_round": "100000"}, files, hosts=HOSTS, host=host)
             for host in HOSTS]
    with subprocess.Popen(training.mpirun(roots, threads=1), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={**os.environ, **training.MPI_ENVIRONMENT}) as process:
        for line in process.stdout:
            if line.startswith("[3]\t"):
                break
        found = subprocess.run(["pgrep", "-P", str(process.pid), "-f", str(roots[1])], capture_output=True, text=True)
        os.kill(int(found.stdout.split()[0]), signal.SIGSTOP)
        rest = process.stdout.read()
        process.wait(timeout=training.TRAIN_SECONDS_MAX)
    reason = "AlgorithmError: instance algo-2 (rank 1) has given no sign of life for 15 s"
    assert process.returncode != 0 and reason in rest
    assert (roots[0] / "output/failure").read_text() == reason
