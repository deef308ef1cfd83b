"""Instances that share bins through a folder: who reads the text, who does not, and that no one's model shows it."""

from __future__ import annotations

import json
import subprocess

import numpy as np
import pytest
from harness import training

PARAMETERS = {"objective": "reg:squarederror", "num_round": "5", "max_depth": "4", "max_bin": "32"}
TAKEN = "Binned data taken from"


def channels():
    random = np.random.default_rng(5)
    made = {}
    for name, rows in (("train", 600), ("validation", 100)):
        values = np.round(random.normal(size=(rows, 6)), 2).astype(np.float32)
        values[random.random(values.shape) < 0.2] = np.nan
        made[name] = {"part-0": training.libsvm(values, np.nansum(values, axis=1), random.integers(1, 4, rows))}
    return made


@pytest.fixture
def job(tmp_path):
    cache = tmp_path / "bins"
    cache.mkdir()
    data = channels()

    def write(name: str, *, parameters=PARAMETERS, identity="v1", folder=cache, known=("train", "validation")):
        root = training.write_root(tmp_path / name, parameters, data)
        settings = {"binned_cache_folder": str(folder), "data_identity": {channel: identity for channel in known}}
        (root / "input/config/espalier.json").write_text(json.dumps(settings))
        return root

    write.cache = cache
    return write


def files(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix == ".bins")


def test_the_second_trial_takes_the_bins_of_the_first(job, tmp_path):
    plain = training.run(training.write_root(tmp_path / "plain", PARAMETERS, channels()))
    first, second = training.run(job("first")), training.run(job("second"), threads=1)
    assert plain.code == first.code == second.code == 0, first.log + second.log
    assert TAKEN not in first.log and TAKEN in second.log
    assert plain.model.read_bytes() == first.model.read_bytes() == second.model.read_bytes()
    assert plain.metrics == first.metrics == second.metrics
    assert len(files(job.cache)) == 1
    # Other trees from the same bins, other bins, other data.
    assert TAKEN in training.run(job("deeper", parameters={**PARAMETERS, "max_depth": "6"})).log
    assert TAKEN not in training.run(job("finer", parameters={**PARAMETERS, "max_bin": "64"})).log
    assert TAKEN not in training.run(job("changed", identity="v2")).log
    assert len(files(job.cache)) == 3


def test_trials_at_once_read_the_text_once(job):
    roots = [job(f"trial-{i}") for i in range(4)]
    running = [subprocess.Popen(training.command(root, threads=1), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
               for root in roots]
    logs = [process.communicate(timeout=training.TRAIN_SECONDS_MAX)[0] for process in running]
    assert [process.returncode for process in running] == [0] * 4, logs
    assert sum(TAKEN in log for log in logs) == 3, logs
    assert len({(root / "model/xgboost-model").read_bytes() for root in roots}) == 1


def test_a_damaged_file_is_made_anew(job):
    first = training.run(job("first"))
    path = job.cache / files(job.cache)[0]
    good = path.read_bytes()
    path.write_bytes(good[:1000] + bytes([good[1000] ^ 1]) + good[1001:])
    second = training.run(job("second"))
    assert second.code == 0 and TAKEN not in second.log
    assert path.read_bytes() == good
    assert first.model.read_bytes() == second.model.read_bytes()


def test_without_a_use_for_it_the_folder_stays_empty(job, tmp_path):
    unknown = training.run(job("unknown", known=("train",)))
    assert unknown.code == 0 and files(job.cache) == []
    gone = training.run(job("gone", folder=tmp_path / "nowhere"))
    assert gone.code == 0 and "The cache of binned data is not used" in gone.log, gone.log
