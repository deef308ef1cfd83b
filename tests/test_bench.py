"""The rules of `./dev bench`: turns, what counts as a loss, exponents, and that a wrong answer is shown as wrong."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

import pytest
from harness.server import program

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "bench"))

import against
import growth
import results
from contest import Contest
from machine import BenchError
from results import RowResult, Series


@pytest.fixture(autouse=True)
def memory_left_alone(monkeypatch):
    """These contests measure nothing, so they need no memory from the host."""
    monkeypatch.setattr("contest.warm_memory", lambda: None)


def contender(values: list[float], calls: list[str], name: str):
    left = iter(values)

    def measure():
        calls.append(name)
        return next(left), {"name": name}

    return name, measure


def test_contenders_take_turns_and_a_slow_peer_runs_once():
    calls: list[str] = []
    contest = Contest(contender([1.0, 0.9, 1.1], calls, "ours"),
                      [contender([2.0, 2.5, 1.5], calls, "near"), contender([30.0], calls, "slow")], True).run(3)
    assert calls == ["near", "slow", "ours", "near", "ours", "near", "ours"]
    assert contest.ours.best(True) == 0.9
    assert [peer.best(True) for peer in contest.peers] == [1.5, 30.0]


def test_a_peer_that_fails_is_told_and_ours_must_not_fail():
    def broken():
        raise BenchError("no such library")

    calls: list[str] = []
    contest = Contest(contender([1.0, 1.0], calls, "ours"), [("broken", broken)], True).run(2)
    assert contest.peers[0].failure == "no such library"
    assert contest.peers[0].best(True) is None
    with pytest.raises(BenchError, match="no such library"):
        Contest(("ours", broken), [], True).run(1)


def row(lower_is_better: bool) -> RowResult:
    return RowResult("row", "some work", "s", lower_is_better, Series("ours", [2.0, 1.0]),
                     [Series("a", [4.0]), Series("b", [3.0, 5.0]), Series("c", failure="died")])


def test_ratios_say_how_many_times_better_ours_is():
    less, more = row(True), row(False)
    assert less.fastest_peer().name == "b" and less.times_better(less.fastest_peer()) == 3.0
    assert more.fastest_peer().name == "b" and more.times_better(more.fastest_peer()) == 2.0 / 5.0
    assert less.against("c") is None
    less.add_goal(">= 2x", less.against("b"), 2)
    less.add_goal(">= 9x", less.against("b"), 9)
    less.add_goal("beats c", less.against("c"), 1)
    assert [goal.met for goal in less.goals] == [True, False, False]


@pytest.mark.parametrize("ratios, is_loss", [
    ([1.0, 1.01, 0.99, 1.02, 1.0], False),
    ([1.10, 1.11, 1.09, 1.10, 1.12], True),
    ([1.02, 1.02, 1.02, 1.02, 1.02], False),  # below the least loss
    ([0.7, 1.1, 1.6, 1.05, 0.8, 1.5, 1.1], False),  # above 1, but not beyond the noise
    ([0.8, 0.81, 0.8], False),
])
def test_a_loss_is_beyond_the_noise(ratios, is_loss):
    assert against.judge(ratios)[2] is is_loss


def test_exponents_are_slopes_of_the_upper_half():
    sizes = [10.0, 100.0, 1000.0, 10_000.0]
    assert growth.exponent(sizes, [5 + size**2 for size in sizes]) == pytest.approx(2.0, abs=0.01)
    assert growth.exponent([1.0, 2.0], [3.0, 3.0]) == pytest.approx(0.0)
    assert growth.exponent([1.0], [3.0]) is None


def test_results_survive_a_round_trip_and_the_page_tells_goals(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    monkeypatch.setattr(results, "PAGE", tmp_path / "RESULTS.md")
    result = row(True)
    result.add_goal(">= 9x", result.against("b"), 9)
    result.machine = {"date": "2026-11-26 05:00", "cpu": "a processor", "cores": 2, "commit": "abc", "load_average": 0.1}
    results.save(result)
    assert results.load(tmp_path / "results" / "row.json") == result
    results.render(2, ["row", "not measured yet"])
    page = (tmp_path / "RESULTS.md").read_text()
    assert "| some work | >= 9x | 3x | not met |" in page
    assert "died" in page and "a processor" in page


def test_each_kernel_gives_the_same_bytes_on_each_instruction_set():
    """The program compares them and fails; here it is asked whether it compared anything."""
    done = subprocess.run([program("espalier-bench"), "kernels", "--repeats", "1"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    head, _, *lines = (line.strip("| ").split(" | ") for line in done.stdout.splitlines())
    assert "scalar" in head and len(lines) >= 20
    for line in lines:
        assert len(line) == len(head) and all(re.fullmatch(r"[0-9.e+-]+", cell) and float(cell) > 0 for cell in line[2:]), line
