"""The example notebook runs from first to last cell through the demo, on a part of the data."""

from __future__ import annotations

import gzip
import pickle
import re
import subprocess
import sys

import make_mnist_pickle
import nbformat
import pytest
from harness import mnist
from harness.server import ROOT, build_folder

DEMO = ROOT / "examples" / "run_demo.py"


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    done = subprocess.run([sys.executable, DEMO, "--build", build_folder(), "--out", out, "--rows", "2000"],
                          capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    return out, done.stdout


def test_every_cell_ran_and_both_jobs_completed(demo):
    out, printed = demo
    notebook = nbformat.read(out / "mnist_xgboost.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert len(re.findall(r"^\[ ?\d+/\d+\]", printed, re.MULTILINE)) == len(code)
    assert len(re.findall(r"Completed on [12] instance", printed)) == 2


def test_the_error_rate_is_that_of_a_model_that_has_learned(demo):
    found = re.search(r"400 predictions, (\d+) wrong: test error rate ([0-9.]+) %", demo[1])
    assert found and float(found.group(2)) == pytest.approx(int(found.group(1)) / 4) and float(found.group(2)) < 30


def test_the_picture_is_written(demo):
    picture = demo[0] / "confusion_matrix.png"
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and str(picture) in demo[1]


def test_a_failing_server_is_told_in_a_readable_way(tmp_path):
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / "espalier"
    fake.write_text("#!/bin/sh\necho no disk left; exit 3\n")
    fake.chmod(0o755)
    done = subprocess.run([sys.executable, DEMO, "--build", tmp_path, "--out", tmp_path / "out"], capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 1
    assert "did not become ready" in done.stderr and "no disk left" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_notebook_names_nothing_of_ours_in_its_code():
    notebook = nbformat.read(ROOT / "examples" / "mnist_xgboost.ipynb", as_version=4)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    assert not re.search(r"espalier|endpoint_url|127\.0\.0\.1|localhost", code, re.IGNORECASE)
    assert not any(cell.get("outputs") for cell in notebook.cells), "commit the notebook without outputs"


def test_the_pickle_is_what_the_public_notebooks_read(tmp_path, monkeypatch):
    """Its form on a few rows (220 MB take their time), its content as load() gives it."""
    whole = mnist.splits()
    assert [len(labels) for _, labels in whole.values()] == [50_000, 10_000, 10_000]
    few = tuple((images[:20], labels[:20]) for images, labels in whole.values())
    monkeypatch.setattr(make_mnist_pickle, "load", lambda: few)
    make_mnist_pickle.write(tmp_path / "mnist.pkl.gz")
    with gzip.open(tmp_path / "mnist.pkl.gz", "rb") as packed:
        read = pickle.load(packed, encoding="latin1")
    for (images, labels), (read_images, read_labels) in zip(few, read, strict=True):
        assert read_images.shape == (20, 784) and str(read_images.dtype) == "float32" and str(read_labels.dtype) == "int64"
        assert (read_images == images).all() and (read_labels == labels).all()
