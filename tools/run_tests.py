"""Runs every test of the project and closes with one line, "N passed, N failed".

C++ unit tests (build/<preset>/*_test) run first and are counted case by case from their JSON reports; then pytest runs
everything under tests/. A program that crashes or a run that collects nothing counts as a failure.
With --fast only the unit tests and tests/tidy run.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent


def run_unit_tests(build: pathlib.Path, scratch: pathlib.Path) -> tuple[int, int]:
    passed = failed = 0
    for program in sorted(build.glob("*_test")):
        report = scratch / f"{program.name}.json"
        started = time.monotonic()
        done = subprocess.run(
            [program, f"--gtest_output=json:{report}", "--gtest_brief=1"],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )
        seconds = time.monotonic() - started
        if not report.exists():
            failed += 1
            print(f"unit {program.name}: crashed with exit code {done.returncode}\n{done.stdout[-4000:]}", flush=True)
            continue
        result = json.loads(report.read_text())
        program_failed = result["failures"] + result.get("errors", 0)
        if done.returncode != 0 and program_failed == 0:
            program_failed = 1
        passed += result["tests"] - result["failures"] - result.get("disabled", 0)
        failed += program_failed
        if program_failed or result["tests"] == 0:
            print(done.stdout[-8000:])
        print(f"unit {program.name}: {result['tests']} tests, {program_failed} failed, {seconds:.1f} s", flush=True)
    return passed, failed


def run_pytest(paths: list[str], build: pathlib.Path, scratch: pathlib.Path, extra: list[str]) -> tuple[int, int]:
    report = scratch / "pytest.xml"
    environment = dict(os.environ, ESPALIER_BUILD=str(build))
    code = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--durations=15", f"--junitxml={report}", *extra, *paths],
        cwd=ROOT, env=environment,
    ).returncode
    if not report.exists():
        return 0, 1
    suite = ElementTree.parse(report).getroot().find("testsuite")
    failed = int(suite.get("failures")) + int(suite.get("errors"))
    passed = int(suite.get("tests")) - failed - int(suite.get("skipped"))
    if code != 0 and failed == 0:
        failed = 1
    return passed, failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--fast", action="store_true")
    arguments, extra = parser.parse_known_args()
    build = arguments.build.resolve()
    with tempfile.TemporaryDirectory(prefix="espalier-tests-") as scratch_name:
        scratch = pathlib.Path(scratch_name)
        unit_passed, unit_failed = run_unit_tests(build, scratch)
        paths = ["tests/tidy"] if arguments.fast else ["tests"]
        script_passed, script_failed = run_pytest(paths, build, scratch, extra)
    passed, failed = unit_passed + script_passed, unit_failed + script_failed
    print(f"{passed} passed, {failed} failed", flush=True)
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
