"""Rows and bins beyond a memory limit lie in files: the model does not show it, and the files leave no trace."""

from __future__ import annotations

import subprocess

import numpy as np
from harness import training
from harness.server import program

PARAMETERS = ["objective=binary:logistic", "num_round=3", "max_depth=4"]


def train(data, model, *flags) -> None:
    subprocess.run([str(program("espalier")), "train", "--train", str(data), "--validation", str(data), "--model", str(model),
                    *flags, *PARAMETERS], check=True, capture_output=True, timeout=training.TRAIN_SECONDS_MAX)


def test_a_model_is_the_same_whatever_the_limit(tmp_path):
    random = np.random.default_rng(2)
    values = random.normal(size=(60_000, 9)).astype(np.float32)
    labels = (values.sum(axis=1) > 0).astype(int)
    lines = [" ".join([str(label), *(f"{i}:{v:.4f}" for i, v in enumerate(row))]) for row, label in zip(values.tolist(), labels)]
    data = tmp_path / "rows.libsvm"
    data.write_text("\n".join(lines) + "\n")
    folder = tmp_path / "models"
    folder.mkdir()
    train(data, folder / "free.json")
    for name, *flags in (("1mb.json", "--memory-limit", "1"), ("1mb-1.json", "--memory-limit", "1", "--threads", "1"),
                         ("2mb-2.json", "--memory-limit", "2", "--instances", "2")):
        train(data, folder / name, *flags)
        assert (folder / name).read_bytes() == (folder / "free.json").read_bytes(), name
    assert sorted(path.name for path in folder.iterdir()) == ["1mb-1.json", "1mb.json", "2mb-2.json", "free.json"]
