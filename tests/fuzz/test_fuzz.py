"""A short, repeatable run of every fuzz entry; README.md beside this file tells how to run them for hours."""

import os
import subprocess

import pytest
from harness.server import build_folder

FOLDER = build_folder() / "fuzz"
SOURCES = os.path.dirname(os.path.abspath(__file__))
NAMES = sorted(name.removesuffix("_fuzz.cc") for name in os.listdir(SOURCES) if name.endswith("_fuzz.cc"))


def test_each_parser_has_an_entry():
    assert NAMES == ["archive", "aws_chunked", "cbor_document", "csv", "http_chunked", "http_head", "json_model",
                     "json_path", "libsvm", "lightgbm", "old_binary", "onnx", "pickle", "recordio", "s3_xml", "signature", "ubjson_model"]


@pytest.mark.parametrize("name", NAMES)
def test_bounded_run(tmp_path, name):
    program = FOLDER / f"fuzz_{name}"
    done = subprocess.run([program, "--seconds", "2", "--runs", "100000"], cwd=tmp_path, capture_output=True, text=True,
                          errors="replace", timeout=120)
    crash = tmp_path / f"crash-fuzz_{name}"
    shown = crash.read_bytes()[:500] if crash.exists() else b""
    assert done.returncode == 0, f"{done.stderr[-2000:]}\ninput: {shown!r}"
    mutants = int(done.stdout.split(" seeds, ")[1].split(" ")[0])
    assert mutants >= 100, done.stdout


def test_the_driver_runs_files_and_writes_seeds(tmp_path):
    program = FOLDER / "fuzz_libsvm"
    bad = tmp_path / "bad"
    assert subprocess.run([program, bad], cwd=tmp_path, capture_output=True).returncode == 2
    bad.write_bytes(b"1 1:2\n")
    assert subprocess.run([program, bad], cwd=tmp_path, capture_output=True).returncode == 0
    assert subprocess.run([program, "--write-seeds", tmp_path], cwd=tmp_path).returncode == 0
    assert (tmp_path / "seed-0").read_bytes().startswith(b"1 1:0.5")


# One byte too far is seen by the address sanitizer alone.
@pytest.mark.parametrize("text", ["abort", *(["read past the end"] if FOLDER.parent.name == "asan" else [])])
def test_the_driver_keeps_the_input_that_fails(tmp_path, text):
    """The net has no hole: what a CHECK or a sanitizer ends is a failure, and its input is kept."""
    (tmp_path / "bad").write_text(text)
    done = subprocess.run([FOLDER / "driver_probe", "bad"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "the input that failed is in crash-driver_probe" in done.stderr
    assert (tmp_path / "crash-driver_probe").read_text() == text
